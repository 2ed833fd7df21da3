"""JournalService over the wire: checks a request, runs the operation, answers."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from meshkit.errors import invalid
from meshkit.names import session_id
from meshkit.streams import ServerStream
from session_store.budgets import budget
from session_store.changes import checked_events
from session_store.paging import FIRST, MAX_BYTES, Place, page_size, place_of, token_of
from session_store.projection import history
from session_store.settings import SessionStoreSettings
from session_store.store import SessionStore
from session_store.watches import SessionWatches
from voicemesh.session.v1 import journal_pb2 as pb
from voicemesh.session.v1.journal_event_pb2 import Message
from voicemesh.session.v1.journal_pb2_grpc import JournalServiceServicer

if TYPE_CHECKING:
    import grpc

    Context = grpc.aio.ServicerContext[Any, Any]


class JournalServicer(JournalServiceServicer):
    """Appends to journals, reads them, and makes the history of them."""

    def __init__(
        self, store: SessionStore, watches: SessionWatches, settings: SessionStoreSettings
    ) -> None:
        self._store, self._watches, self._settings = store, watches, settings

    async def AppendEvents(
        self, request: pb.AppendEventsRequest, context: Context
    ) -> pb.AppendEventsResponse:
        """Add the events that are not there yet."""
        name = session_id(request.session)
        events = checked_events(request.events)
        ends = request.events[-1].HasField("ended")
        append = self._store.append_and_get if request.return_session else self._store.append
        return await append(name, events, ends, request.owner_epoch, self._budget(context))

    async def ListEvents(
        self, request: pb.ListEventsRequest, context: Context
    ) -> pb.ListEventsResponse:
        """A page of the journal."""
        name = session_id(request.parent, "parent")
        if request.after_sequence < 0:
            raise invalid("after_sequence", "must not be negative")
        after = max(place_of(request.page_token).offset, request.after_sequence)
        limit, left = page_size(request.page_size), self._budget(context)
        stretch = await self._store.events(name, after, left, limit=limit, max_bytes=MAX_BYTES)
        end = after + len(stretch.events)
        more = stretch.events and end < stretch.last_sequence
        return pb.ListEventsResponse(
            events=stretch.events, next_page_token=token_of(Place(end, 0)) if more else ""
        )

    async def ListMessages(
        self, request: pb.ListMessagesRequest, context: Context
    ) -> pb.ListMessagesResponse:
        """A page of the history. Later pages are of the same moment as the first."""
        name = session_id(request.parent, "parent")
        place, size = place_of(request.page_token), page_size(request.page_size)
        stretch = await self._store.events(name, 0, self._budget(context), upto=place.upto)
        messages = history(stretch.events)
        page = _page(messages, place.offset, size)
        end = place.offset + len(page)
        following = Place(end, place.upto if place != FIRST else stretch.last_sequence)
        return pb.ListMessagesResponse(
            messages=page, next_page_token=token_of(following) if end < len(messages) else ""
        )

    async def WatchEvents(self, request: pb.WatchEventsRequest, context: Context) -> None:
        """Send the journal as it grows, with heartbeats, until the session ends."""
        name = session_id(request.parent, "parent")
        if request.after_sequence < 0:
            raise invalid("after_sequence", "must not be negative")
        interval = self._settings.heartbeat_seconds
        async with (
            ServerStream[pb.WatchEventsResponse, pb.WatchEventsRequest](
                context, pb.WatchEventsResponse, interval=interval, reads=False
            ) as stream,
            aclosing(self._watches.follow(name, request.after_sequence)) as events,
        ):
            async for event in events:
                await stream.send(pb.WatchEventsResponse(journal_event=event))

    def _budget(self, context: Context) -> float:
        return budget(context, self._settings.store_seconds)


def _page(messages: list[Message], offset: int, size: int) -> list[Message]:
    """At most `size` messages and MAX_BYTES, but one at least."""
    page: list[Message] = []
    left = MAX_BYTES
    for message in messages[offset : offset + size]:
        left -= message.ByteSize()
        if left < 0 and page:
            break
        page.append(message)
    return page
