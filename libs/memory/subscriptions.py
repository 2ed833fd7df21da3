"""Messages of other processes: one connection for all channels that this process listens to.

    async with Subscriptions(hot) as subscriptions:
        async with subscriptions.to("channel") as feed:   # subscribed now
            message = await feed.next(timeout=30.0)

Redis forgets a message once it is sent, and a connection may break. So a feed says where something
may be missing (None), and its reader then looks for itself at what the messages are about.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Self

from redis import exceptions

from memory.hotstore import HotStore
from meshkit.errors import MeshError, Reason
from meshkit.logging import get_logger

logger = get_logger("memory.subscriptions")

MAX_WAITING_BYTES = 1 << 20
"""Most bytes that wait in one feed; a reader that is slower looks for itself."""
_READ_SECONDS = 5.0
_PAUSE_SECONDS = 0.2
_ALWAYS = b"voicemesh:listening"
"""Nothing is said there; a connection that listens to nothing would end."""
_BROKEN = (exceptions.ConnectionError, exceptions.TimeoutError, OSError)


class Feed:
    """What one listener is told, in order."""

    def __init__(self) -> None:
        self._waiting: deque[bytes] = deque()
        self._bytes = 0
        self._missed = False
        self._wake = asyncio.Event()
        self.subscribed = asyncio.Event()

    async def next(self, timeout: float) -> bytes | None:
        """The next message; None if one may be missing, or none came within `timeout` seconds."""
        try:
            async with asyncio.timeout(timeout):
                await self._wake.wait()
        except TimeoutError:
            return None
        if self._missed:
            self._clear()
            return None
        message = self._waiting.popleft()
        self._bytes -= len(message)
        if not self._waiting:
            self._wake.clear()
        return message

    def put(self, message: bytes) -> None:
        """A message came."""
        self._bytes += len(message)
        if self._bytes > MAX_WAITING_BYTES:
            self.miss()
        else:
            self._waiting.append(message)
            self._wake.set()

    def miss(self) -> None:
        """A message may have been lost."""
        self._clear()
        self._missed = True
        self._wake.set()

    def _clear(self) -> None:
        self._waiting.clear()
        self._bytes = 0
        self._missed = False
        self._wake.clear()


class Subscriptions:
    """The channels this process listens to, as an async context manager."""

    def __init__(self, hot: HotStore) -> None:
        self._hot = hot
        self._feeds: dict[bytes, set[Feed]] = {}
        self._pubsub: Any = None
        self._listened = asyncio.Event()
        self._reading: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)

    @asynccontextmanager
    async def to(self, channel: str, *, timeout: float = 2.0) -> AsyncIterator[Feed]:
        """Listen to a channel within the block: nothing said after its start is missed unsaid.

        Raises STORE_UNAVAILABLE if Redis does not confirm within `timeout` seconds.
        """
        name, feed = channel.encode(), Feed()
        feeds = self._feeds.setdefault(name, set())
        feeds.add(feed)
        self._listened.set()
        try:
            await self._confirmed(name, feed, timeout)
            yield feed
        finally:
            feeds.discard(feed)
            if not feeds and self._feeds.get(name) is feeds:
                del self._feeds[name]
                await self._tell("unsubscribe", name)

    async def _confirmed(self, name: bytes, feed: Feed, timeout: float) -> None:
        # Asked again for a channel that is there already, so that the answer is about now.
        await self._tell("subscribe", name)
        try:
            async with asyncio.timeout(timeout):
                await feed.subscribed.wait()
        except TimeoutError:
            raise MeshError(
                Reason.STORE_UNAVAILABLE,
                f"Redis at {self._hot.address} does not confirm a subscription",
                retry_after_seconds=1.0,
            ) from None

    async def _tell(self, what: str, name: bytes) -> None:
        """Say on the open connection what changed; a new connection begins with all of it."""
        if self._pubsub is not None:
            with suppress(*_BROKEN):  # the reader notices, and begins anew
                await getattr(self._pubsub, what)(name)

    async def _read(self) -> None:
        while True:
            await self._listened.wait()
            try:
                await self._read_connection()
            except Exception as error:  # whatever it was, the listeners need a new connection
                logger.warning("subscriptions broke", extra={"cause": str(error)})
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _read_connection(self) -> None:
        pubsub = await self._hot.subscriber()
        try:
            begun = {_ALWAYS, *self._feeds}
            await pubsub.subscribe(*begun)
            self._pubsub = pubsub
            if late := self._feeds.keys() - begun:
                await pubsub.subscribe(*late)
            while True:
                message = await pubsub.get_message(timeout=_READ_SECONDS)
                if message is not None:
                    self._deliver(message)
        finally:
            self._pubsub = None
            await pubsub.aclose()

    def _deliver(self, message: dict[str, Any]) -> None:
        for feed in self._feeds.get(message["channel"], ()):
            if message["type"] == "message":
                feed.put(message["data"])
            elif message["type"] == "subscribe":
                if feed.subscribed.is_set():
                    feed.miss()  # a new connection, or another listener: look, it costs little
                feed.subscribed.set()
