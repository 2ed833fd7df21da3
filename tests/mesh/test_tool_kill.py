"""`kill -9` of a tool-executor at each step of an effectful tool: one effect, or an outcome that says
that it is unknown; never two.

Executors are processes, the session-store is a real one on a real Valkey. What a step is held at is
either a message to the store, held by a proxy, or a point in the tool.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio

from meshkit.errors import PeerUnreachable
from tests.support.effects import Effects, Pod, executor_process
from tests.support.holding_proxy import holding_proxy
from tests.support.store import RunningStore, running_store
from tests.support.store_calls import create
from voicemesh.tools.v1 import outcome_pb2
from voicemesh.tools.v1 import tool_executor_pb2 as pb

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]
RESULT, UNKNOWN = "It is paid.", "OUTCOME_UNKNOWN"


@dataclass(frozen=True)
class Step:
    """Where the pod is killed, and what must be known afterwards."""

    name: str
    effects: int
    outcome: str
    again: bool
    """Whether a tool that may run again runs on the second pod."""
    request_of: str = ""
    answer_of: str = ""
    point: str = ""


STEPS = (
    Step("before the claim", 1, RESULT, True, request_of="ClaimTool"),
    Step("after the claim", 0, UNKNOWN, True, answer_of="ClaimTool"),
    Step("during", 0, UNKNOWN, True, point="during"),
    Step("after the effect", 1, UNKNOWN, True, point="after the effect"),
    Step("before the result is stored", 1, UNKNOWN, True, request_of="CompleteTool"),
    Step("after the result is stored", 1, RESULT, False, answer_of="CompleteTool"),
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def store(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningStore]:
    async with running_store(tmp_path_factory.mktemp("valkey")) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def effects(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Effects]:
    made = Effects(tmp_path_factory.mktemp("effects"))
    async with made.watched():
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def survivor(store: RunningStore, effects: Effects) -> AsyncIterator[Pod]:
    """The pod that is asked after the other one died."""
    async with executor_process(store.address, effects) as pod:
        yield pod


def asked(session: str, tool: str, amount: int = 1) -> pb.ExecuteToolRequest:
    return pb.ExecuteToolRequest(
        name=f"tools/{tool}",
        session=session,
        request_id=f"{session}/t1/0/0",
        agent="agents/concierge",
        arguments_json=json.dumps({"amount": amount}),
    )


async def killed_at(
    step: Step, store: RunningStore, effects: Effects, request: pb.ExecuteToolRequest
) -> None:
    """A pod that was asked, and was killed at the step."""
    effects.hold_at(step.point)
    held = {"request_of": step.request_of, "answer_of": step.answer_of}
    async with (
        holding_proxy(store.address, **held) as proxy,
        executor_process(proxy.address, effects) as pod,
    ):
        asking = asyncio.create_task(pod.send(request))
        reached = effects.reached if step.point else proxy.held
        async with asyncio.timeout(20):
            await reached.wait()
        await pod.kill()
        with pytest.raises(PeerUnreachable):
            await asking
    effects.hold_at("")


def said(outcome: outcome_pb2.ToolOutcome) -> str:
    """The message of a result, or the reason of a failure."""
    if outcome.WhichOneof("outcome") == "failure":
        return outcome.failure.reason
    return str(json.loads(outcome.result_json)["message"])


def ids(name: str) -> str:
    return name.replace(" ", "-")


@pytest.mark.parametrize("step", STEPS, ids=lambda step: ids(step.name))
async def test_an_effectful_tool(
    step: Step, store: RunningStore, effects: Effects, survivor: Pod
) -> None:
    session = (await create(store, f"pay-{ids(step.name)}")).name
    request = asked(session, "pay")
    await killed_at(step, store, effects, request)
    outcome = await survivor.send(request)
    assert said(outcome) == step.outcome
    assert effects.done.count(request.request_id) == step.effects
    assert await survivor.send(request) == outcome, "it stays as it was answered"
    assert effects.done.count(request.request_id) == step.effects


@pytest.mark.parametrize("step", STEPS, ids=lambda step: ids(step.name))
async def test_a_tool_that_may_run_again_comes_to_a_result(
    step: Step, store: RunningStore, effects: Effects, survivor: Pod
) -> None:
    session = (await create(store, f"put-{ids(step.name)}")).name
    request = asked(session, "put")
    await killed_at(step, store, effects, request)
    before = effects.done.count(request.request_id)
    outcome = await survivor.send(request)
    assert said(outcome) == RESULT
    assert effects.done.count(request.request_id) == before + step.again
