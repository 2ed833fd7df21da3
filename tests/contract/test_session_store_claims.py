"""A tool acts at most once, whichever pod dies: claims over a real channel and a real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import Any

import pytest

from memory.embedded import EmbeddedValkey
from tests.support.store import RunningStore, Servers, replica, running_store
from tests.support.store_calls import (
    GATEWAY_A,
    S,
    acquire,
    append,
    channels,
    create,
    ended,
    get,
    journal,
    refused,
    set_verified,
)
from voicemesh.session.v1 import claim_pb2 as pb
from voicemesh.session.v1 import session_store_pb2 as ss
from voicemesh.tools.v1.outcome_pb2 import ToolFailure, ToolOutcome

RUN = f"{S}/t3/0/1"
RUNNING, DONE, UNKNOWN = 1, 2, 3
OUTCOME = ToolOutcome(result_json='{"success": true}')


@pytest.fixture
async def store(servers: Servers | None, tmp_path: Path) -> AsyncIterator[RunningStore]:
    async with running_store(tmp_path, servers=servers) as running:
        await create(running)
        yield running


def claim(store: RunningStore, holder: str = "pod-a", **fields: Any) -> Any:
    told = {"request_id": RUN, "fingerprint": "f", "holder": holder, **fields}
    return store.claims.ClaimTool(pb.ClaimToolRequest(**told))


def complete(store: RunningStore, token: str, outcome: ToolOutcome = OUTCOME) -> Any:
    request = pb.CompleteToolRequest(request_id=RUN, claim_token=token, outcome=outcome)
    return store.claims.CompleteTool(request)


def renew(store: RunningStore, token: str) -> Any:
    return store.claims.RenewToolClaim(pb.RenewToolClaimRequest(request_id=RUN, claim_token=token))


async def seen(store: RunningStore, wait_seconds: int = 0) -> pb.ToolClaim:
    request = pb.GetToolClaimRequest(request_id=RUN)
    if wait_seconds:
        request.max_wait.FromSeconds(wait_seconds)
    response: pb.GetToolClaimResponse = await store.claims.GetToolClaim(request, timeout=20)
    return response.claim


async def die(store: RunningStore) -> None:
    """The holder is not heard of any more, and time passes."""
    await store.hot.command("HSET", "voicemesh:{a}:claims", "t3/0/1:expires", "1")


async def test_the_first_may_run_and_the_second_is_told_who_does(store: RunningStore) -> None:
    first = await claim(store)
    assert first.claim_token
    assert (first.claim.state, first.claim.holder) == (RUNNING, "pod-a")
    second = await claim(store, "pod-b")
    assert not second.claim_token
    assert second.claim == first.claim


async def test_of_many_claimants_one_is_granted(store: RunningStore) -> None:
    responses = await asyncio.gather(*(claim(store, f"pod-{n}") for n in range(20)))
    assert sum(bool(response.claim_token) for response in responses) == 1


async def test_an_outcome_is_stored_journalled_and_given_to_whoever_claims_again(
    store: RunningStore,
) -> None:
    token = (await claim(store)).claim_token
    await complete(store, token)
    await complete(store, token)
    again = await claim(store, "pod-b")
    assert not again.claim_token
    assert (again.claim.state, again.claim.outcome) == (DONE, OUTCOME)
    assert await seen(store) == again.claim
    events = (await journal(store)).events
    assert [(e.event_id, e.tool.request_id, e.tool.outcome) for e in events] == [
        ("t3/r0/1", RUN, OUTCOME)
    ]


async def test_a_dead_claim_on_an_effect_is_unknown_for_ever(store: RunningStore) -> None:
    await claim(store)
    await die(store)
    for rerunnable in (False, True):
        answer = await claim(store, "pod-b", rerunnable=rerunnable)
        assert not answer.claim_token
        assert answer.claim.state == UNKNOWN


async def test_but_the_outcome_of_one_that_was_only_slow_is_taken(store: RunningStore) -> None:
    token = (await claim(store)).claim_token
    await die(store)
    assert (await claim(store, "pod-b")).claim.state == UNKNOWN
    assert (await refused(renew(store, token))).reason == "CLAIM_LOST"
    await complete(store, token)
    assert (await seen(store)).state == DONE


async def test_a_dead_claim_on_what_may_run_again_goes_to_the_next(store: RunningStore) -> None:
    old = (await claim(store, rerunnable=True)).claim_token
    await die(store)
    answer = await claim(store, "pod-b", rerunnable=True)
    assert answer.claim_token
    assert (answer.claim.state, answer.claim.holder) == (RUNNING, "pod-b")
    for call in (renew(store, old), complete(store, old)):
        assert (await refused(call)).reason == "CLAIM_LOST"
    await complete(store, answer.claim_token)


async def test_another_outcome_than_the_stored_one_is_refused(store: RunningStore) -> None:
    token = (await claim(store)).claim_token
    await complete(store, token)
    other = ToolOutcome(failure=ToolFailure(reason="TIMED_OUT"))
    assert (await refused(complete(store, token, other))).reason == "CLAIM_LOST"
    assert (await seen(store)).outcome == OUTCOME


async def test_renewing_keeps_a_claim_alive(store: RunningStore) -> None:
    answer = await claim(store)
    await die(store)
    await renew(store, answer.claim_token)
    assert (await claim(store, "pod-b")).claim.state == RUNNING
    assert (await refused(renew(store, "another"))).reason == "CLAIM_LOST"


async def test_other_arguments_under_one_id_are_a_bug(store: RunningStore) -> None:
    await claim(store)
    assert (await refused(claim(store, fingerprint="other"))).reason == "REQUEST_ID_REUSED"


async def test_a_superseded_owner_may_start_nothing_but_finish_what_it_began(
    store: RunningStore,
) -> None:
    await acquire(store, GATEWAY_A, "r1")
    token = (await claim(store, owner_epoch=1)).claim_token
    await acquire(store, GATEWAY_A, "r2")
    stale = await refused(claim(store, request_id=f"{S}/t3/0/2", owner_epoch=1))
    assert stale.reason == "CALL_OWNER_SUPERSEDED"
    await complete(store, token)
    event = (await journal(store)).events[-1]
    assert (event.event_id, event.owner_epoch) == ("t3/r0/1", 2)


async def test_nothing_starts_after_the_end_but_what_runs_is_finished(store: RunningStore) -> None:
    token = (await claim(store)).claim_token
    await append(store, ended())
    late = await refused(claim(store, request_id=f"{S}/t3/0/2"))
    assert late.reason == "SESSION_ENDED"
    await complete(store, token)
    assert (await seen(store)).state == DONE
    assert (await get(store)).last_sequence == 1  # the journal stays closed


async def test_what_was_never_claimed_is_not_found(store: RunningStore) -> None:
    calls: list[Awaitable[Any]] = [renew(store, "t"), complete(store, "t"), seen(store)]
    for call in calls:
        assert (await refused(call)).reason == "CLAIM_NOT_FOUND"


async def test_a_claim_is_read_with_what_was_proved(store: RunningStore) -> None:
    verified = (await set_verified(store, "c1", "identity")).verified
    asked = ss.GetVerifiedRequest(name=f"{S}/verified", request_id=RUN)
    assert await store.sessions.GetVerified(asked) == ss.GetVerifiedResponse(verified=verified)
    token = (await claim(store)).claim_token
    running = await store.sessions.GetVerified(asked)
    assert (running.verified, running.claim) == (verified, await seen(store))
    await complete(store, token)
    done = await store.sessions.GetVerified(asked)
    assert (done.claim.state, done.claim.outcome) == (DONE, OUTCOME)
    other = ss.GetVerifiedRequest(name=f"{S}/verified", request_id=f"{S}/t3/0/2")
    assert not (await store.sessions.GetVerified(other)).HasField("claim")


@pytest.mark.parametrize(
    ("request_id", "reason"), [("t3/0/1", "NAME_MALFORMED"), (f"{S}b/t3/0/1", "ARGUMENT_INVALID")]
)
async def test_no_claim_of_another_session_is_read(
    store: RunningStore, request_id: str, reason: str
) -> None:
    asked = ss.GetVerifiedRequest(name=f"{S}/verified", request_id=request_id)
    error = await refused(store.sessions.GetVerified(asked))
    assert (error.reason, list(error.fields)) == (reason, ["request_id"])


async def test_waiting_ends_with_the_outcome(store: RunningStore) -> None:
    token = (await claim(store)).claim_token
    waiting = asyncio.create_task(seen(store, 10))
    while not await channels(store):
        await asyncio.sleep(0)
    began = asyncio.get_running_loop().time()
    await complete(store, token)
    assert (await waiting).state == DONE
    assert asyncio.get_running_loop().time() - began < 2  # told, not found by looking again


async def test_waiting_for_a_dead_claim_ends_at_once(store: RunningStore) -> None:
    await claim(store)
    await die(store)
    began = asyncio.get_running_loop().time()
    assert (await seen(store, 10)).state == RUNNING
    assert asyncio.get_running_loop().time() - began < 2


async def test_claims_and_outcomes_need_the_disk(store: RunningStore) -> None:
    token = (await claim(store)).claim_token
    await store.keep_nothing()
    for call in (claim(store, request_id=f"{S}/t3/0/2"), complete(store, token)):
        assert (await refused(call)).reason == "STORE_NOT_DURABLE"


async def test_claims_survive_a_restart_of_redis(tmp_path: Path) -> None:
    async with EmbeddedValkey(tmp_path) as first, replica(first.url) as store:
        await create(store)
        token = (await claim(store)).claim_token
    async with EmbeddedValkey(tmp_path) as second, replica(second.url) as store:
        assert not (await claim(store, "pod-b")).claim_token
        await complete(store, token)


async def test_bad_arguments_are_refused_by_the_field(store: RunningStore) -> None:
    long_wait = pb.GetToolClaimRequest(request_id=RUN)
    long_wait.max_wait.FromSeconds(61)
    calls = {
        "fingerprint": claim(store, fingerprint=""),
        "holder": claim(store, ""),
        "owner_epoch": claim(store, owner_epoch=5),
        "claim_token": complete(store, ""),
        "outcome": complete(store, "t", ToolOutcome()),
        "max_wait": store.claims.GetToolClaim(long_wait),
    }
    for field, call in calls.items():
        error = await refused(call)
        assert (error.reason, list(error.fields)) == ("ARGUMENT_INVALID", [field])
    large = ToolOutcome(result_json="x" * (256 << 10))
    assert (await refused(complete(store, "t", large))).reason == "DOCUMENT_TOO_LARGE"
