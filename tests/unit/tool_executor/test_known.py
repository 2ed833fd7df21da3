"""What is known before a claimed tool acts, in one request of the session-store."""

from __future__ import annotations

from typing import Any, cast

import pytest

from meshkit.errors import MeshError, Reason
from meshkit.fleet import Fleet
from tool_executor.claims import Run, StoredClaims
from tool_executor.known import AskedTogether
from tool_executor.outcomes import Outcome, written
from tool_executor.policy import Verified
from tool_executor.verified import StoredVerifiedRecords
from voicemesh.session.v1 import claim_pb2 as claim_pb
from voicemesh.session.v1 import session_store_pb2 as pb
from voicemesh.session.v1.journal_event_pb2 import Proof, VerifiedRecord

RUN = Run("sessions/a/t1/0/0", "f", 1, rerunnable=False)
OUTCOME = Outcome(result_json='{"success":true}', seconds=0.25)
ALICE = Verified("alice", frozenset({"identity"}))
RECORD = VerifiedRecord(client_id="alice", proofs=[Proof(level="identity")])
DONE = claim_pb.ToolClaim(state="STATE_DONE", outcome=written(OUTCOME))
ALIVE = claim_pb.ToolClaim(state="STATE_RUNNING", holder="pod-b")


class Store:
    """Stands for the fleet: answers one request after another, as the test says."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, Any]] = []

    async def unary(self, kind: Any, method: str, request: Any, **_: Any) -> Any:
        self.asked.append((method, request))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


async def before(store: Store) -> tuple[Verified, Outcome | None]:
    fleet = cast(Fleet, store)
    claims = StoredClaims(fleet, "pod-a", seconds=1.0, ttl=60.0, wait=1.0)
    return await AskedTogether(StoredVerifiedRecords(fleet, seconds=1.0), claims).before(
        "sessions/a", RUN
    )


async def test_a_first_run_asks_once() -> None:
    store = Store(pb.GetVerifiedResponse(verified=RECORD))
    assert await before(store) == (ALICE, None)
    asked = pb.GetVerifiedRequest(name="sessions/a/verified", request_id=RUN.request_id)
    assert store.asked == [("GetVerified", asked)]


async def test_what_came_out_before_is_compared_by_claiming_again() -> None:
    store = Store(
        pb.GetVerifiedResponse(verified=RECORD, claim=DONE), claim_pb.ClaimToolResponse(claim=DONE)
    )
    assert await before(store) == (ALICE, OUTCOME)
    assert [method for method, _ in store.asked] == ["GetVerified", "ClaimTool"]
    assert store.asked[1][1].fingerprint == RUN.fingerprint


async def test_a_run_that_is_alive_elsewhere_is_waited_for() -> None:
    store = Store(
        pb.GetVerifiedResponse(verified=RECORD, claim=ALIVE),
        claim_pb.GetToolClaimResponse(claim=DONE),
        claim_pb.ClaimToolResponse(claim=DONE),
    )
    assert await before(store) == (ALICE, OUTCOME)
    assert store.asked[1][1].max_wait.ToTimedelta().total_seconds() == 1.0


async def test_without_the_store_nothing_is_known() -> None:
    with pytest.raises(MeshError) as refused:
        await before(Store(MeshError(Reason.INTERNAL_ERROR, "bug")))
    assert refused.value.is_reason(Reason.STORE_UNAVAILABLE)
