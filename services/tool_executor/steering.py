"""What passes between a run and those who wait for it: word to stop, and word of its progress."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from toolkit import Tool
from toolkit.tool import Report

MAX_PROGRESS_CHARACTERS = 300
"""Of one message; the rest is cut off."""

Listener = Callable[[str, int], None]
"""Takes a message and a percentage, on the loop, and does not wait."""


class Steering:
    """Runs under way, by request_id."""

    def __init__(self) -> None:
        self._stops: dict[str, asyncio.Event] = {}
        self._listeners: dict[str, list[Listener]] = {}

    @contextmanager
    def steered(self, request_id: str) -> Iterator[None]:
        """A run is under way."""
        self._stops[request_id] = asyncio.Event()
        try:
            yield
        finally:
            del self._stops[request_id]

    @contextmanager
    def listening(self, request_id: str, listener: Listener) -> Iterator[None]:
        """Somebody waits for a run, and hears of its progress."""
        listeners = self._listeners.setdefault(request_id, [])
        listeners.append(listener)
        try:
            yield
        finally:
            listeners.remove(listener)
            if not listeners:
                del self._listeners[request_id]

    def stop(self, request_id: str) -> None:
        """Ask a run to stop; nothing if it is not under way here."""
        if stop := self._stops.get(request_id):
            stop.set()

    def stop_of(self, tool: Tool, request_id: str) -> asyncio.Event | None:
        """Set when the run is to stop; None for a tool that does not declare it safe."""
        return self._stops.get(request_id) if tool.cancellable else None

    def report_of(self, tool: Tool, request_id: str) -> Report | None:
        """What the body's progress goes to, from any thread; None for a tool that is not long."""
        if not tool.long_running:
            return None
        loop = asyncio.get_running_loop()

        def tell(message: str, percent: int) -> None:
            for listener in tuple(self._listeners.get(request_id, ())):
                listener(message, percent)

        def report(message: str, percent: int) -> None:
            bounded = str(message)[:MAX_PROGRESS_CHARACTERS], max(0, min(100, int(percent)))
            try:
                loop.call_soon_threadsafe(tell, *bounded)
            except RuntimeError:
                return  # the loop closed while a thread still ran

        return report
