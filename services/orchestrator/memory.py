"""What a MemoManager remembers, kept by the session-store: a MemoStore over gRPC.

    memo = await MemoManager.from_redis_async(session_id, SessionMemory(store, epoch))

Context is the session's, key by key; the agent with the floor is the session's `active_agent`. The
history is the journal's, as the session-store shows it to a model: what is appended here goes into
the journal under names of its own, and nothing is ever taken out of it. How long a session lives is
the session-store's to say.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Sequence
from typing import Any

from memory.memo_store import HistoryEntry, Memo, MemoChanges
from meshkit.errors import MeshError, PeerUnreachable, Reason, invalid
from meshkit.fleet import Fleet
from meshkit.rpc import Retry
from voicemesh.session.v1 import journal_event_pb2 as ev
from voicemesh.session.v1 import journal_pb2, session_store_pb2
from voicemesh.session.v1.journal_pb2_grpc import JournalServiceStub
from voicemesh.session.v1.session_store_pb2 import Session
from voicemesh.session.v1.session_store_pb2_grpc import SessionStoreServiceStub

STORE_SECONDS = 2.0
MAX_MESSAGES = 500
"""Newest messages of a history that are loaded; far fewer than a MemoManager holds."""
_RETRY = Retry(attempts=3, first_seconds=0.05)
ACTIVE_AGENT = "active_agent"
"""The context key that is the session's own field."""
_ROLES = {ev.ROLE_USER: "user", ev.ROLE_ASSISTANT: "assistant", ev.ROLE_TOOL: "tool"}


class SessionMemory:
    """The memories of sessions. Writes are under `owner_epoch`, which a call with an owner needs."""

    def __init__(self, store: Fleet, owner_epoch: int = 0) -> None:
        self._store = store
        self._epoch = owner_epoch

    def load_memo(self, session_id: str) -> Memo:
        """Not possible: a channel belongs to its event loop. Raises RuntimeError."""
        raise RuntimeError("over gRPC a memory is loaded with from_redis_async, in an event loop")

    async def load_memo_async(self, session_id: str) -> Memo:
        """Context and the newest of the history; empty if there is no session."""
        try:
            session, messages = await asyncio.gather(
                self._session(session_id), self._messages(session_id)
            )
        except MeshError as error:
            if error.is_reason(Reason.SESSION_NOT_FOUND):
                return Memo()
            raise
        return memo_of(session, messages)

    async def load_value_async(self, session_id: str, key: str) -> str | None:
        """The JSON text of one context key, None if there is none."""
        try:
            return memo_of(await self._session(session_id)).context.get(key)
        except MeshError as error:
            if error.is_reason(Reason.SESSION_NOT_FOUND):
                return None
            raise

    async def save_memo_async(
        self, session_id: str, changes: MemoChanges, ttl_seconds: float
    ) -> None:
        """Write the changes: first what was said, then the context. Both may safely be repeated.

        A session that is not there is made, unless a call is to own it. `ttl_seconds` is not used.
        Raises MeshError: ARGUMENT_INVALID for entries to be cleared, SESSION_NOT_FOUND,
        CALL_OWNER_SUPERSEDED, STORE_UNAVAILABLE.
        """
        if changes.cleared:
            raise invalid("cleared", "the journal keeps what was said; erase the session instead")
        try:
            await self._save(f"sessions/{session_id}", changes)
        except MeshError as error:
            if not error.is_reason(Reason.SESSION_NOT_FOUND) or self._epoch:
                raise
            await self._create(session_id)
            await self._save(f"sessions/{session_id}", changes)

    async def _save(self, name: str, changes: MemoChanges) -> None:
        if events := [event for entry in changes.appended for event in _events(entry)]:
            append = journal_pb2.AppendEventsRequest(
                session=name, events=events, owner_epoch=self._epoch
            )
            await self._ask(JournalServiceStub, "AppendEvents", append)
        if changes.written or changes.removed:
            update = _update(name, changes)
            update.owner_epoch = self._epoch
            await self._ask(SessionStoreServiceStub, "UpdateSession", update)

    async def _create(self, session_id: str) -> None:
        request = session_store_pb2.CreateSessionRequest(
            session_id=session_id, request_id=f"memo-{session_id}"
        )
        try:
            await self._ask(SessionStoreServiceStub, "CreateSession", request)
        except MeshError as error:
            if not error.is_reason(Reason.SESSION_EXISTS):
                raise

    async def _session(self, session_id: str) -> Session:
        request = session_store_pb2.GetSessionRequest(name=f"sessions/{session_id}")
        answer = await self._ask(SessionStoreServiceStub, "GetSession", request)
        session: Session = answer.session
        return session

    async def _messages(self, session_id: str) -> list[ev.Message]:
        messages: list[ev.Message] = []
        request = journal_pb2.ListMessagesRequest(parent=f"sessions/{session_id}")
        while True:
            page = await self._ask(JournalServiceStub, "ListMessages", request)
            messages = [*messages, *page.messages][-MAX_MESSAGES:]
            if not page.next_page_token:
                return messages
            request.page_token = page.next_page_token

    async def _ask(self, stub: Any, method: str, request: Any) -> Any:
        try:
            return await self._store.unary(
                stub, method, request, timeout=STORE_SECONDS, retry=_RETRY
            )
        except PeerUnreachable as error:
            raise MeshError(
                Reason.STORE_UNAVAILABLE,
                f"the session-store does not answer: {error.reason}",
                retry_after_seconds=1.0,
            ) from None


