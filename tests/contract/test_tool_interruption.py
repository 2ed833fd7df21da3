"""A caller who cuts in or hangs up while a tool runs: orchestrator, executor and store as they are."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import yaml

from agentkit import Catalog
from tests.support.executor import running_executor
from tests.support.orchestrator_rig import Line, Rig, orchestrator_rig
from tests.support.scripted_model import Answer
from tests.support.store import RunningStore, running_store
from tests.support.store_calls import acquire, create, journal
from toolkit import Effect, Registry, ToolContext

AGENTS = Path(__file__).parents[2] / "services" / "orchestrator" / "agents"
SECONDS = 10.0


@dataclass
class Work:
    """What the tools of the agent do: begin, and wait to be let go or stopped."""

    begun: asyncio.Event = field(default_factory=asyncio.Event)
    go: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    stopped: bool = False

    async def body(self, args: dict[str, Any], context: ToolContext) -> dict[str, Any]:
        self.begun.set()
        context.progress("I have found one of two.", 50)
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.stopped = True
            raise
        finally:
            self.ended.set()
        return {"message": "Found both."}


@dataclass
class Mesh:
    store: RunningStore
    rig: Rig
    work: Work

    @asynccontextmanager
    async def asked(self, tool: str, *after: str) -> AsyncIterator[Line]:
        """A call in which the model called the tool, and the tool has begun."""
        self.rig.model.will_answer(Answer(calls=[(tool, {})]), *after)
        async with self.rig.line(epoch=1) as line:
            await line.say("u1", "Look.")
            async with asyncio.timeout(SECONDS):
                await self.work.begun.wait()
            yield line

    def told(self) -> list[dict[str, Any]]:
        """What the model was last told of its tools."""
        messages = self.rig.model.messages()
        return [json.loads(m["content"]) for m in messages if m["role"] == "tool"]


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    folder = tmp_path / "agents"
    shutil.copytree(AGENTS, folder)
    path = folder / "concierge" / "agent.yaml"
    agent = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump({**agent, "tools": ["stops", "acts", "long"]}))
    return Catalog.load(str(folder), None)


@pytest.fixture
async def mesh(tmp_path: Path, catalog: Catalog) -> AsyncIterator[Mesh]:
    work, registry = Work(), Registry()
    schema = {"description": "Look.", "parameters": {"type": "object", "properties": {}}}
    acts = Effect.EFFECTFUL
    registry.register("stops", schema, work.body, effect=acts, cancellable=True)
    registry.register("acts", schema, work.body, effect=acts)
    registry.register("long", schema, work.body, effect=acts, long_running=True)
    async with (
        running_store(tmp_path / "valkey") as store,
        running_executor(registry, store.address) as executor,
        orchestrator_rig(store.address, executor.server.address, catalog) as rig,
    ):
        await create(store)
        await acquire(store, "10.0.0.1:1", "one")
        yield Mesh(store, rig, work)
        work.go.set()


async def ended(work: Work) -> None:
    async with asyncio.timeout(SECONDS):
        await work.ended.wait()


async def test_cut_off_a_cancellable_tool_stops_and_the_model_learns_it(mesh: Mesh) -> None:
    async with mesh.asked("stops", "Never mind then.") as line:
        await line.interrupt("t1")
        await ended(mesh.work)
        await line.ask("u2", "Never mind.")
    assert mesh.work.stopped
    assert [told["reason"] for told in mesh.told()] == ["CANCELLED"]


async def test_hung_up_it_stops_too(mesh: Mesh) -> None:
    async with mesh.asked("stops") as line:
        await line.hang_up()
        await ended(mesh.work)
    assert mesh.work.stopped


async def test_what_does_not_declare_it_goes_on_and_the_model_learns_what_it_did(
    mesh: Mesh,
) -> None:
    async with mesh.asked("acts", "It was done.") as line:
        await line.interrupt("t1")
        await line.say("u2", "Never mind.")
        await line.event("utterance_ack", 2)
        mesh.work.go.set()
        await line.answered("u2")
    assert not mesh.work.stopped
    assert [told["message"] for told in mesh.told()] == ["Found both."]


async def test_hung_up_what_acts_is_done_and_stored_all_the_same(mesh: Mesh) -> None:
    async with mesh.asked("acts") as line:
        await line.hang_up()
        mesh.work.go.set()
        await ended(mesh.work)
    assert not mesh.work.stopped


async def test_a_long_tool_tells_how_far_it_is_and_finishes_after_the_turn(mesh: Mesh) -> None:
    async with mesh.asked("long", "Yes?") as line:
        told = await line.until(lambda r: r.HasField("segment") and "one of two" in r.segment.text)
        assert told.segment.segment == "t1/s0"
        await line.interrupt("t1")
        await line.ask("u2", "Are you there?")
        assert [told["reason"] for told in mesh.told()] == ["STILL_RUNNING"]
        mesh.work.go.set()
        async with asyncio.timeout(SECONDS):
            for number in count(3):  # it is told to whichever turn comes next
                await line.ask(f"u{number}", "And now?")
                if "Found both." in [told["message"] for told in mesh.told()]:
                    break
    assert not mesh.work.stopped
    assert [e.event_id for e in (await journal(mesh.store)).events].count("t1/r0/0") == 1
