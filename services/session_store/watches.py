"""Following a session from another process: what is there, then each event as it is written.

Messages of Redis are only a fast path. Whatever is not the very next event, or whenever one may
have been lost, the journal is read again from the last event sent.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager

from memory.subscriptions import Feed, Subscriptions
from meshkit.errors import MeshError, Reason, invalid
from session_store.paging import MAX_BYTES, MAX_SIZE
from session_store.records import channel_of, told_event
from session_store.store import SessionStore, Stretch
from voicemesh.session.v1.journal_event_pb2 import JournalEvent

LOOK_SECONDS = 30.0
"""A watch that is told nothing looks for itself so often; it also finds an expired session so."""


class SessionWatches:
    """Watches on journals. `timeout`: seconds that one look at Redis may take."""

    def __init__(
        self, store: SessionStore, subscriptions: Subscriptions, *, timeout: float
    ) -> None:
        self._store, self._subscriptions = store, subscriptions
        self._timeout = timeout
        self._feeds: set[Feed] = set()
        self._draining = False

    async def drain(self) -> None:
        """End the watches; who watches goes on at another replica."""
        self._draining = True
        for feed in self._feeds:
            feed.miss()

    @asynccontextmanager
    async def feed(self, session_id: str) -> AsyncIterator[Feed]:
        """What is told of a session from now on."""
        channel = channel_of(session_id)
        async with self._subscriptions.to(channel, timeout=self._timeout) as feed:
            self._feeds.add(feed)
            try:
                yield feed
            finally:
                self._feeds.discard(feed)

    async def follow(self, session_id: str, after: int) -> AsyncGenerator[JournalEvent, None]:
        """Every event after a sequence, without a gap, until the session ends.

        Raises ARGUMENT_INVALID if the journal is shorter than `after`, SESSION_NOT_FOUND once the
        session expires, POD_DRAINING, STORE_UNAVAILABLE.
        """
        async with self.feed(session_id) as feed:
            last = after
            while True:
                stretch = await self._stretch(session_id, last)
                for event in stretch.events:
                    yield event
                last += len(stretch.events)
                if last < stretch.last_sequence:
                    continue
                if stretch.ended:
                    return
                async with aclosing(self._told(feed, last)) as told:
                    async for event in told:
                        yield event
                        last = event.sequence
                        if event.HasField("ended"):
                            return

    async def _stretch(self, session_id: str, after: int) -> Stretch:
        if self._draining:
            raise MeshError(Reason.POD_DRAINING, "this pod is shutting down; watch at another")
        stretch = await self._store.events(
            session_id, after, self._timeout, limit=MAX_SIZE, max_bytes=MAX_BYTES
        )
        if stretch.last_sequence < after:
            problem = f"the journal ends at {stretch.last_sequence}"
            raise invalid("after_sequence", problem)
        return stretch

    async def _told(self, feed: Feed, last: int) -> AsyncGenerator[JournalEvent, None]:
        """Events as they are told, until one is not the next or may be missing."""
        while (message := await feed.next(LOOK_SECONDS)) is not None:
            event = told_event(message)
            if event.sequence > last + 1:
                return
            if event.sequence == last + 1:
                last = event.sequence
                yield event
