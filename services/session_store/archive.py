"""Where sessions go when they are over: the port, and the record that passes through it.

The record is made of what Redis held, once the session ended or expired. Storing the same session
again replaces it, because an archiver may die between the archive's yes and Redis' forgetting.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from google.protobuf.json_format import MessageToDict

from session_store.records import events_of, session_of, verified_of
from session_store.redaction import names_told, redact, redacted_context
from voicemesh.session.v1.journal_event_pb2 import JournalEvent


class ArchiveUnavailable(Exception):
    """The archive did not do it. What it did not take stays in Redis, and is offered again."""


class ArchiveRefused(ArchiveUnavailable):
    """The archive will not take this session, whatever it says to others."""


@dataclass(frozen=True, slots=True)
class ArchivedSession:
    """A session that is over."""

    session_id: str
    tenant: str
    day: str
    """Of its creation, `2026-11-24` in UTC; with the tenant the partition."""
    reason: str
    """Why it ended; `expired` if nobody said."""
    document: dict[str, Any]
    """The session, its verified record and its journal, as protobuf's JSON."""

    @property
    def client_id(self) -> str:
        """Whom the session had verified; empty: nobody."""
        return str(self.document.get("verified", {}).get("clientId", ""))


class SessionArchive(Protocol):
    """Keeps sessions that are over."""

    async def put(self, session: ArchivedSession) -> None:
        """Store it, in place of the same session stored before. Raises ArchiveUnavailable, and
        ArchiveRefused if it will not take this one later either."""
        ...

    async def sessions_of(self, client_id: str, most: int) -> list[str]:
        """At most so many sessions in which this client was verified. Raises ArchiveUnavailable."""
        ...

    async def forget(self, session_id: str) -> None:
        """Delete a session, if it is there. Raises ArchiveUnavailable."""
        ...

    async def record_erasure(self, request_id: str, day: str, record: Mapping[str, Any]) -> None:
        """Keep the record of an erasure, for ever. Raises ArchiveUnavailable."""
        ...

    async def erasure(self, request_id: str) -> dict[str, Any] | None:
        """The record of a finished erasure; None: there is none. Raises ArchiveUnavailable."""
        ...

    async def aclose(self) -> None:
        """Release what it holds."""
        ...


def archived_session(
    session_id: str, exported: Sequence[Any], *, redacted: bool
) -> ArchivedSession:
    """The record of an exported session, without what is personal if `redacted`."""
    fields, context, last, entries, etag, record = exported
    session = session_of(session_id, (fields, context, last))
    verified = verified_of(session_id, etag, record)
    events = events_of(1, entries)
    if redacted:
        names = names_told(events)
        for event in events:
            redact(event, names)
        for key in list(session.context_json):
            session.context_json[key] = redacted_context(key, session.context_json[key], names)
    created = datetime.fromtimestamp(session.create_time.seconds, UTC)
    return ArchivedSession(
        session_id=session_id,
        tenant=session.tenant,
        day=created.date().isoformat(),
        reason=_reason(events),
        document={
            "session": MessageToDict(session),
            "verified": MessageToDict(verified),
            "events": [MessageToDict(event) for event in events],
        },
    )


def _reason(events: Sequence[JournalEvent]) -> str:
    last = events[-1] if events else JournalEvent()
    return last.ended.reason if last.HasField("ended") else "expired"
