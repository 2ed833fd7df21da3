"""Reading and writing verified records: conflicts, refusals, outages."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import grpc
import pytest

from meshkit.errors import MeshError, PeerUnreachable, Reason
from meshkit.fleet import Fleet
from tool_executor.policy import Verified
from tool_executor.verified import StoredVerifiedRecords
from toolkit import Proof
from voicemesh.session.v1 import session_store_pb2 as pb
from voicemesh.session.v1.journal_event_pb2 import Proof as WrittenProof
from voicemesh.session.v1.journal_event_pb2 import VerifiedRecord

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
ALICE = Proof("alice", "name_and_last4")


class StoppedClock:
    def monotonic(self) -> float:
        return 0.0

    def now(self) -> datetime:
        return NOW


@dataclass
class Store:
    """What the fleet answers: one record with an etag, and errors to raise, each once."""

    record: VerifiedRecord = field(default_factory=VerifiedRecord)
    get_errors: list[MeshError] = field(default_factory=list)
    set_errors: list[MeshError] = field(default_factory=list)
    written: list[VerifiedRecord] = field(default_factory=list)
    meanwhile: VerifiedRecord | None = None
    """What another pod writes just before our first write."""

    async def unary(self, stub: Any, method: str, request: Any, **_: Any) -> Any:
        return self._get() if method == "GetVerified" else self._set(request.verified)

    def _get(self) -> pb.GetVerifiedResponse:
        if self.get_errors:
            raise self.get_errors.pop(0)
        return pb.GetVerifiedResponse(verified=self.record)

    def _set(self, verified: VerifiedRecord) -> pb.SetVerifiedResponse:
        if self.set_errors:
            raise self.set_errors.pop(0)
        if self.meanwhile is not None:
            self.record, self.meanwhile = self.meanwhile, None
        if verified.etag != self.record.etag:
            raise MeshError(Reason.SESSION_CONFLICT, "stale")
        self.written.append(verified)
        return pb.SetVerifiedResponse(verified=verified)


def records(store: Store) -> StoredVerifiedRecords:
    return StoredVerifiedRecords(cast(Fleet, store), seconds=1.0, clock=StoppedClock())


def record(client_id: str = "alice", etag: str = "1", **levels: timedelta | None) -> VerifiedRecord:
    """A record with these levels, each proved and expiring so long from now."""
    made = VerifiedRecord(client_id=client_id, etag=etag)
    for level, left in levels.items():
        proof = WrittenProof(level=level, method="x", request_id=f"r-{level}")
        if left is not None:
            proof.expire_time.FromDatetime(NOW + left)
        made.proofs.append(proof)
    return made


async def test_reading_counts_what_is_alive() -> None:
    second = timedelta(seconds=1)
    store = Store(record(identity=None, mfa=second, consent=-second, business_caller=second * 0))
    assert await records(store).read("sessions/a") == Verified(
        "alice", frozenset({"identity", "mfa"})
    )


async def test_nothing_proved() -> None:
    assert await records(Store()).read("sessions/a") == Verified()


@pytest.mark.parametrize(
    ("raised", "reason"),
    [
        (MeshError(Reason.SESSION_NOT_FOUND, "gone"), Reason.SESSION_NOT_FOUND),
        (
            MeshError(Reason.STORE_UNAVAILABLE, "down", retry_after_seconds=0.2),
            Reason.STORE_UNAVAILABLE,
        ),
        (MeshError(Reason.INTERNAL_ERROR, "bug"), Reason.STORE_UNAVAILABLE),
        (
            PeerUnreachable("UNAVAILABLE", "refused", code=grpc.StatusCode.UNAVAILABLE),
            Reason.STORE_UNAVAILABLE,
        ),
        (
            PeerUnreachable("DEADLINE_EXCEEDED", "late", code=grpc.StatusCode.DEADLINE_EXCEEDED),
            Reason.STORE_UNAVAILABLE,
        ),
    ],
)
async def test_what_cannot_be_read(raised: MeshError, reason: Reason) -> None:
    with pytest.raises(MeshError) as caught:
        await records(Store(get_errors=[raised])).read("sessions/a")
    assert caught.value.is_reason(reason)
    if reason is Reason.STORE_UNAVAILABLE:
        assert caught.value.retry_after_seconds


async def test_the_first_proof() -> None:
    store = Store()
    assert await records(store).add("sessions/a", "identity", "r1", ALICE) is None
    (written,) = store.written
    assert (written.name, written.client_id) == ("sessions/a/verified", "alice")
    (proof,) = written.proofs
    assert (proof.level, proof.method, proof.request_id) == ("identity", "name_and_last4", "r1")
    assert proof.prove_time.ToDatetime(tzinfo=UTC) == NOW


async def test_a_further_proof_keeps_the_others() -> None:
    store = Store(record(mfa=None))
    assert await records(store).add("sessions/a", "identity", "r1", ALICE) is None
    assert [proof.level for proof in store.written[0].proofs] == ["mfa", "identity"]


async def test_a_level_that_is_proved_is_not_written_again() -> None:
    store = Store(record(identity=None))
    assert await records(store).add("sessions/a", "identity", "r2", ALICE) is None
    assert store.written == []


async def test_an_expired_proof_is_given_anew() -> None:
    store = Store(record(identity=timedelta(seconds=-1)))
    assert await records(store).add("sessions/a", "identity", "r2", ALICE) is None
    assert [proof.request_id for proof in store.written[0].proofs] == ["r-identity", "r2"]


async def test_a_conflict_is_read_again_and_merged_once() -> None:
    store = Store(meanwhile=record(etag="7", mfa=None))
    assert await records(store).add("sessions/a", "identity", "r1", ALICE) is None
    (written,) = store.written
    assert written.etag == "7"
    assert [proof.level for proof in written.proofs] == ["mfa", "identity"]


async def test_a_second_conflict_is_told() -> None:
    stale = MeshError(Reason.SESSION_CONFLICT, "stale")
    failure = await records(Store(set_errors=[stale, stale])).add("sessions/a", "x", "r1", ALICE)
    assert failure is not None
    assert (failure.reason, failure.retryable) == ("NOT_VERIFIED", True)


async def test_another_client_meanwhile() -> None:
    store = Store(meanwhile=record("bob", etag="7", identity=None))
    failure = await records(store).add("sessions/a", "identity", "r1", ALICE)
    assert failure is not None
    assert failure.reason == "POLICY_REFUSED"
    assert store.written == []


async def test_the_store_sees_another_client_first() -> None:
    changed = MeshError(Reason.CLIENT_CHANGED, "another")
    failure = await records(Store(set_errors=[changed])).add("sessions/a", "x", "r1", ALICE)
    assert failure is not None
    assert failure.reason == "POLICY_REFUSED"


@pytest.mark.parametrize(
    "raised",
    [
        MeshError(Reason.STORE_NOT_DURABLE, "disk full"),
        MeshError(Reason.STORE_UNAVAILABLE, "down"),
        PeerUnreachable("UNAVAILABLE", "refused", code=grpc.StatusCode.UNAVAILABLE),
    ],
)
async def test_a_proof_that_is_not_kept_counts_for_nothing(raised: MeshError) -> None:
    failure = await records(Store(set_errors=[raised])).add("sessions/a", "x", "r1", ALICE)
    assert failure is not None
    assert failure.reason == "NOT_VERIFIED"
    assert "full name" in failure.message
