"""`kill -9` of an orchestrator around an effectful tool, alone and together with the executor: the
conversation goes on elsewhere, and the tool has acted once, or the model is told that nobody knows.

The orchestrator that dies and the executors are processes; the one that goes on is in this process.
"""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
import pytest_asyncio
import yaml

from agentkit import Catalog
from tests.support.effects import Effects, Pod, executor_process, killed, service_process
from tests.support.holding_proxy import HoldingProxy, holding_proxy
from tests.support.orchestrator_rig import Line, Rig, orchestrator_rig
from tests.support.scripted_model import Answer, scripted_model
from tests.support.store import RunningStore, running_store
from tests.support.store_calls import acquire, create
from voicemesh.orchestrator.v1 import orchestrator_pb2 as pb

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]
AGENTS = Path(__file__).parents[2] / "services" / "orchestrator" / "agents"
PAY = Answer(calls=[("pay", {"amount": 5})])
RUN = "sessions/a/t1/0/0"
SECONDS = 30.0


@pytest.fixture
def agents(tmp_path: Path) -> Path:
    """The shipped agents, who may also pay."""
    folder = tmp_path / "agents"
    shutil.copytree(AGENTS, folder)
    path = folder / "concierge" / "agent.yaml"
    agent = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump({**agent, "tools": [*agent["tools"], "pay"]}))
    return folder


@dataclass
class Scene:
    """What goes on when a pod dies."""

    store: RunningStore
    effects: Effects
    executor: Pod
    agents: Path

    @asynccontextmanager
    async def doomed(self, proxy: HoldingProxy, executor: Pod) -> AsyncIterator[None]:
        """An orchestrator process whose caller asks to pay; killed at the end of the block."""
        async with scripted_model(PAY) as model:
            environment = {
                "VOICEMESH_SESSION_STORE_TARGET": f"static:{proxy.address}",
                "VOICEMESH_TOOL_EXECUTOR_TARGET": f"static:{executor.address}",
                "VOICEMESH_MODEL_BASE_URL": model.base_url,
                "VOICEMESH_AGENTS_DIR": str(self.agents),
            }
            async with (
                service_process("orchestrator", environment) as (process, address),
                grpc.aio.insecure_channel(address) as channel,
                Line(channel) as line,
            ):
                await line.start(epoch=1)
                await line.answered("greeting")
                await line.say("u1", "Pay five dollars.")
                yield
                await killed(process)

    @asynccontextmanager
    async def goes_on(self, *answers: Answer) -> AsyncIterator[tuple[Rig, Line]]:
        """The conversation on another orchestrator and the executor that lives, under a new epoch."""
        catalog = Catalog.load(str(self.agents), None)
        await acquire(self.store, "10.0.0.1:1", "two", takeover=2)
        async with orchestrator_rig(self.store.address, self.executor.address, catalog) as rig:
            rig.model.will_answer(*answers, "It is done.")
            async with rig.line(epoch=2, greeted=False) as line:
                yield rig, line


def told(rig: Rig) -> dict[str, object]:
    """What the model was told of the tool."""
    (content,) = [m["content"] for m in rig.model.messages() if m["role"] == "tool"]
    shown: dict[str, object] = json.loads(content)
    return shown


@pytest_asyncio.fixture(loop_scope="module")
async def scene(tmp_path: Path, agents: Path) -> AsyncIterator[Scene]:
    effects = Effects(tmp_path)
    async with (
        running_store(tmp_path / "valkey") as store,
        effects.watched(),
        executor_process(store.address, effects) as executor,
    ):
        await create(store)
        await acquire(store, "10.0.0.1:1", "one")
        yield Scene(store, effects, executor, agents)


async def reached(event: asyncio.Event) -> None:
    async with asyncio.timeout(SECONDS):
        await event.wait()


async def test_killed_before_the_round_is_journalled(scene: Scene) -> None:
    """The model is asked again, and its second answer is the one that acts."""
    held = {"request_of": "AppendEvents", "marker": b"tools/pay"}
    async with (
        holding_proxy(scene.store.address, **held) as proxy,
        scene.doomed(proxy, scene.executor),
    ):
        await reached(proxy.held)
    async with scene.goes_on(PAY) as (rig, line):
        completed = await line.answered("u1")
        assert completed.outcome == pb.TurnCompleted.OUTCOME_COMPLETED
        assert len(rig.model.requests) == 2
    assert scene.effects.done == [RUN]


async def test_killed_between_journalling_a_round_and_its_tools(scene: Scene) -> None:
    held = {"answer_of": "AppendEvents", "marker": b"tools/pay"}
    async with (
        holding_proxy(scene.store.address, **held) as proxy,
        scene.doomed(proxy, scene.executor),
    ):
        await reached(proxy.held)
    assert scene.effects.done == []
    async with scene.goes_on() as (rig, line):
        await line.answered("u1")
        assert told(rig)["message"] == "It is paid."
    assert scene.effects.done == [RUN]


async def test_killed_while_the_tool_acts(scene: Scene) -> None:
    """The executor finishes what it began; the one that goes on waits for it and acts no more."""
    scene.effects.hold_at("during")
    async with holding_proxy(scene.store.address) as proxy, scene.doomed(proxy, scene.executor):
        await reached(scene.effects.reached)
    async with scene.goes_on() as (rig, line):
        await line.event("tool_call_started")
        scene.effects.go.set()
        await line.answered("u1")
        assert told(rig)["message"] == "It is paid."
    assert scene.effects.done == [RUN]


@pytest.mark.parametrize("point", ["during", "after the effect"])
async def test_killed_together_with_the_executor(scene: Scene, point: str) -> None:
    scene.effects.hold_at(point)
    async with (
        executor_process(scene.store.address, scene.effects) as executor,
        holding_proxy(scene.store.address) as proxy,
        scene.doomed(proxy, executor),
    ):
        await reached(scene.effects.reached)
        await executor.kill()
    scene.effects.hold_at("")
    async with scene.goes_on() as (rig, line):
        await line.answered("u1")
        assert told(rig)["reason"] == "OUTCOME_UNKNOWN"
        assert told(rig)["retryable"] is False
    assert scene.effects.done == ([] if point == "during" else [RUN])
