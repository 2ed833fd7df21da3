"""The operations of the session-store: each is one script, run in one round trip.

Takes checked arguments, gives messages, raises MeshError. `timeout` is what is left of the caller's
deadline, in seconds.
"""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from memory.hotstore import HotStore, Value
from memory.scripts import Script, load_script
from meshkit.errors import MeshError, Reason
from session_store.changes import MAX_CONTEXT_KEYS, SessionChange
from session_store.records import (
    event_body,
    event_of,
    events_of,
    owner_of,
    record_body,
    session_keys,
    session_of,
    verified_of,
)
from session_store.refusals import accepted
from voicemesh.session.v1.journal_event_pb2 import (
    JournalEvent,
    OwnerChanged,
    VerifiedChanged,
    VerifiedRecord,
)
from voicemesh.session.v1.ownership_pb2 import CallOwner
from voicemesh.session.v1.session_store_pb2 import Session

_REPLACE_ATTEMPTS = 3
_SCRIPTS = (
    "create_session",
    "get_session",
    "update_session",
    "get_verified",
    "set_verified",
    "append_events",
    "list_events",
    "acquire_call",
    "renew_call",
    "release_call",
)


class Appended(NamedTuple):
    """What came of an append."""

    last_sequence: int
    existing: list[JournalEvent]
    """Events that were there before."""


class Stretch(NamedTuple):
    """A part of a journal."""

    last_sequence: int
    events: list[JournalEvent]


class Acquired(NamedTuple):
    """A call's new owner, and the one before."""

    owner: CallOwner
    previous: CallOwner | None


class SessionStore:
    """Sessions, journals and owners on a HotStore. `journal_max_events` bounds each journal."""

    def __init__(self, hot: HotStore, *, journal_max_events: int) -> None:
        self._hot = hot
        self._max_events = journal_max_events
        self._scripts: dict[str, Script] = {
            name: load_script("session_store.scripts", name, shared="shared") for name in _SCRIPTS
        }

    async def create(
        self, session_id: str, change: SessionChange, request_id: str, ttl: float, timeout: float
    ) -> Session:
        """Make a session; the one that this request made before, if it did."""
        fields = {**change.fields, "ttl": str(_milliseconds(ttl))}
        args = [request_id, 2 * len(fields), *_flat(fields), *_flat(change.context)]
        return session_of(session_id, await self._run("create_session", session_id, args, timeout))

    async def get(self, session_id: str, timeout: float) -> Session:
        """The session as it stands."""
        return session_of(session_id, await self._run("get_session", session_id, (), timeout))

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
        return session_of(session_id, await self._run("update_session", session_id, args, timeout))

    async def get_verified(self, session_id: str, timeout: float) -> VerifiedRecord:
        """What the session has proved."""
        return verified_of(session_id, *await self._run("get_verified", session_id, (), timeout))

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
        reply = await self._run("set_verified", session_id, args, timeout, durable=True)
        return verified_of(session_id, *reply)

    async def append(
        self,
        session_id: str,
        events: Sequence[tuple[str, bytes]],
        ends: bool,
        epoch: int,
        timeout: float,
    ) -> Appended:
        """Add events, by id and body, to the end of the journal; all of the new ones or none."""
        args: list[Value] = [epoch, self._max_events, int(ends)]
        for event_id, body in events:
            args += (event_id, body)
        last, there = await self._run("append_events", session_id, args, timeout)
        existing = [event_of(int(s), e) for s, e in zip(there[::2], there[1::2], strict=True)]
        return Appended(last, existing)

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
        last, entries = await self._run("list_events", session_id, args, timeout)
        return Stretch(last, events_of(after + 1, entries))

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
        args = (address, request_id, _milliseconds(ttl), int(by_force), event)
        reply = await self._run("acquire_call", session_id, args, timeout, durable=True)
        epoch, expires, *previous = reply
        owner = owner_of(session_id, address.encode(), epoch, expires)
        return Acquired(owner, owner_of(session_id, *previous) if previous else None)

    async def renew(self, session_id: str, epoch: int, ttl: float, timeout: float) -> CallOwner:
        """Move the expiry of an ownership."""
        args = (epoch, _milliseconds(ttl))
        address, expires = await self._run("renew_call", session_id, args, timeout)
        return owner_of(session_id, address, epoch, expires)

    async def release(self, session_id: str, epoch: int, timeout: float) -> None:
        """Give a call up, if it is held under this epoch."""
        await self._run("release_call", session_id, (epoch,), timeout)

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

    async def _run(
        self,
        name: str,
        session_id: str,
        args: Sequence[Value],
        timeout: float,
        *,
        durable: bool = False,
    ) -> Sequence[Any]:
        keys = session_keys(session_id)
        script = self._scripts[name]
        reply = await self._hot.run(script, keys, args, timeout=timeout, durable=durable)
        return accepted(session_id, reply)


def _flat(pairs: Mapping[str, str]) -> list[Value]:
    return list(itertools.chain.from_iterable(pairs.items()))


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
