"""Messages that plain callbacks hand to the one task that writes them to a stream."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")

MAX_ITEMS = 512


class OutboxFull(Exception):
    """The stream does not take what is written to it."""


class Outbox(Generic[Item]):
    """A bounded queue with a plain `put`."""

    def __init__(self, max_items: int = MAX_ITEMS) -> None:
        self._items: deque[Item] = deque()
        self._max = max_items
        self._more = asyncio.Event()

    def put(self, item: Item) -> None:
        """Add an item. Raises OutboxFull."""
        if len(self._items) >= self._max:
            raise OutboxFull(f"{self._max} messages wait to be sent")
        self._items.append(item)
        self._more.set()

    def clear(self) -> None:
        """Drop what was not written yet."""
        self._items.clear()

    async def drain(self, write: Callable[[Item], Awaitable[None]]) -> None:
        """Write what is there now."""
        while self._items:
            await write(self._items.popleft())

    async def run(self, write: Callable[[Item], Awaitable[None]]) -> None:
        """Write each item as it comes, for ever."""
        while True:
            await self.drain(write)
            self._more.clear()
            await self._more.wait()
