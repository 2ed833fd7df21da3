"""A conversation that moves to another pod, and one whose store goes away: nothing is lost or done
twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from meshkit.errors import MeshError, Reason
from meshkit.server import MeshServer
from meshkit.settings import MeshSettings
from meshkit.telemetry import configure_tracing
from tests.support.gateway_peers import StoreDouble, StoredSession
from tests.support.orchestrator_rig import Line, Rig, orchestrator_rig
from tests.support.otlp_sink import otlp_sink
from tests.support.scripted_model import Answer
from tests.support.store import RunningStore, running_store
from tests.support.store_calls import acquire, append, create, journal
from tests.support.tool_double import ToolDouble, tool_double
from voicemesh.orchestrator.v1 import orchestrator_pb2 as pb
from voicemesh.session.v1 import journal_event_pb2 as ev
from voicemesh.session.v1.journal_pb2_grpc import add_JournalServiceServicer_to_server
from voicemesh.session.v1.session_store_pb2_grpc import add_SessionStoreServiceServicer_to_server

COMPLETED = pb.TurnCompleted.OUTCOME_COMPLETED
FAILED = pb.TurnCompleted.OUTCOME_FAILED
BALANCE: tuple[str, dict[str, Any]] = ("get_account_summary", {})


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[RunningStore]:
    async with running_store(tmp_path) as running:
        await create(running)
        await acquire(running, "10.0.0.1:1", "one")
        yield running


@pytest.fixture
async def tools() -> AsyncIterator[ToolDouble]:
    async with tool_double() as double:
        yield double


@asynccontextmanager
async def two_pods(store: RunningStore, tools: ToolDouble) -> AsyncIterator[tuple[Rig, Rig]]:
    async with (
        orchestrator_rig(store.address, tools.address) as first,
        orchestrator_rig(store.address, tools.address) as second,
    ):
        yield first, second


async def until_journalled(store: RunningStore, *ids: str) -> None:
    async with asyncio.timeout(5):
        while not set(ids) <= {e.event_id for e in (await journal(store)).events}:
            await asyncio.sleep(0)


async def heard(store: RunningStore, segment: str, length: int) -> None:
    """What the gateway journals of a segment that was played."""
    amended = ev.SegmentHeard(segment=segment, heard_text_length=length)
    await append(store, ev.JournalEvent(event_id=f"{segment}/heard", heard=amended), epoch=1)


@asynccontextmanager
async def moved(store: RunningStore, rig: Rig) -> AsyncIterator[Line]:
    """The conversation on another pod, under a new epoch."""
    await acquire(store, "10.0.0.1:1", "two", takeover=2)
    async with rig.line(epoch=2, greeted=False) as line:
        yield line


async def test_a_conversation_goes_on_with_its_history(
    store: RunningStore, tools: ToolDouble
) -> None:
    async with two_pods(store, tools) as (first, second):
        async with first.line(epoch=1) as line:
            await line.play("t0/s0", 7)
            await heard(store, "t0/s0", 7)
            await line.ask("u1", "My name is Ann")
            await until_journalled(store, "t1/end")
            await heard(store, "t1/s0", len("You said: My name is Ann."))
        async with moved(store, second) as line:
            await line.say("u1", "My name is Ann")
            await line.event("utterance_ack")
            completed = await line.ask("u2", "Who am I?")
            assert completed.turn == "t2", "no second greeting, no second answer"
            assert [r.turn_started.turn for r in line.heard if r.HasField("turn_started")] == ["t2"]
    assert [m["content"] for m in second.model.messages()] == [
        "Welcome…",
        "My name is Ann",
        "You said: My name is Ann.",
        "Who am I?",
    ]


async def test_an_utterance_that_was_journalled_and_not_answered_is_answered(
    store: RunningStore, tools: ToolDouble
) -> None:
    async with two_pods(store, tools) as (first, second):
        first.model.will_answer(Answer(fault="hang"))
        async with first.line(epoch=1) as line:
            await heard(store, "t0/s0", 7)
            await line.say("u1", "Hello")
            await line.event("utterance_ack")
            await until_journalled(store, "t1")
        async with moved(store, second) as line:
            completed = await line.answered("u1")
            assert (completed.turn, completed.outcome) == ("t1", COMPLETED)
            assert line.segments("t1") == ["You said: Hello."]


async def test_a_turn_that_is_taken_up_links_to_the_span_it_had_on_the_pod_that_left_it(
    store: RunningStore, tools: ToolDouble
) -> None:
    with otlp_sink() as sink:
        tracing = configure_tracing("orchestrator", "1", sink.endpoint)
        async with two_pods(store, tools) as (first, second):
            first.model.will_answer(Answer(fault="hang"))
            async with first.line(epoch=1) as line:
                await heard(store, "t0/s0", 7)
                await line.say("u1", "Hello")
                await until_journalled(store, "t1")
            async with moved(store, second) as line:
                await line.answered("u1")
        await tracing.aclose()
    turns = [span for span in sink.spans if span.attributes.get("voicemesh.turn") == "t1"]
    left, taken_up = [span for span in turns if span.name == "invoke_agent concierge"]
    assert taken_up.trace != left.trace, "this rig's callers bring no trace, so each has its own"
    assert taken_up.links == ((left.trace, left.id),)
    resumed = [span.attributes["voicemesh.resumed"] for span in (left, taken_up)]
    assert (left.links, resumed) == ((), [False, True])


async def test_a_turn_goes_on_after_its_tool_without_running_it_again(
    store: RunningStore, tools: ToolDouble
) -> None:
    async with two_pods(store, tools) as (first, second):
        first.model.will_answer(Answer("One moment.", calls=[BALANCE]), Answer(fault="hang"))
        second.model.will_answer("You have 25 dollars.")
        async with first.line(epoch=1) as line:
            await heard(store, "t0/s0", 7)
            await line.say("u1", "Balance?")
            await until_journalled(store, "t1/r0/0")
        async with moved(store, second) as line:
            assert (await line.answered("u1")).outcome == COMPLETED
            assert line.segments("t1") == ["One moment.", "You have 25 dollars."]
            names = [r.segment.segment for r in line.heard if r.HasField("segment")]
            assert names == ["t1/s0", "t1/s1"]
    assert len(tools.asked) == 1
    assert "It worked." in second.model.messages()[-1]["content"]


async def test_a_tool_that_did_not_come_out_runs_under_the_id_it_had(
    store: RunningStore, tools: ToolDouble
) -> None:
    released = asyncio.Event()

    async def body(_: dict[str, Any]) -> dict[str, Any]:
        if len(tools.asked) == 1:
            await released.wait()
        return {"success": True, "message": "Done."}

    tools.bodies["get_account_summary"] = body
    async with two_pods(store, tools) as (first, second):
        first.model.will_answer(Answer(calls=[BALANCE]))
        second.model.will_answer("You have 25 dollars.")
        async with first.line(epoch=1) as line:
            await heard(store, "t0/s0", 7)
            await line.say("u1", "Balance?")
            await tools.until_asked()
        async with moved(store, second) as line:
            assert (await line.answered("u1")).outcome == COMPLETED
    assert [a.request_id for a in tools.asked] == ["sessions/a/t1/0/0"] * 2
    assert [a.owner_epoch for a in tools.asked] == [1, 2]
    assert len(second.model.requests) == 1, "the journalled round is used, not asked for again"


async def test_a_greeting_that_nobody_heard_is_said_again_under_its_name(
    store: RunningStore, tools: ToolDouble
) -> None:
    async with two_pods(store, tools) as (first, second):
        async with first.line(epoch=1):
            await until_journalled(store, "t0/end")
        async with moved(store, second) as line:
            assert (await line.answered("greeting")).turn == "t0"
            assert [r.segment.segment for r in line.heard if r.HasField("segment")] == ["t0/s0"]


# ---------------------------------------------------------------------- the store goes away


@asynccontextmanager
async def rig_on_a_store_that_can_fail(tools: ToolDouble) -> AsyncIterator[tuple[Rig, StoreDouble]]:
    double = StoreDouble()
    double.sessions["sessions/a"] = StoredSession("banking")
    server = MeshServer("session-store", MeshSettings(), port=0)
    add_SessionStoreServiceServicer_to_server(double, server.grpc)
    add_JournalServiceServicer_to_server(double, server.grpc)
    async with server:
        await server.ready()
        async with orchestrator_rig(server.address, tools.address) as rig:
            yield rig, double


AWAY = MeshError(Reason.STORE_UNAVAILABLE, "Redis is away", retry_after_seconds=0.02)


async def test_a_call_goes_on_from_memory_and_is_written_down_later(tools: ToolDouble) -> None:
    async with rig_on_a_store_that_can_fail(tools) as (rig, double), rig.line() as line:
        await double.until(lambda: "t0/end" in double.journal("a"))
        double.fail = AWAY
        assert (await line.ask("u1", "Hello")).outcome == COMPLETED
        assert line.segments("t1") == ["You said: Hello."]
        assert "utterance_ack" not in line.kinds(), "acknowledged only once it is journalled"
        double.fail = None
        await line.event("utterance_ack")
        await double.until(lambda: "t1/end" in double.journal("a"))
        ids = double.sessions["sessions/a"].ids()
    assert ids == ["t0", "t0/s0", "t0/end", "u1", "t1", "t1/s0", "t1/r0", "t1/end"]


async def test_no_tool_runs_while_its_round_cannot_be_written(
    tools: ToolDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.turn.JOURNAL_SECONDS", 0.1)
    async with rig_on_a_store_that_can_fail(tools) as (rig, double), rig.line() as line:
        double.fail = AWAY
        rig.model.will_answer(Answer(calls=[BALANCE]))
        completed = await line.ask("u1", "Balance?")
        assert (completed.outcome, completed.failure_reason) == (FAILED, "STORE_UNAVAILABLE")
        assert tools.asked == []
        double.fail = None


async def test_what_is_left_when_the_gateway_goes_is_written_behind_it(tools: ToolDouble) -> None:
    async with rig_on_a_store_that_can_fail(tools) as (rig, double):
        async with rig.line() as line:
            double.fail = AWAY
            await line.ask("u1", "Hello")
        double.fail = None
        await asyncio.wait_for(double.until(lambda: "t1/end" in double.journal("a")), 5)
