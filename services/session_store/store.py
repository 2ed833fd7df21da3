"""The operations of the session-store: each is one script, run in one round trip.

Takes checked arguments, gives messages, raises MeshError. `timeout` is what is left of the caller's
deadline, in seconds.
"""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from memory.scripts import Value
from meshkit.errors import MeshError, Reason
from meshkit.names import ToolRun
from session_store.changes import MAX_CONTEXT_KEYS, SessionChange
from session_store.index import SessionIndex
from session_store.paging import Place
from session_store.records import (
    claim_of,
    event_body,
    event_of,
    events_of,
    fill_session,
    owner_of,
    record_body,
    run_field,
    session_of,
    verified_of,
)
from session_store.refusals import accepted
from session_store.runner import ScriptRunner, milliseconds
from voicemesh.session.v1.claim_pb2 import ToolClaim
from voicemesh.session.v1.journal_event_pb2 import (
    JournalEvent,
    OwnerChanged,
    SessionEnded,
    VerifiedChanged,
    VerifiedRecord,
)
from voicemesh.session.v1.journal_pb2 import AppendEventsResponse
from voicemesh.session.v1.ownership_pb2 import CallOwner
from voicemesh.session.v1.session_store_pb2 import Session

_REPLACE_ATTEMPTS = 3


class Stretch(NamedTuple):
    """A part of a journal."""

    last_sequence: int
    """Of the whole journal."""
    ended: bool
    """Whether nothing will follow the last event."""
    events: list[JournalEvent]


class Listed(NamedTuple):
    """A page of sessions."""

    sessions: list[Session]
    following: Place | None
    """Where the next page begins; None at the end."""


class Acquired(NamedTuple):
    """A call's new owner, and the one before."""

    owner: CallOwner
    previous: CallOwner | None


