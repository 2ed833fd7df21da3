"""Keys that the caller presses, gathered into one input. Pure. What was keyed is never logged.

An input ends with the terminator, which is not part of it, or when no key came for `timeout_seconds`.
The terminator alone is an input by itself ("press pound to go on").
"""

from __future__ import annotations

MAX_TONES = 64


class DtmfBuffer:
    """The keys of one call. Times are seconds of one monotonic clock."""

    def __init__(self, terminator: str = "#", timeout_seconds: float = 3.0) -> None:
        self._terminator = terminator
        self._timeout = timeout_seconds
        self._tones = ""
        self._last = 0.0

    @property
    def wake_at(self) -> float | None:
        """When `due` must be asked; None while nothing was keyed."""
        return self._last + self._timeout if self._tones else None

    def press(self, tone: str, now: float) -> str | None:
        """A key was pressed. The whole input if it ended it."""
        self._last = now
        if tone == self._terminator:
            return self._take() or tone
        self._tones += tone
        return self._take() if len(self._tones) >= MAX_TONES else None

    def due(self, now: float) -> str | None:
        """The whole input if no key came for long enough."""
        if self.wake_at is None or now < self.wake_at:
            return None
        return self._take()

    def _take(self) -> str:
        tones, self._tones = self._tones, ""
        return tones
