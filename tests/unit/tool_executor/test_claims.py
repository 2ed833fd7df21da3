"""A pod's side of claims where the store answers badly: what is stored later, and what is given up."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest

from meshkit.errors import MeshError, PeerUnreachable, Reason, unreachable
from tool_executor import claims
from tool_executor.claims import Held, Run, StoredClaims, is_claimed, run_of
from tool_executor.outcomes import Failure, Outcome, read, written
from tool_executor.requests import Request
from toolkit import Effect, Registry, Tool
from voicemesh.session.v1 import claim_pb2 as pb
from voicemesh.tools.v1.outcome_pb2 import ToolOutcome

RUN = Run("sessions/a/t1/0/0", "f", 1, rerunnable=False)
HELD = Held(RUN, "token")
OUTCOME = Outcome(result_json='{"success":true}', seconds=0.25)
AWAY = MeshError(Reason.STORE_UNAVAILABLE, "away")


class Store:
    """Stands for the fleet: answers each method as the test says, one answer after another."""

    def __init__(self, **answers: list[Any]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, Any]] = []
        self.changed = asyncio.Condition()

    async def unary(self, kind: Any, method: str, request: Any, **_: Any) -> Any:
        async with self.changed:
            self.asked.append((method, request))
            self.changed.notify_all()
        answer = self.answers[method].pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def until_asked(self, count: int) -> None:
        async with self.changed, asyncio.timeout(5):
            await self.changed.wait_for(lambda: len(self.asked) >= count)


def claims_at(store: Store, ttl: float = 60.0) -> StoredClaims:
    return StoredClaims(store, "pod-a", seconds=1.0, ttl=ttl, wait=1.0)  # type: ignore[arg-type]


def tool(effect: Effect, **declared: Any) -> Tool:
    return Registry().register("it", {}, lambda args: None, effect=effect, **declared)


def request(**changed: Any) -> Request:
    told = {"tool": "it", "session": "sessions/a", "turn": "t1", "agent": "front"}
    told |= {"request_id": RUN.request_id, "arguments_json": "{}"}
    return Request(**{**told, **changed})


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "_FIRST_WAIT", 0.001)
    monkeypatch.setattr(claims, "_LONGEST_WAIT", 0.001)


def test_what_acts_is_claimed_and_what_declares_it() -> None:
    assert is_claimed(tool(Effect.EFFECTFUL))
    assert is_claimed(tool(Effect.IDEMPOTENT, claimed=True))
    assert not is_claimed(tool(Effect.IDEMPOTENT))
    assert not is_claimed(tool(Effect.READ_ONLY))


@pytest.mark.parametrize(
    "changed",
    [
        {"tool": "other"},
        {"arguments_json": '{"a": 1}'},
        {"request_id": "sessions/a/t1/0/1"},
        {"tool": "it{", "arguments_json": "}"},
    ],
)
def test_the_fingerprint_tells_runs_apart(changed: dict[str, str]) -> None:
    acts = tool(Effect.EFFECTFUL)
    assert run_of(acts, request()) == run_of(acts, request())
    assert run_of(acts, request()).fingerprint != run_of(acts, request(**changed)).fingerprint


def test_a_fingerprint_holds_no_argument_and_takes_any_text() -> None:
    run = run_of(tool(Effect.EFFECTFUL), request(arguments_json='{"code": "1234\udcff"}'))
    assert "1234" not in run.fingerprint
    assert len(run.fingerprint) == 64


def test_only_what_acts_may_not_run_again() -> None:
    again = [run_of(tool(effect), request()).rerunnable for effect in Effect]
    assert again == [True, True, False]


@pytest.mark.parametrize(
    "outcome",
    [
        OUTCOME,
        Outcome(result_json='{"a":"\\u00e9"}', seconds=1 / 3),
        Outcome(failure=Failure("TIMED_OUT", "Later.", retryable=True), seconds=10.0000004),
        Outcome(failure=Failure("POLICY_REFUSED", "No.")),
    ],
)
def test_an_outcome_is_read_and_written_byte_for_byte(outcome: Outcome) -> None:
    once = written(outcome).SerializeToString(deterministic=True)
    again = written(read(ToolOutcome.FromString(once))).SerializeToString(deterministic=True)
    assert once == again


async def test_a_store_that_is_not_there_is_named_as_such() -> None:
    gone = unreachable(grpc.StatusCode.DEADLINE_EXCEEDED, "late", "10.0.0.1:1")
    assert isinstance(gone, PeerUnreachable)
    with pytest.raises(MeshError) as refused:
        await claims_at(Store(ClaimTool=[gone])).claim(RUN)
    assert refused.value.is_reason(Reason.STORE_UNAVAILABLE)
    assert refused.value.retry_after_seconds


async def test_each_claim_has_a_token_of_its_own() -> None:
    done = pb.ClaimToolResponse(claim=pb.ToolClaim(state="STATE_DONE", outcome=written(OUTCOME)))
    store = Store(ClaimTool=[done, done])
    for _ in range(2):
        assert await claims_at(store).claim(RUN) == OUTCOME
    tokens = {asked.claim_token for _, asked in store.asked}
    assert len(tokens) == 2
    assert all(len(token) == 32 for token in tokens)


async def test_an_outcome_that_is_not_stored_is_tried_again_until_it_is() -> None:
    store = Store(CompleteTool=[AWAY, AWAY, AWAY, pb.CompleteToolResponse()])
    kept = claims_at(store)
    assert await kept.complete(HELD, OUTCOME) == OUTCOME
    await kept.finish(5.0)
    assert [method for method, _ in store.asked] == ["CompleteTool"] * 4
    assert {asked.claim_token for _, asked in store.asked} == {"token"}
    assert not store.answers["CompleteTool"]


@pytest.mark.parametrize("reason", [Reason.SESSION_NOT_FOUND, Reason.CLAIM_NOT_FOUND])
async def test_what_can_never_be_stored_is_answered_and_given_up(reason: Reason) -> None:
    store = Store(CompleteTool=[MeshError(reason, "gone")])
    kept = claims_at(store)
    assert await kept.complete(HELD, OUTCOME) == OUTCOME
    await kept.finish(5.0)
    assert len(store.asked) == 1


async def test_it_is_given_up_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "LATE_SECONDS", 0.0)
    store = Store(CompleteTool=[AWAY])
    kept = claims_at(store)
    await kept.complete(HELD, OUTCOME)
    await kept.finish(5.0)
    assert len(store.asked) == 1


async def test_few_outcomes_wait_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "MAX_LATE", 1)
    done = pb.CompleteToolResponse()
    store = Store(CompleteTool=[AWAY, AWAY, done])
    kept = claims_at(store)
    await kept.complete(HELD, OUTCOME)
    await kept.complete(HELD, OUTCOME)
    await kept.finish(5.0)
    assert len(store.asked) == 3, "two that failed, and one that was tried again"


async def test_at_the_end_what_still_waits_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "_FIRST_WAIT", 60.0)
    kept = claims_at(Store(CompleteTool=[AWAY]))
    await kept.complete(HELD, OUTCOME)
    await kept.finish(0.0)
    await kept.finish(0.0)


async def test_the_outcome_of_whoever_took_the_claim_is_answered() -> None:
    lost = MeshError(Reason.CLAIM_LOST, "another's")
    other = Outcome(result_json='{"success":false}')
    claim = pb.ToolClaim(state="STATE_DONE", outcome=written(other))
    store = Store(CompleteTool=[lost], GetToolClaim=[pb.GetToolClaimResponse(claim=claim)])
    assert await claims_at(store).complete(HELD, OUTCOME) == other


@pytest.mark.parametrize("answer", [AWAY, pb.GetToolClaimResponse()])
async def test_or_ours_if_that_cannot_be_read(answer: Any) -> None:
    lost = MeshError(Reason.CLAIM_LOST, "another's")
    store = Store(CompleteTool=[lost], GetToolClaim=[answer])
    assert await claims_at(store).complete(HELD, OUTCOME) == OUTCOME


@pytest.mark.parametrize(
    ("answers", "goes_on"),
    [
        ([pb.RenewToolClaimResponse(), AWAY, pb.RenewToolClaimResponse()], True),
        ([MeshError(Reason.CLAIM_LOST, "another's")], False),
    ],
)
async def test_a_claim_is_renewed_until_it_is_lost(answers: list[Any], *, goes_on: bool) -> None:
    count = len(answers)
    store = Store(RenewToolClaim=answers)
    async with claims_at(store, ttl=0.003).renewed(HELD):
        await store.until_asked(count)
        if not goes_on:
            for _ in range(50):
                await asyncio.sleep(0)
            assert len(store.asked) == 1
        else:
            store.answers["RenewToolClaim"] += [pb.RenewToolClaimResponse()] * 1000
            await store.until_asked(count + 2)
    asked = len(store.asked)
    await asyncio.sleep(0)
    assert len(store.asked) == asked, "no renewal outlives the run"


async def test_a_short_run_is_not_renewed_at_all() -> None:
    store = Store()
    async with claims_at(store, ttl=60.0).renewed(HELD):
        pass
    assert store.asked == []
