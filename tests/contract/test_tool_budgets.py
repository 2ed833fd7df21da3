"""The loop breaker and the budgets of a turn and a call hold whichever executor pod is asked."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from meshkit.errors import MeshError, Reason
from tests.support.executor import RunningExecutor, running_executor
from tests.support.orchestrator_rig import orchestrator_rig
from tests.support.scripted_model import Answer
from tests.support.store import RunningStore, running_store
from tests.support.store_calls import acquire, create
from tests.support.tool_double import SHIPPED
from toolkit import Effect, Registry
from voicemesh.tools.v1 import tool_executor_pb2 as pb

TOOL = "get_account_summary"
ROUNDS = {"max_rounds": 20}
LIMITS = {"turn_max_runs": 5, "call_max_runs": 7}


@dataclass
class Pods:
    """Two executors with the same tools; `ran` are the arguments of what they ran."""

    store: RunningStore
    executors: list[RunningExecutor]
    ran: list[dict[str, Any]]

    @property
    def targets(self) -> str:
        return ",".join(pod.server.address for pod in self.executors)


@pytest.fixture
async def pods(tmp_path: Path) -> AsyncIterator[Pods]:
    ran: list[dict[str, Any]] = []

    async def body(arguments: dict[str, Any]) -> dict[str, Any]:
        ran.append(arguments)
        return {"message": "Done."}

    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(running_store(tmp_path))
        await create(store)
        registry = Registry()
        for name in SHIPPED:
            registry.register(name, {}, body, effect=Effect.READ_ONLY)
        running = [running_executor(registry, store.address, **LIMITS) for _ in range(2)]
        executors = [await stack.enter_async_context(one) for one in running]
        yield Pods(store, executors, ran)


@pytest.mark.parametrize(
    ("earlier", "said"),
    [
        (pb.EarlierRuns(same_in_turn=3, in_turn=3, in_call=3), "same arguments"),
        (pb.EarlierRuns(in_turn=5, in_call=5), "Too many tools"),
        (pb.EarlierRuns(in_call=7), "Too many tools"),
    ],
)
async def test_a_pod_that_ran_nothing_knows_what_others_ran(
    pods: Pods, earlier: pb.EarlierRuns, said: str
) -> None:
    for pod in pods.executors:
        outcome = await pod.run(TOOL, earlier=earlier)
        assert outcome.failure.reason == "POLICY_REFUSED"
        assert said in outcome.failure.message
    assert pods.ran == []


async def test_just_below_it_runs_and_what_the_pod_counted_itself_holds_too(pods: Pods) -> None:
    pod = pods.executors[0]
    below = pb.EarlierRuns(same_in_turn=2, in_turn=4, in_call=6)
    assert (await pod.run(TOOL, earlier=below)).result_json
    for _ in range(2):
        assert (await pod.run(TOOL)).result_json
    assert (await pod.run(TOOL)).failure.reason == "POLICY_REFUSED"
    assert len(pods.ran) == 3


async def test_less_than_nothing_is_refused(pods: Pods) -> None:
    with pytest.raises(MeshError) as refused:
        await pods.executors[0].run(TOOL, earlier=pb.EarlierRuns(in_turn=-1))
    assert refused.value.is_reason(Reason.ARGUMENT_INVALID)
    assert "earlier.in_turn" in refused.value.message


def calling(*arguments: dict[str, Any]) -> list[Answer]:
    """A model that calls the tool once a round, then speaks."""
    return [*(Answer(calls=[(TOOL, given)]) for given in arguments), Answer("That is all.")]


async def test_a_model_that_goes_round_in_circles_is_stopped_across_pods(pods: Pods) -> None:
    await acquire(pods.store, "10.0.0.1:1", "one")
    async with (
        orchestrator_rig(pods.store.address, pods.targets, **ROUNDS) as rig,
        rig.line(epoch=1) as line,
    ):
        rig.model.answers.extend(calling(*[{"account_type": "savings"}] * 5))
        await line.ask("u1", "what do I have")
        results = [m for m in rig.model.requests[-1]["messages"] if m["role"] == "tool"]
    assert len(pods.ran) == 3
    told = [json.loads(result["content"]) for result in results]
    assert [one.get("reason", "") for one in told] == ["", "", "", *["POLICY_REFUSED"] * 2]


async def test_the_budgets_of_a_turn_and_a_call_hold_across_pods(pods: Pods) -> None:
    await acquire(pods.store, "10.0.0.1:1", "one")
    async with (
        orchestrator_rig(pods.store.address, pods.targets, **ROUNDS) as rig,
        rig.line(epoch=1) as line,
    ):
        rig.model.answers.extend(calling(*({"n": n} for n in range(6))))
        await line.ask("u1", "what do I have")
        assert len(pods.ran) == 5, "of a turn"
        rig.model.answers.extend(calling(*({"n": n} for n in range(3))))
        await line.ask("u2", "and now")
    assert len(pods.ran) == 6, "of a call: what was refused counts as asked for"
