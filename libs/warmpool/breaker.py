"""When to ask a failing provider again: backoff, circuit breaker, half-open probe. Pure.

Takes the time with every call and knows nothing of clients. After a failure the stock waits a
jittered, doubling pause; after enough failures in a row nobody asks until that pause is over, then
one probe decides. Jitter is the "full jitter" of exponential backoff, kept above half the pause so
that a run of small draws cannot hammer the provider.
"""

from __future__ import annotations

import enum
from collections.abc import Callable


class BreakerState(enum.StrEnum):
    """Whether clients are being opened."""

    CLOSED = "closed"
    """The provider answers."""
    OPEN = "open"
    """It fails and is left alone."""
    HALF_OPEN = "half_open"
    """One probe is being opened, or may be."""


class Breaker:
    """One provider's breaker.

    `failures` in a row open it; `slow_seconds` makes a slow success count as one of them.
    `draw` gives random numbers in [0, 1).
    """

    def __init__(
        self,
        *,
        failures: int,
        backoff_seconds: float,
        max_backoff_seconds: float,
        slow_seconds: float,
        draw: Callable[[], float],
    ) -> None:
        self.state = BreakerState.CLOSED
        self.retry_at = 0.0
        """Before this time nothing is opened ahead of demand."""
        self.last_error: BaseException | None = None
        self._limit = failures
        self._backoff = backoff_seconds
        self._max_backoff = max_backoff_seconds
        self._slow_seconds = slow_seconds
        self._draw = draw
        self._streak = 0

    def permits(self, now: float) -> int | None:
        """How many opens may be in flight: None for any number.

        After a first failure opens go one at a time, the next one at once; after a second one each
        waits for the pause; while OPEN one probe is let through when the pause is over.
        """
        if self._streak == 0:
            return None
        if (self._streak > 1 or self.state is BreakerState.OPEN) and now < self.retry_at:
            return 0
        return 1

    def started(self) -> None:
        """An open that `permits` allowed has begun."""
        if self.state is BreakerState.OPEN:
            self.state = BreakerState.HALF_OPEN

    def succeeded(self, now: float, seconds: float) -> None:
        """An open ended well after `seconds`."""
        if seconds > self._slow_seconds:
            self.failed(now, TimeoutError(f"opening took {seconds:.3f} s"))
            return
        self._streak = 0
        self.state = BreakerState.CLOSED
        self.retry_at = 0.0
        self.last_error = None

    def failed(self, now: float, error: BaseException) -> None:
        """An open failed. Those in flight when the breaker opened do not lengthen its pause."""
        self.last_error = error
        if self.state is BreakerState.OPEN:
            return
        self._streak += 1
        pause = min(self._max_backoff, self._backoff * 2.0 ** min(self._streak - 1, 32))
        self.retry_at = now + pause * (0.5 + 0.5 * self._draw())
        if self._streak >= self._limit:
            self.state = BreakerState.OPEN

    def abandoned(self) -> None:
        """A probe was cancelled or throttled: the next one may go at once."""
        if self.state is BreakerState.HALF_OPEN:
            self.state = BreakerState.OPEN

    def retry_after(self, now: float) -> float:
        """Seconds until the provider is asked again; at least a millisecond."""
        return max(0.001, self.retry_at - now)
