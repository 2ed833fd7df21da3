"""What happened on a call, for whoever watches it: numbered, kept in a bounded ring, followed live.

README.md has the kinds and their data. Events hold what was said, so they are behind the control
key and are never logged.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

MAX_EVENTS = 4_000
"""Kept per call; an hour of talk makes about half. The oldest go first, and `seq` shows the gap."""


@dataclass(frozen=True, slots=True)
class CallEvent:
    """One event. `seq` counts from 1 without gaps."""

    seq: int
    time_ms: int
    """Since the call's start."""
    kind: str
    data: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        """The one flat object that goes over the wire."""
        return {"kind": self.kind, "seq": self.seq, "time_ms": self.time_ms, **self.data}


class CallEvents:
    """The events of one call; `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float], max_events: int = MAX_EVENTS) -> None:
        self._clock = clock
        self._began = clock()
        self._ring: deque[CallEvent] = deque(maxlen=max_events)
        self._last = 0
        self._changed = asyncio.Event()
        self.closed = False

    def emit(self, kind: str, **data: Any) -> None:
        """Add an event. After `close` it is too late: nothing follows `call_ended`."""
        if self.closed:
            return
        self._last += 1
        elapsed = int((self._clock() - self._began) * 1000)
        self._ring.append(CallEvent(self._last, elapsed, kind, data))
        self._wake()

    def close(self) -> None:
        """No more events: those who follow come to their end."""
        self.closed = True
        self._wake()

    def since(self, seq: int) -> list[CallEvent]:
        """The events kept that come after `seq`."""
        return [event for event in self._ring if event.seq > seq]

    def newest(self, kind: str) -> CallEvent | None:
        """The newest event of a kind that is kept; cheap for what comes near the end."""
        return next((event for event in reversed(self._ring) if event.kind == kind), None)

    async def more(self, after: int) -> bool:
        """Wait until there is an event after `after`. False if none will come."""
        while self._last <= after and not self.closed:
            await self._changed.wait()
        return self._last > after

    async def follow(self, after: int = 0) -> AsyncIterator[CallEvent]:
        """Every event after `after`, then live ones, until the call ends."""
        while await self.more(after):
            for event in self.since(after):
                after = event.seq
                yield event

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
