"""The caller's audio since the last final result: kept until it is heard, never without bound. Pure.

One reader takes it in order. What was taken is kept too, until a final result covers it, so that
another recogniser can be given it again (`rewind`). Positions are samples since media start.
"""

from __future__ import annotations

from collections import deque

from gateway.media import BYTES_PER_SAMPLE, SAMPLE_RATE


class CallerAudio:
    """A ring of at most `max_seconds`; the oldest audio is dropped and counted."""

    def __init__(self, max_seconds: float = 60.0) -> None:
        self._max_samples = int(max_seconds * SAMPLE_RATE)
        self._frames: deque[bytes] = deque()
        self._first = 0
        self._next = 0
        self._end = 0
        self.dropped_samples = 0

    @property
    def end(self) -> int:
        """Position one past the newest sample."""
        return self._end

    @property
    def position(self) -> int:
        """Position of the sample that `take` gives next."""
        return self._next

    @property
    def waiting(self) -> int:
        """Samples that were not taken yet."""
        return self._end - self._next

    def append(self, pcm: bytes) -> None:
        """The next audio: whole samples."""
        self._frames.append(pcm)
        self._end += len(pcm) // BYTES_PER_SAMPLE
        while self._end - self._first > self._max_samples:
            self._drop_oldest()

    def take(self, max_bytes: int) -> bytes:
        """What was not taken yet, oldest first, at most `max_bytes` (even); empty if nothing is."""
        taken: list[bytes] = []
        left = max_bytes
        for pcm in self._waiting_frames():
            part = pcm[:left]
            taken.append(part)
            left -= len(part)
            if not left:
                break
        audio = b"".join(taken)
        self._next += len(audio) // BYTES_PER_SAMPLE
        return audio

    def forget(self, before: int) -> None:
        """A final result covers everything before this position; whole frames are dropped."""
        limit = min(before, self._next)
        while self._frames and self._first + len(self._frames[0]) // BYTES_PER_SAMPLE <= limit:
            self._first += len(self._frames.popleft()) // BYTES_PER_SAMPLE

    def rewind(self) -> int:
        """Take from the oldest kept audio again; its position."""
        self._next = self._first
        return self._first

    def _waiting_frames(self) -> list[bytes]:
        """Frames from `_next` on; the first may begin inside a frame."""
        waiting: list[bytes] = []
        end = self._end
        for pcm in reversed(self._frames):
            start = end - len(pcm) // BYTES_PER_SAMPLE
            if end <= self._next:
                break
            waiting.append(pcm[max(0, self._next - start) * BYTES_PER_SAMPLE :])
            end = start
        waiting.reverse()
        return waiting

    def _drop_oldest(self) -> None:
        samples = len(self._frames.popleft()) // BYTES_PER_SAMPLE
        self._first += samples
        if self._next < self._first:
            self.dropped_samples += self._first - self._next
            self._next = self._first