def memo_of(session: Session, messages: Iterable[ev.Message] = ()) -> Memo:
    """A memory as the session-store tells it."""
    context = dict(session.context_json)
    if session.active_agent:
        context[ACTIVE_AGENT] = json.dumps(session.active_agent.removeprefix("agents/"))
    return Memo(
        context, _entries(list(messages), json.loads(context.get(ACTIVE_AGENT, '"default"')))
    )


def _entries(messages: Sequence[ev.Message], floor: str) -> list[HistoryEntry]:
    """What was said; the caller's words belong to the agent that answers them, or has the floor."""
    entries: list[HistoryEntry] = []
    for place in range(len(messages) - 1, -1, -1):
        message = messages[place]
        if message.role == ev.ROLE_ASSISTANT:
            floor = message.agent.removeprefix("agents/")
        elif message.role == ev.ROLE_TOOL:
            floor = _caller_of(messages, place) or floor
        if message.text:
            entry_id = f"{0:013d}-{place:06d}-{message.cause}"  # before any that has a time
            entries.append(HistoryEntry(entry_id, floor, _ROLES[message.role], message.text))
    return entries[::-1]


def _caller_of(messages: Sequence[ev.Message], place: int) -> str:
    """The agent whose tool answered: the one that spoke last before it."""
    agents = (m.agent for m in reversed(messages[:place]) if m.role == ev.ROLE_ASSISTANT)
    return next(agents, "").removeprefix("agents/")


def _events(entry: HistoryEntry) -> list[ev.JournalEvent]:
    """An entry as the journal has it. Its names cannot be those of a call's utterances and turns."""
    name = f"memo-{entry.entry_id}"
    if entry.role == "user":
        said = ev.UtteranceAccepted(utterance=name, transcript=entry.content)
        return [ev.JournalEvent(event_id=name, utterance=said)]
    if entry.role != "assistant":
        raise invalid("role", f"over gRPC a user or an assistant says something, not {entry.role}")
    segment = f"{name}/s0"
    planned = ev.SegmentPlanned(segment=segment, text=entry.content, agent=f"agents/{entry.agent}")
    heard = ev.SegmentHeard(segment=segment, heard_text_length=len(entry.content))
    return [
        ev.JournalEvent(event_id=segment, segment=planned),
        ev.JournalEvent(event_id=f"{segment}/heard", heard=heard),
    ]


def _update(name: str, changes: MemoChanges) -> session_store_pb2.UpdateSessionRequest:
    request = session_store_pb2.UpdateSessionRequest(session=Session(name=name))
    for key, text in changes.written.items():
        if key == ACTIVE_AGENT:
            request.session.active_agent = f"agents/{json.loads(text)}"
        else:
            request.session.context_json[key] = text
    for key in (*changes.written, *changes.removed):
        request.update_mask.paths.append(key if key == ACTIVE_AGENT else f"context_json.{key}")
    return request
