"""How many clients to keep warm: the arrivals of one open time, at the busiest, plus a margin. Pure.

A stock is emptied by what arrives before an opened client can replace a taken one: arrival rate
times open time. The rate is measured over windows of one open time, so the product is simply the
arrivals counted in such a window, less the clients that came back in it. The highest count is
remembered and fades by half in each half-life, so a burst once seen is met warm when it comes again.
"""

from __future__ import annotations

import math
from collections import deque


class Demand:
    """Follows arrivals between `least` and `most`. With `least == most` the target is fixed."""

    __slots__ = (
        "_arrivals",
        "_faded_at",
        "_half_life",
        "_margin",
        "_most",
        "_open_seconds",
        "_peak",
        "least",
        "target",
    )

    def __init__(
        self, *, least: int, most: int, margin: int, half_life_seconds: float, now: float
    ) -> None:
        self.least = least
        self.target = least
        self._most = max(least, most)
        self._margin = margin
        self._half_life = half_life_seconds
        self._open_seconds = 1.0
        self._peak = 0.0
        self._faded_at = now
        self._arrivals: deque[float] = deque(maxlen=max(1, self._most))

    @property
    def open_seconds(self) -> float:
        """Recent mean of open times; one second until something was opened."""
        return self._open_seconds

    def opened(self, seconds: float, *, first: bool = False) -> None:
        """A client took `seconds` to open. `first` replaces the initial guess."""
        weight = 1.0 if first else 0.2
        self._open_seconds += (seconds - self._open_seconds) * weight

    def arrived(self, now: float) -> bool:
        """A session asked for a client that it did not hold. True if that raised the target."""
        arrivals = self._arrivals
        arrivals.append(now)
        horizon = now - self._open_seconds
        while arrivals[0] < horizon:
            arrivals.popleft()
        if len(arrivals) <= self._peak:
            return False
        self._peak = len(arrivals)
        return self._retarget()

    def returned(self) -> None:
        """A client came back to the stock, and makes up for one arrival."""
        if self._arrivals:
            self._arrivals.pop()

    def fade(self, now: float) -> bool:
        """Forget with time. True if that moved the target."""
        share = 0.5 ** (max(0.0, now - self._faded_at) / self._half_life)
        self._faded_at = now
        horizon = now - self._open_seconds
        current = sum(1 for arrival in self._arrivals if arrival >= horizon)
        self._peak = max(float(current), self._peak * share)
        return self._retarget()

    def set_least(self, least: int) -> bool:
        """Move the lower bound (and a lower ceiling with it). True if that moved the target."""
        fixed = self.least == self._most
        self.least = least
        self._most = least if fixed else max(least, self._most)
        return self._retarget()

    def _retarget(self) -> bool:
        # A hundredth is forgiven, so that a peak that has barely faded does not hold a whole client.
        wanted = math.ceil(self._peak - 0.01) + self._margin if self._peak >= 0.5 else 0
        target = max(self.least, min(self._most, wanted))
        moved = target != self.target
        self.target = target
        return moved