class SessionStore:
    """Sessions, journals and owners.

    `journal_max_events` bounds each journal. `keep`: seconds that an expired session stays for the
    archive. `linger`: seconds until an ended session is due to go there.
    """

    def __init__(
        self,
        runner: ScriptRunner,
        index: SessionIndex,
        *,
        journal_max_events: int,
        keep: float = 0.0,
        linger: float = 0.0,
    ) -> None:
        self._run = runner.run
        self._runner, self._index = runner, index
        self._max_events = journal_max_events
        self._keep, self._linger = keep, linger

    async def create(
        self, session_id: str, change: SessionChange, request_id: str, ttl: float, timeout: float
    ) -> Session:
        """Make a session; the one that this request made before, if it did."""
        times = {"ttl": str(milliseconds(ttl)), "keep": str(milliseconds(self._keep))}
        fields = {**change.fields, **times}
        args = [request_id, 2 * len(fields), *_flat(fields), *_flat(change.context)]
        listed = self._index.listing(session_id, change.fields.get("tenant", ""), ttl)
        made = self._runner.call("create_session", session_id, args)
        _, reply = await self._runner.hot.run_together([listed, made], timeout=timeout)
        return session_of(session_id, accepted(session_id, reply))

    async def get(self, session_id: str, timeout: float) -> Session:
        """The session as it stands."""
        return session_of(session_id, await self._run("get_session", session_id, timeout=timeout))

    async def update(
        self, session_id: str, change: SessionChange, etag: str, epoch: int, timeout: float
    ) -> Session:
        """Write fields and context keys, if `etag` is empty or the session's."""
        if change.replaces_context:
            return await self._replace_context(session_id, change, etag, epoch, timeout)
        args = [
            epoch,
            etag,
            secrets.token_hex(8),
            MAX_CONTEXT_KEYS,
            change.event(),
            2 * len(change.fields),
            *_flat(change.fields),
            2 * len(change.context),
            *_flat(change.context),
            *change.removed,
        ]
        return session_of(
            session_id, await self._run("update_session", session_id, args, timeout=timeout)
        )

    async def get_verified(
        self, session_id: str, timeout: float, run: ToolRun | None = None
    ) -> tuple[VerifiedRecord, ToolClaim | None]:
        """What the session has proved; and the claim on a run, if there is one."""
        args = [run_field(run)] if run else []
        reply = await self._run("get_verified", session_id, args, timeout=timeout)
        etag, record, *claims = reply
        claim = claim_of(run, claims[0][1:5]) if run and claims else None
        return verified_of(session_id, etag, record), claim

    async def set_verified(
        self, session_id: str, verified: VerifiedRecord, timeout: float
    ) -> VerifiedRecord:
        """Replace the verified record; kept as durably as the deployment says before it returns."""
        etag = verified.etag
        new_etag = str(int(etag) + 1) if etag.isdecimal() else "1"
        body = record_body(verified)
        changed = VerifiedChanged(verified=verified_of(session_id, new_etag.encode(), body))
        event = event_body(JournalEvent(verified_changed=changed))
        args = (etag, new_etag, verified.client_id, body, event)
        reply = await self._run("set_verified", session_id, args, timeout=timeout, durable=True)
        return verified_of(session_id, *reply)

    async def append(
        self,
        session_id: str,
        events: Sequence[tuple[str, bytes]],
        ends: bool,
        epoch: int,
        timeout: float,
    ) -> AppendEventsResponse:
        """Add events, by id and body, to the end of the journal; all of the new ones or none."""
        return _appended(session_id, await self._append(session_id, events, ends, epoch, timeout))

    async def append_and_get(
        self,
        session_id: str,
        events: Sequence[tuple[str, bytes]],
        ends: bool,
        epoch: int,
        timeout: float,
    ) -> AppendEventsResponse:
        """The same, with the session as it stands then, in the same round trip."""
        return _appended(
            session_id, await self._append(session_id, events, ends, epoch, timeout, and_get=True)
        )

    async def events(
        self,
        session_id: str,
        after: int,
        timeout: float,
        *,
        limit: int = 0,
        max_bytes: int = 1 << 30,
        upto: int = 0,
    ) -> Stretch:
        """Events after a sequence: at most `limit` (0: all), `max_bytes`, and none after `upto`."""
        args = (after, limit or self._max_events, max_bytes, upto)
        last, ended, entries = await self._run("list_events", session_id, args, timeout=timeout)
        return Stretch(last, bool(ended), events_of(after + 1, entries))

    async def acquire(
        self,
        session_id: str,
        address: str,
        request_id: str,
        ttl: float,
        by_force: bool,
        timeout: float,
    ) -> Acquired:
        """Make `address` the owner of the call, under a new epoch, kept before it returns."""
        event = event_body(JournalEvent(owner_changed=OwnerChanged(address=address)))
        args = (address, request_id, milliseconds(ttl), int(by_force), event)
        reply = await self._run("acquire_call", session_id, args, timeout=timeout, durable=True)
        epoch, expires, *previous = reply
        owner = owner_of(session_id, address.encode(), epoch, expires)
        return Acquired(owner, owner_of(session_id, *previous) if previous else None)

    async def renew(self, session_id: str, epoch: int, ttl: float, timeout: float) -> CallOwner:
        """Move the expiry of an ownership."""
        args = (epoch, milliseconds(ttl))
        address, expires = await self._run("renew_call", session_id, args, timeout=timeout)
        return owner_of(session_id, address, epoch, expires)

    async def delete(self, session_id: str, reason: str, epoch: int, timeout: float) -> None:
        """End a session; one that has ended or is not there stays so."""
        ended = JournalEvent(ended=SessionEnded(reason=reason))
        try:
            event = ("ended", event_body(ended))
            await self.append(session_id, [event], True, epoch, timeout)
        except MeshError as error:
            if not error.is_reason(Reason.SESSION_ENDED, Reason.SESSION_NOT_FOUND):
                raise

    async def list(self, tenant: str, place: Place, size: int, timeout: float) -> Listed:
        """Live sessions, newest first."""
        ids, following = await self._index.page(tenant, place, size, timeout)
        calls = [self._runner.call("get_session", session_id, ()) for session_id in ids]
        replies = await self._runner.hot.run_together(calls, timeout=timeout) if calls else []
        found = zip(ids, replies, strict=True)
        sessions = [session_of(one, reply[1:]) for one, reply in found if reply[0] == b"OK"]
        return Listed(sessions, following)

    async def release(self, session_id: str, epoch: int, timeout: float) -> None:
        """Give a call up, if it is held under this epoch."""
        await self._run("release_call", session_id, [epoch], timeout=timeout)

    async def _append(
        self,
        session_id: str,
        events: Sequence[tuple[str, bytes]],
        ends: bool,
        epoch: int,
        timeout: float,
        *,
        and_get: bool = False,
    ) -> Sequence[Any]:
        args: list[Value] = [epoch, self._max_events, int(ends), int(and_get)]
        for event_id, body in events:
            args += (event_id, body)
        if not ends:
            return await self._run("append_events", session_id, args, timeout=timeout)
        # The archiver is told beside it; were that lost, it would look at the expiry.
        calls = [
            self._runner.call("append_events", session_id, args),
            self._index.hastening(session_id, self._linger),
        ]
        reply, _ = await self._runner.hot.run_together(calls, timeout=timeout)
        return accepted(session_id, reply)

    async def _replace_context(
        self, session_id: str, change: SessionChange, etag: str, epoch: int, timeout: float
    ) -> Session:
        """The journal names removed keys, so they are read first; nobody may write in between."""
        for _ in range(_REPLACE_ATTEMPTS):
            current = await self.get(session_id, timeout)
            gone = (set(current.context_json) | set(change.removed)) - set(change.context)
            known = SessionChange(change.fields, change.context, sorted(gone))
            try:
                return await self.update(session_id, known, etag or current.etag, epoch, timeout)
            except MeshError as error:
                if etag or not error.is_reason(Reason.SESSION_CONFLICT):
                    raise
                conflict = error
        raise conflict


def _flat(pairs: Mapping[str, str]) -> list[Value]:
    return list(itertools.chain.from_iterable(pairs.items()))


def _appended(session_id: str, reply: Sequence[Any]) -> AppendEventsResponse:
    """What the script says of an append: last sequence, what was there, and the session if asked."""
    last, there, *parts = reply
    existing = [event_of(int(s), e) for s, e in zip(there[::2], there[1::2], strict=True)]
    made = AppendEventsResponse(last_sequence=last, existing_events=existing)
    if parts:
        fill_session(made.session, session_id, (*parts, last))
    return made
