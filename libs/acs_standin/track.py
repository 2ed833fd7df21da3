"""What each side of a call heard, frame by frame, and how evenly the agent's audio came. Pure."""

from __future__ import annotations

import wave
from dataclasses import dataclass, field
from pathlib import Path

from acs_standin.wire import FRAME_BYTES, FRAME_SECONDS, SAMPLE_RATE

_SILENCE = bytes(FRAME_BYTES)


class PlayoutBuffer:
    """Agent audio that has arrived and is being played to the caller, as ACS buffers it."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def arrive(self, pcm: bytes) -> None:
        """More audio to play."""
        self._waiting += pcm

    def stop(self) -> None:
        """StopAudio: what was not played is never heard."""
        self._waiting.clear()

    def next_frame(self) -> bytes:
        """The next 20 ms as the caller hears them; silence where nothing waits."""
        frame = bytes(self._waiting[:FRAME_BYTES])
        del self._waiting[:FRAME_BYTES]
        return frame.ljust(FRAME_BYTES, b"\0")

    @property
    def seconds(self) -> float:
        """Audio that waits to be played."""
        return len(self._waiting) / (2 * SAMPLE_RATE)


@dataclass(slots=True)
class Arrivals:
    """How late the agent's frames came, against an even 20 ms from the first of each burst.

    A burst ends when the caller would have run dry for `gap_seconds`: the agent had stopped.
    """

    gap_seconds: float = 0.2
    lateness_seconds: list[float] = field(default_factory=list)
    bursts: list[float] = field(default_factory=list)
    """When each burst began."""
    _due: float = -1.0

    def frame(self, now: float, seconds: float = FRAME_SECONDS) -> None:
        """A frame of `seconds` of audio came at `now`."""
        if self._due < 0 or now > self._due + self.gap_seconds:
            self._due = now
            self.bursts.append(now)
        self.lateness_seconds.append(max(0.0, now - self._due))
        self._due += seconds

    def stop(self) -> None:
        """StopAudio: the next frame begins a burst."""
        self._due = -1.0


class StereoRecording:
    """The call as it was: the caller on the left, what the caller heard on the right."""

    def __init__(self) -> None:
        self._left = bytearray()
        self._right = bytearray()

    def tick(self, caller: bytes, agent: bytes) -> None:
        """Add 20 ms of both."""
        self._left += caller
        self._right += agent

    @property
    def seconds(self) -> float:
        """Length so far."""
        return len(self._left) / (2 * SAMPLE_RATE)

    @property
    def caller(self) -> bytes:
        """The left channel alone, PCM."""
        return bytes(self._left)

    @property
    def agent(self) -> bytes:
        """The right channel alone, PCM."""
        return bytes(self._right)

    def write(self, path: Path) -> None:
        """Write a stereo WAV. Raises OSError."""
        frames = bytearray(2 * len(self._left))
        frames[0::4], frames[1::4] = self._left[0::2], self._left[1::2]
        frames[2::4], frames[3::4] = self._right[0::2], self._right[1::2]
        with wave.open(str(path), "wb") as out:
            out.setnchannels(2)
            out.setsampwidth(2)
            out.setframerate(SAMPLE_RATE)
            out.writeframes(bytes(frames))


def read_wav(path: Path) -> bytes:
    """16 kHz mono PCM of a WAV file. Raises ValueError with what to convert; OSError."""
    try:
        with wave.open(str(path), "rb") as source:
            shape = source.getframerate(), source.getnchannels(), source.getsampwidth()
            pcm = source.readframes(source.getnframes())
    except (wave.Error, EOFError) as error:
        raise ValueError(f"{path} is not a WAV file: {error}") from None
    if shape != (SAMPLE_RATE, 1, 2):
        raise ValueError(
            f"{path} has {shape[0]} Hz, {shape[1]} channels, {8 * shape[2]} bits;"
            " convert it first: sox IN.wav -r 16000 -c 1 -b 16 OUT.wav"
        )
    return pcm


def is_silent(pcm: bytes) -> bool:
    """Whether a frame is all zeros, which is what ACS marks as silent."""
    return not pcm.strip(b"\0")
