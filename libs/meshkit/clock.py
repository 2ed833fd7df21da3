"""Time as a dependency, so that tests own it."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """What code that depends on time is given."""

    def monotonic(self) -> float:
        """Seconds that never go back; for measuring and for deadlines."""
        ...

    def now(self) -> datetime:
        """The wall clock, in UTC; for records that leave the process."""
        ...


class SystemClock:
    """The machine's clocks."""

    def monotonic(self) -> float:
        """Seconds of `time.monotonic`, which is also asyncio's loop time."""
        return time.monotonic()

    def now(self) -> datetime:
        """The time now, with its zone."""
        return datetime.now(UTC)
