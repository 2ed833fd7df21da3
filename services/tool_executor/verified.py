"""What the session-store knows a caller to have proved: read before a run, written after a proof."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Protocol

from meshkit.clock import Clock, SystemClock
from meshkit.errors import MeshError, Reason
from meshkit.fleet import Fleet
from meshkit.rpc import Retry
from tool_executor.outcomes import Failure
from tool_executor.policy import OTHER_CLIENT, Verified, accept_proof
from toolkit import Proof
from voicemesh.session.v1 import session_store_pb2 as pb
from voicemesh.session.v1.claim_pb2 import ToolClaim
from voicemesh.session.v1.journal_event_pb2 import Proof as WrittenProof
from voicemesh.session.v1.journal_event_pb2 import VerifiedRecord
from voicemesh.session.v1.session_store_pb2_grpc import SessionStoreServiceStub

RETRY_AFTER_SECONDS = 0.5
NOT_WRITTEN = (
    "I am sorry, I could not complete the verification just now. Please give me a moment, and tell"
    " me your full name and the last four digits again."
)


class VerifiedRecords(Protocol):
    """Where verified records are kept."""

    async def read(self, session: str) -> Verified:
        """What `sessions/{session}` has proved. Raises MeshError: nothing may run then."""
        ...

    async def add(self, session: str, level: str, request_id: str, proof: Proof) -> Failure | None:
        """Write a proof down, durably; what the model hears if that may or can not be."""
        ...


class StoredVerifiedRecords:
    """Those of the session-store, whose reads and writes take `seconds` at most each."""

    def __init__(self, store: Fleet, *, seconds: float, clock: Clock | None = None) -> None:
        self._store, self._seconds = store, seconds
        self._clock = clock or SystemClock()

    async def read(self, session: str) -> Verified:
        """Raises SESSION_NOT_FOUND, or STORE_UNAVAILABLE for any other failure."""
        return _as_of(await self._get(session), self._clock.now())

    async def read_with_claim(
        self, session: str, request_id: str
    ) -> tuple[Verified, ToolClaim | None]:
        """The same, and the claim on a run in one request, if there is one. Raises as `read`."""
        answer = await self._answer(session, request_id)
        claim = answer.claim if answer.HasField("claim") else None
        return _as_of(answer.verified, self._clock.now()), claim

    async def add(self, session: str, level: str, request_id: str, proof: Proof) -> Failure | None:
        """A stale etag is read again and merged once; the rest is the caller's to hear."""
        try:
            return await self._add(session, level, request_id, proof)
        except MeshError as error:
            if error.is_reason(Reason.CLIENT_CHANGED):
                return Failure("POLICY_REFUSED", OTHER_CLIENT)
            return Failure("NOT_VERIFIED", NOT_WRITTEN, retryable=True)

    async def _add(self, session: str, level: str, request_id: str, proof: Proof) -> Failure | None:
        for attempt in (0, 1):
            record = await self._get(session)
            known = _as_of(record, self._clock.now())
            refused = accept_proof(proof, known)
            if refused or level in known.levels:
                return refused
            try:
                await self._set(self._with_proof(record, level, request_id, proof))
                return None
            except MeshError as error:
                if attempt or not error.is_reason(Reason.SESSION_CONFLICT):
                    raise
        raise AssertionError("the second attempt returns or raises")

    async def _get(self, session: str) -> VerifiedRecord:
        record = (await self._answer(session)).verified
        record.name = f"{session}/verified"
        return record

    async def _answer(self, session: str, request_id: str = "") -> pb.GetVerifiedResponse:
        request = pb.GetVerifiedRequest(name=f"{session}/verified", request_id=request_id)
        try:
            answer: pb.GetVerifiedResponse = await self._store.unary(
                SessionStoreServiceStub,
                "GetVerified",
                request,
                timeout=self._seconds,
                retry=Retry(),
            )
        except MeshError as error:
            raise _unreadable(error) from None
        return answer

    async def _set(self, record: VerifiedRecord) -> None:
        # Retrying is safe: the store takes the very same record again as no change.
        await self._store.unary(
            SessionStoreServiceStub,
            "SetVerified",
            pb.SetVerifiedRequest(verified=record),
            timeout=self._seconds,
            retry=Retry(),
        )

    def _with_proof(
        self, record: VerifiedRecord, level: str, request_id: str, proof: Proof
    ) -> VerifiedRecord:
        changed = VerifiedRecord()
        changed.CopyFrom(record)
        changed.client_id = proof.client_id
        written = WrittenProof(level=level, method=proof.method, request_id=request_id)
        written.prove_time.FromDatetime(self._clock.now())
        changed.proofs.append(written)
        return changed


def _as_of(record: VerifiedRecord, now: datetime) -> Verified:
    alive = [proof.level for proof in record.proofs if not _expired(proof, now)]
    return Verified(record.client_id, frozenset(alive))


def _expired(proof: WrittenProof, now: datetime) -> bool:
    if not proof.HasField("expire_time"):
        return False
    return proof.expire_time.ToDatetime(tzinfo=UTC) <= now


def _unreadable(error: MeshError) -> MeshError:
    """The session's own errors pass; of the rest the caller needs to know that nothing may run."""
    own = (Reason.SESSION_NOT_FOUND, Reason.NAME_MALFORMED, Reason.STORE_UNAVAILABLE)
    if error.is_reason(*own):
        return error
    return MeshError(
        Reason.STORE_UNAVAILABLE,
        "the verified record cannot be read, so no tool may run",
        retry_after_seconds=error.retry_after_seconds or RETRY_AFTER_SECONDS,
    )
