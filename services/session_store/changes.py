"""What a caller may write into a session: checks, and the parts that a script takes. Pure.

Every refusal names the field and says what to write instead.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from meshkit.errors import MeshError, Reason, invalid
from meshkit.names import resource_id, session_id
from session_store.records import event_body
from voicemesh.session.v1.journal_event_pb2 import ContextChanged, JournalEvent
from voicemesh.session.v1.session_store_pb2 import Session

MAX_DOCUMENT_BYTES = 256 << 10
"""Most bytes of the events of one append, and of the context of one write."""
MAX_EVENTS = 256
"""Most events of one append."""
MAX_CONTEXT_KEYS = 256
"""Most context keys of a session."""

_CONTEXT = "context_json"
_KEY = re.compile(r"[A-Za-z0-9_.~-]{1,128}")
_EVENT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~/-]{0,199}")
_SERVER_EVENTS = frozenset({"verified_changed", "context_changed", "owner_changed"})
_SERVER_IDS = ("verified/", "context/", "owner/")


@dataclass(frozen=True, slots=True)
class SessionChange:
    """Fields and context keys to write, and keys to remove."""

    fields: Mapping[str, str] = field(default_factory=dict)
    context: Mapping[str, str] = field(default_factory=dict)
    removed: Sequence[str] = ()
    replaces_context: bool = False
    """Whether keys that are not in `context` go, whichever they are."""

    def event(self) -> bytes:
        """The body of the journal's ContextChanged; empty if no context changed."""
        if not self.context and not self.removed:
            return b""
        changed = ContextChanged(written=dict(self.context), removed=self.removed)
        return event_body(JournalEvent(context_changed=changed))


def new_session(session: Session) -> SessionChange:
    """What CreateSession writes. Raises ARGUMENT_INVALID, NAME_MALFORMED, DOCUMENT_TOO_LARGE."""
    _check_names(session)
    if len(session.tenant) > 128:
        raise invalid("session.tenant", "at most 128 characters")
    fields = {
        "scenario": session.scenario,
        "active_agent": session.active_agent,
        "tenant": session.tenant,
    }
    context = dict(session.context_json)
    _check_context(context)
    return SessionChange({k: v for k, v in fields.items() if v}, context)


def masked_change(session: Session, paths: Sequence[str]) -> SessionChange:
    """What UpdateSession writes: the masked fields and no other.

    Raises ARGUMENT_INVALID for a path that is not writable, and as `new_session`.
    """
    if not paths:
        raise invalid("update_mask", "must name the fields to write")
    _check_names(session)
    fields: dict[str, str] = {}
    keys: set[str] = set()
    for path in paths:
        if path in ("scenario", "active_agent"):
            fields[path] = getattr(session, path)
        elif path.startswith(f"{_CONTEXT}."):
            keys.add(path.partition(".")[2])
        elif path != _CONTEXT:
            raise _not_writable(path)
    whole = _CONTEXT in paths
    if whole:
        keys |= set(session.context_json)
    context = {key: session.context_json[key] for key in keys & set(session.context_json)}
    removed = sorted(keys - set(context))
    _check_context(context)
    _check_keys(removed)
    return SessionChange(fields, context, removed, replaces_context=whole)


def checked_events(events: Sequence[JournalEvent]) -> list[tuple[str, bytes]]:
    """Id and body of each event of an append.

    Raises ARGUMENT_INVALID for an event that no caller may write, DOCUMENT_TOO_LARGE for too much.
    """
    if not 0 < len(events) <= MAX_EVENTS:
        raise invalid("events", f"must be 1 to {MAX_EVENTS}, not {len(events)}")
    for index, event in enumerate(events):
        _check_event(event, f"events[{index}]")
        if event.HasField("ended") and index + 1 < len(events):
            raise invalid(f"events[{index}]", "the end of the session must be the last event")
    made = [(event.event_id, event_body(event)) for event in events]
    if len({event_id for event_id, _ in made}) < len(made):
        raise invalid("events", "an event_id is there twice")
    _check_size("events", sum(len(body) for _, body in made))
    return made


def derived_session_id(request_id: str) -> str:
    """The id of a session whose creator named none: the same for a retry."""
    return hashlib.sha256(request_id.encode()).hexdigest()[:32]


def checked_id(text: str, name: str, longest: int = 200) -> str:
    """A free-form id that a caller made up. Raises ARGUMENT_INVALID, naming the field."""
    if not text or len(text) > longest or not text.isprintable():
        raise invalid(name, f"must be 1 to {longest} printable characters")
    return text


def checked_session_id(given: str, request_id: str) -> str:
    """The id to create a session under. Raises NAME_MALFORMED."""
    return session_id(f"sessions/{given or derived_session_id(request_id)}", "session_id")


def _check_event(event: JournalEvent, name: str) -> None:
    kind = event.WhichOneof("event")
    if kind is None:
        raise invalid(name, "says nothing of what happened")
    if not _EVENT_ID.fullmatch(event.event_id):
        raise invalid(f"{name}.event_id", "must be 1 to 200 of A-Z a-z 0-9 . _ ~ / -")
    if kind in _SERVER_EVENTS or event.event_id.startswith(_SERVER_IDS):
        raise invalid(name, f"{kind} with the id {event.event_id} is written by the server only")


def _check_names(session: Session) -> None:
    if session.scenario:
        resource_id("scenarios", session.scenario, "session.scenario")
    if session.active_agent:
        resource_id("agents", session.active_agent, "session.active_agent")


def _check_context(context: Mapping[str, str]) -> None:
    _check_keys(context)
    _check_size(f"session.{_CONTEXT}", sum(len(k) + len(v.encode()) for k, v in context.items()))
    for key, text in context.items():
        try:
            json.loads(text)
        except (ValueError, RecursionError):
            raise invalid(f"session.{_CONTEXT}[{key}]", "must be JSON text") from None


def _check_keys(keys: Mapping[str, str] | Sequence[str]) -> None:
    if len(keys) > MAX_CONTEXT_KEYS:
        raise invalid(f"session.{_CONTEXT}", f"at most {MAX_CONTEXT_KEYS} keys")
    for key in keys:
        if not _KEY.fullmatch(key):
            raise invalid(f"session.{_CONTEXT}", "a key must be 1 to 128 of A-Z a-z 0-9 _ . ~ -")


def _check_size(name: str, size: int) -> None:
    if size > MAX_DOCUMENT_BYTES:
        problem = f"{size} bytes; at most {MAX_DOCUMENT_BYTES} in one request"
        raise MeshError(Reason.DOCUMENT_TOO_LARGE, f"{name}: {problem}", fields={name: problem})


def _not_writable(path: str) -> MeshError:
    return invalid(
        "update_mask",
        f"{path!r} is not writable; writable are scenario, active_agent, {_CONTEXT}"
        f" and {_CONTEXT}.{{key}}",
    )
