"""What Redis holds of a session, and the messages made of it. Pure.

`scripts/shared.lua` lists the keys and fields. An event is kept as it was sent, behind a header
with what the server adds, because only the script knows those parts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from meshkit.names import ToolRun, session_name, tool_request_id
from voicemesh.session.v1.claim_pb2 import ToolClaim
from voicemesh.session.v1.journal_event_pb2 import JournalEvent, VerifiedRecord
from voicemesh.session.v1.ownership_pb2 import CallOwner
from voicemesh.session.v1.session_store_pb2 import Session


def session_keys(session_id: str) -> list[str]:
    """The keys of a session, in the order in which scripts take them; one slot of a cluster."""
    parts = ("session", "journal", "ids", "context", "verified", "claims")
    return [f"voicemesh:{{{session_id}}}:{part}" for part in parts]


def channel_of(session_id: str) -> str:
    """Where a session's events are told as they are written, as `{sequence} {entry}`."""
    return f"{session_keys(session_id)[0]}:events"


def session_of(session_id: str, snapshot: Sequence[Any]) -> Session:
    """The Session in a script's snapshot: fields, context, last sequence."""
    made = Session()
    fill_session(made, session_id, snapshot)
    return made


def fill_session(session: Session, session_id: str, snapshot: Sequence[Any]) -> None:
    """Make an empty Session, where it is to be sent from, that of a snapshot."""
    fields, context, last_sequence = snapshot
    kept = {key.decode(): value for key, value in _pairs(fields)}
    session.name = session_name(session_id)
    session.scenario = kept.get("scenario", b"").decode()
    session.active_agent = kept.get("active_agent", b"").decode()
    session.context_json.update({k.decode(): text.decode() for k, text in _pairs(context)})
    session.create_time.FromMilliseconds(int(kept["created"]))
    session.update_time.FromMilliseconds(int(kept["updated"]))
    session.expire_time.FromMilliseconds(int(kept["expires"]))
    session.etag = kept["version"].decode()
    session.tenant = kept.get("tenant", b"").decode()
    session.last_sequence = int(last_sequence)
    if "address" in kept:
        session.owner.CopyFrom(
            owner_of(session_id, kept["address"], kept["epoch"], kept["owner_expiry"])
        )


def owner_of(session_id: str, address: bytes, epoch: int | bytes, expires: bytes) -> CallOwner:
    """A call's owner, from what a script tells of it."""
    return CallOwner(
        name=f"{session_name(session_id)}/owner",
        address=address.decode(),
        epoch=int(epoch),
        expire_time=timestamp(expires),
    )


def verified_of(session_id: str, etag: bytes | None, record: bytes | None) -> VerifiedRecord:
    """The verified record; an empty one with its name if there is none."""
    verified = VerifiedRecord.FromString(record or b"")
    verified.name = f"{session_name(session_id)}/verified"
    verified.etag = (etag or b"").decode()
    return verified


def run_field(run: ToolRun) -> str:
    """What the fields of a run's claim begin with."""
    return f"{run.turn}/{run.round}/{run.ordinal}"


def claim_of(run: ToolRun, told: Sequence[Any]) -> ToolClaim:
    """The claim on a run, from what a script tells of it: state, holder, expiry, outcome."""
    state, holder, expires, outcome = told
    claim = ToolClaim(
        request_id=tool_request_id(*run),
        state=f"STATE_{state.decode()}",
        holder=holder.decode(),
        expire_time=timestamp(expires),
    )
    if claim.state == ToolClaim.STATE_DONE:
        claim.outcome.ParseFromString(outcome)
    return claim


def record_body(verified: VerifiedRecord) -> bytes:
    """What is kept of a record: the same bytes for the same content."""
    kept = VerifiedRecord(client_id=verified.client_id, proofs=verified.proofs)
    return kept.SerializeToString(deterministic=True)


def event_body(event: JournalEvent) -> bytes:
    """What is kept of an event: all but what the header says."""
    kept = JournalEvent()
    kept.CopyFrom(event)
    for field in ("event_id", "sequence", "owner_epoch", "create_time"):
        kept.ClearField(field)
    return kept.SerializeToString(deterministic=True)


def event_of(sequence: int, entry: bytes) -> JournalEvent:
    """The event at a place of the journal."""
    epoch, created, event_id, body = entry.split(b" ", 3)
    event = JournalEvent.FromString(body)
    event.event_id = event_id.decode()
    event.sequence = sequence
    event.owner_epoch = int(epoch)
    event.create_time.CopyFrom(timestamp(created))
    if event.HasField("owner_changed"):
        event.owner_changed.epoch = int(epoch)
    return event


def told_event(message: bytes) -> JournalEvent:
    """The event in a message of a session's channel."""
    sequence, entry = message.split(b" ", 1)
    return event_of(int(sequence), entry)


def events_of(first_sequence: int, entries: Iterable[bytes]) -> list[JournalEvent]:
    """The events of a stretch of the journal."""
    return [event_of(first_sequence + i, entry) for i, entry in enumerate(entries)]


def timestamp(milliseconds: int | bytes) -> Timestamp:
    """A Timestamp of milliseconds since the epoch."""
    made = Timestamp()
    made.FromMilliseconds(int(milliseconds))
    return made


def _pairs(flat: Sequence[bytes]) -> Iterator[tuple[bytes, bytes]]:
    return zip(flat[::2], flat[1::2], strict=True)
