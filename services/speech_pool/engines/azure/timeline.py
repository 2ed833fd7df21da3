"""Where the service's positions are in the caller's audio. Pure."""

from __future__ import annotations

from collections import deque

TICKS_PER_SECOND = 10_000_000
MAX_GAPS = 32
"""Insertions that are remembered one by one; what is older lies before all that is asked for."""


class Timeline:
    """Maps ticks of the audio that was sent to samples of the audio that was written.

    The two differ by rate, by where the stream begins, and by silence that was put in between.
    """

    def __init__(self, sent_hertz: int, written_hertz: int, first_sample: int) -> None:
        self._sent_hertz = sent_hertz
        self._written_hertz = written_hertz
        self._first = first_sample
        self._sent = 0
        self._before = 0
        self._gaps: deque[tuple[int, int]] = deque()

    def send(self, samples: int) -> None:
        """`samples` of the caller's audio were sent."""
        self._sent += samples

    def insert(self, samples: int) -> None:
        """`samples` of silence were sent that the caller's audio does not have."""
        self._gaps.append((self._sent, samples))
        self._sent += samples
        if len(self._gaps) > MAX_GAPS:
            self._before += self._gaps.popleft()[1]

    def sample(self, tick: int) -> int:
        """The sample at `tick`; within inserted silence, the sample where it was put in."""
        at = tick * self._sent_hertz // TICKS_PER_SECOND
        extra = sum(min(length, max(0, at - start)) for start, length in self._gaps)
        heard = max(0, at - self._before - extra)
        return self._first + heard * self._written_hertz // self._sent_hertz
