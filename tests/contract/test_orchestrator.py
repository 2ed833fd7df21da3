"""Converse over a real channel: a real session-store on Valkey, a scripted model and scripted tools."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from meshkit.errors import MeshError, Reason
from tests.support.orchestrator_rig import Line, Rig, orchestrator_rig
from tests.support.scripted_model import Answer
from tests.support.store import RunningStore, running_store
from tests.support.store_calls import acquire, create, journal
from tests.support.tool_double import BODY_SECONDS, ToolDouble, tool_double
from voicemesh.orchestrator.v1 import orchestrator_pb2 as pb
from voicemesh.tools.v1 import tool_executor_pb2 as tools_pb

Call = tuple[str, dict[str, Any]]
COMPLETED = pb.TurnCompleted.OUTCOME_COMPLETED
INTERRUPTED = pb.TurnCompleted.OUTCOME_INTERRUPTED
FAILED = pb.TurnCompleted.OUTCOME_FAILED
APOLOGY = "I am sorry, something went wrong on my side. Could you say that again?"
BALANCE: Call = ("get_account_summary", {})
TRANSACTIONS: Call = ("get_recent_transactions", {})


@dataclass
class Mesh:
    """What a test talks to."""

    rig: Rig
    store: RunningStore
    tools: ToolDouble

    async def ids(self) -> list[str]:
        """Ids of the session's journal, in order, those of the store itself left out."""
        events = (await journal(self.store)).events
        return [e.event_id for e in events if e.event_id[0] in "tu"]

    async def ids_until(self, last: str) -> list[str]:
        """The same, once `last` is among them; the end of a turn is journalled behind its telling."""
        async with asyncio.timeout(5):
            while last not in (ids := await self.ids()):
                await asyncio.sleep(0)
        return ids


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[RunningStore]:
    async with running_store(tmp_path) as running:
        await create(running)
        yield running


@pytest.fixture
async def tools() -> AsyncIterator[ToolDouble]:
    async with tool_double() as double:
        yield double


@pytest.fixture
async def mesh(store: RunningStore, tools: ToolDouble) -> AsyncIterator[Mesh]:
    async with orchestrator_rig(store.address, tools.address) as rig:
        yield Mesh(rig, store, tools)


# ---------------------------------------------------------------------- turns


async def test_the_greeting_needs_no_model(mesh: Mesh) -> None:
    async with mesh.rig.line() as line:
        assert line.kinds() == ["ready", "turn_started", "segment", "turn_completed"]
        ready, started, segment, completed = (
            getattr(r, str(r.WhichOneof("event"))) for r in line.heard
        )
    assert ready.agent == "agents/concierge"
    assert (started.turn, started.cause, started.agent) == ("t0", "greeting", "agents/concierge")
    assert segment.segment == "t0/s0"
    assert "Meridian Bank" in segment.text
    assert completed.outcome == COMPLETED
    assert not completed.HasField("first_token_latency")
    assert completed.HasField("first_segment_latency")
    assert mesh.rig.model.requests == []
    assert await mesh.ids_until("t0/end") == ["t0", "t0/s0", "t0/end"]


async def test_the_end_of_a_turn_tells_what_the_model_used(mesh: Mesh) -> None:
    mesh.rig.model.will_answer(
        Answer(calls=[("get_account_summary", "{}")], usage=(900, 12), cached=512),
        Answer("Done.", usage=(950, 4)),
    )
    async with mesh.rig.line() as line:
        completed = await line.ask("u1", "What is my balance?")
    (used,) = completed.model_usage
    assert (used.provider, used.input_tokens, used.cached_input_tokens) == ("local", 1850, 512)
    assert used.output_tokens == 16
    assert used.model
    assert completed.unmeasured_answers == 0


async def test_an_utterance_is_acknowledged_and_answered_sentence_by_sentence(mesh: Mesh) -> None:
    mesh.rig.model.will_answer("It is 1,250.50 dollars. Anything else?")
    async with mesh.rig.line() as line:
        completed = await line.ask("u1", "What is my balance?")
        started = await line.event("turn_started", 2)
        ack = await line.event("utterance_ack")
        assert ack.utterance == "u1"
        assert (started.turn, started.cause) == ("t1", "u1")
        assert line.segments("t1") == ["It is 1,250.50 dollars.", "Anything else?"]
        assert completed.outcome == COMPLETED
        first_token = completed.first_token_latency.ToTimedelta().total_seconds()
        first_segment = completed.first_segment_latency.ToTimedelta().total_seconds()
        model = completed.model_duration.ToTimedelta().total_seconds()
        assert 0 < first_token <= first_segment
        assert 0 < model <= first_segment
        assert completed.tool_duration.ToTimedelta().total_seconds() == 0
        ids = await mesh.ids_until("t1/end")
    assert set(ids[3:]) == {"u1", "t1", "t1/s0", "t1/s1", "t1/r0", "t1/end"}
    assert ids[3:5] == ["u1", "t1"]


async def test_the_model_is_told_who_it_is_what_was_said_and_what_it_may_call(mesh: Mesh) -> None:
    mesh.rig.model.will_answer("Hello.", "Good.")
    async with mesh.rig.line() as line:
        greeting = line.segments("t0")[0]
        await line.ask("u1", "Hi there")
        await line.ask("u2", "And again")
    request = mesh.rig.model.requests[-1]
    assert request["messages"][0]["role"] == "system"
    assert "Meridian Bank" in request["messages"][0]["content"]
    assert mesh.rig.model.messages() == [
        {"role": "assistant", "content": greeting},
        {"role": "user", "content": "Hi there"},
        {"role": "assistant", "content": "Hello."},
        {"role": "user", "content": "And again"},
    ]
    offered = [tool["function"]["name"] for tool in request["tools"]]
    assert offered == list(mesh.rig.deployment.catalog.agents["concierge"].tools)
    assert request["temperature"] == 0.3
    assert request["max_tokens"] == 512


async def test_facts_of_the_session_reach_the_prompt(mesh: Mesh) -> None:
    await create(mesh.store, "b", context_json={"branch": '"North"', "visits": "3"})
    async with mesh.rig.line("sessions/b") as line:
        await line.ask("u1", "Hello")
    prompt = mesh.rig.model.requests[0]["messages"][0]["content"]
    assert "branch: North" in prompt
    assert "visits: 3" in prompt


async def test_keys_are_answered_like_speech(mesh: Mesh) -> None:
    async with mesh.rig.line() as line:
        await line.say("u1", "1234", keyed=True)
        assert (await line.answered("u1")).outcome == COMPLETED
    assert mesh.rig.model.messages()[-1] == {"role": "user", "content": "1234"}


async def test_an_utterance_without_words_is_acknowledged_and_not_answered(mesh: Mesh) -> None:
    async with mesh.rig.line() as line:
        await line.say("u1", "  ")
        await line.event("utterance_ack")
        await line.ask("u2", "Hello")
        assert [r.turn_started.cause for r in line.heard if r.HasField("turn_started")] == [
            "greeting",
            "u2",
        ]


async def test_a_repeated_utterance_is_acknowledged_and_dropped(mesh: Mesh) -> None:
    async with mesh.rig.line() as line:
        await line.ask("u1", "Hello")
        await line.say("u1", "Hello")
        assert (await line.event("utterance_ack", 2)).utterance == "u1"
        await line.ask("u2", "Bye")
    assert len(mesh.rig.model.requests) == 2


# ---------------------------------------------------------------------- tools


async def test_a_tool_round(mesh: Mesh) -> None:
    journalled: list[str] = []

    async def body(arguments: dict[str, Any]) -> dict[str, Any]:
        journalled.extend(await mesh.ids())
        return {"success": True, "message": f"Account {arguments['which']}: 25 dollars."}

    mesh.tools.bodies["get_account_summary"] = body
    call = ("get_account_summary", {"which": "checking"})
    mesh.rig.model.will_answer(Answer("One moment please.", calls=[call]), "You have 25 dollars.")
    async with mesh.rig.line() as line:
        completed = await line.ask("u1", "Balance?")
        started = await line.event("tool_call_started")
        assert started.request_id == "sessions/a/t1/0/0"
        assert started.tool == "tools/get_account_summary"
        assert line.segments("t1") == ["One moment please.", "You have 25 dollars."]
        ids = await mesh.ids_until("t1/end")
    assert "t1/r0" in journalled, "the round is written before its tools run"
    assert ids.index("t1/r0") < ids.index("t1/r0/0") < ids.index("t1/r1")
    asked = mesh.tools.asked[0]
    assert (asked.session, asked.agent) == ("sessions/a", "agents/concierge")
    assert asked.arguments_json == '{"which": "checking"}'
    assistant, tool = mesh.rig.model.messages()[-2:]
    assert assistant["content"] == "One moment please."
    assert tool["tool_call_id"] == assistant["tool_calls"][0]["id"]
    assert "25 dollars" in tool["content"]
    assert completed.tool_duration.ToTimedelta().total_seconds() == 0, "something was said before"


async def test_time_in_a_tool_is_told_if_the_caller_waited_for_it(mesh: Mesh) -> None:
    mesh.rig.model.will_answer(Answer(calls=[BALANCE]), "You have 25 dollars.")
    async with mesh.rig.line() as line:
        completed = await line.ask("u1", "Balance?")
    assert completed.tool_duration.ToTimedelta().total_seconds() == BODY_SECONDS


async def test_tools_of_a_round_run_together(mesh: Mesh) -> None:
    both = asyncio.Barrier(2)

    async def body(_: dict[str, Any]) -> dict[str, Any]:
        await asyncio.wait_for(both.wait(), 5)
        return {"success": True, "message": "Done."}

    mesh.tools.bodies |= dict.fromkeys(("get_account_summary", "get_recent_transactions"), body)
    mesh.rig.model.will_answer(Answer(calls=[BALANCE, TRANSACTIONS]), "Both are done.")
    async with mesh.rig.line() as line:
        assert (await line.ask("u1", "Both?")).outcome == COMPLETED
        ids = await mesh.ids_until("t1/end")
    assert [a.request_id for a in sorted(mesh.tools.asked, key=lambda a: a.request_id)] == [
        "sessions/a/t1/0/0",
        "sessions/a/t1/0/1",
    ]
    assert {"t1/r0/0", "t1/r0/1"} <= set(ids)
    names = [m["tool_call_id"] for m in mesh.rig.model.messages() if m["role"] == "tool"]
    assert len(set(names)) == 2


async def test_a_refused_run_is_sent_again_under_the_same_id(mesh: Mesh) -> None:
    mesh.tools.refuse = [
        MeshError(Reason.POD_DRAINING, "leaving"),
        MeshError(Reason.TOOL_CONCURRENCY_EXCEEDED, "busy", retry_after_seconds=0.01),
    ]
    mesh.rig.model.will_answer(Answer(calls=[BALANCE]), "You have 25 dollars.")
    async with mesh.rig.line() as line:
        assert (await line.ask("u1", "Balance?")).outcome == COMPLETED
    assert [a.request_id for a in mesh.tools.asked] == ["sessions/a/t1/0/0"] * 3


async def test_a_tool_executor_that_does_not_answer_is_told_to_the_model(mesh: Mesh) -> None:
    mesh.tools.refuse = [MeshError(Reason.STORE_UNAVAILABLE, "away")] * 3
    mesh.rig.model.will_answer(Answer(calls=[BALANCE]), "I cannot look that up now.")
    async with mesh.rig.line() as line:
        assert (await line.ask("u1", "Balance?")).outcome == COMPLETED
        assert line.segments("t1") == ["I cannot look that up now."]
    told = mesh.rig.model.messages()[-1]
    assert told["role"] == "tool"
    assert '"TOOLS_UNAVAILABLE"' in told["content"]


async def test_a_model_that_will_not_hear_that_tools_are_away(mesh: Mesh) -> None:
    mesh.tools.refuse = [MeshError(Reason.STORE_UNAVAILABLE, "away")] * 6
    mesh.rig.model.will_answer(Answer(calls=[BALANCE]), Answer(calls=[BALANCE]))
    async with mesh.rig.line() as line:
        completed = await line.ask("u1", "Balance?")
        assert (completed.outcome, completed.failure_reason) == (FAILED, "TOOLS_UNAVAILABLE")
        assert line.segments("t1") == [APOLOGY]


async def test_a_tool_that_takes_too_long(store: RunningStore, tools: ToolDouble) -> None:
    async def body(_: dict[str, Any]) -> dict[str, Any]:
        await asyncio.Event().wait()
        return {}

    tools.bodies["get_account_summary"] = body
    async with orchestrator_rig(store.address, tools.address, tool_seconds=0.2) as rig:
        rig.model.will_answer(Answer(calls=[BALANCE]), "That took too long.")
        async with rig.line() as line:
            assert (await line.ask("u1", "Balance?")).outcome == COMPLETED
    assert '"TIMED_OUT"' in rig.model.messages()[-1]["content"]


async def test_a_model_that_only_calls_tools_is_stopped(mesh: Mesh) -> None:
    mesh.rig.model.otherwise = lambda _: Answer(calls=[BALANCE])
    async with mesh.rig.line() as line:
        completed = await line.ask("u1", "Balance?")
        assert (completed.outcome, completed.failure_reason) == (FAILED, "ROUNDS_EXCEEDED")
        assert line.segments("t1") == [APOLOGY]
    assert len(mesh.tools.asked) == mesh.rig.deployment.settings.max_rounds


# ---------------------------------------------------------------------- interruptions


async def test_an_interruption_stops_the_model_and_what_was_not_heard_was_not_said(
    mesh: Mesh,
) -> None:
    mesh.rig.model.will_answer(
        Answer("Your balance is 25 dollars. And there is more to ", fault="stall"), "Sure."
    )
    async with mesh.rig.line() as line:
        await line.say("u1", "Balance?")
        await line.until(lambda r: r.segment.segment == "t1/s0")
        await line.play("t1/s0", len("Your balance"), interrupted=True)
        await line.interrupt("t1")
        completed = await line.answered("u1")
        assert (completed.turn, completed.outcome) == ("t1", INTERRUPTED)
        assert completed.failure_reason == ""
        await asyncio.wait_for(mesh.rig.model.left.wait(), 5)
        await line.ask("u2", "Wait, stop.")
        assert await mesh.ids_until("t1/end")
    assert mesh.rig.model.messages()[-2:] == [
        {"role": "assistant", "content": "Your balance…"},
        {"role": "user", "content": "Wait, stop."},
    ]


async def test_a_turn_may_be_interrupted_after_it_was_said(mesh: Mesh) -> None:
    mesh.rig.model.will_answer("One sentence. Another sentence.", "Yes.")
    async with mesh.rig.line() as line:
        await line.ask("u1", "Hello")
        await line.play("t1/s0", len("One sentence."))
        await line.interrupt("t1")
        await line.ask("u2", "Stop")
        assert [r.turn_completed.turn for r in line.heard if r.HasField("turn_completed")] == [
            "t0",
            "t1",
            "t2",
        ]
    assert mesh.rig.model.messages()[-2]["content"] == "One sentence."


async def test_an_interruption_of_a_turn_that_is_long_over_changes_nothing(mesh: Mesh) -> None:
    async with mesh.rig.line() as line:
        await line.interrupt("t0")
        await line.interrupt("t99")
        assert (await line.ask("u1", "Hello")).outcome == COMPLETED


async def test_who_goes_on_speaking_is_answered_once_for_both(mesh: Mesh) -> None:
    mesh.rig.model.will_answer(Answer(fault="hang"), "To both, yes.")
    async with mesh.rig.line() as line:
        await line.say("u1", "I would like")
        await asyncio.wait_for(mesh.rig.model.asked.wait(), 5)
        await line.say("u2", "my balance please")
        assert (await line.answered("u1")).outcome == INTERRUPTED
        assert (await line.answered("u2")).outcome == COMPLETED
        assert line.segments("t1") == []
        assert line.segments("t2") == ["To both, yes."]
    said = [m["content"] for m in mesh.rig.model.messages() if m["role"] == "user"]
    assert said == ["I would like", "my balance please"]


async def test_utterances_during_an_answer_wait_and_are_answered_together(mesh: Mesh) -> None:
    mesh.rig.model.will_answer(Answer("First part. Second ", fault="stall"), "To both, yes.")
    async with mesh.rig.line() as line:
        await line.say("u1", "Hello")
        await line.until(lambda r: r.segment.segment == "t1/s0")
        await line.say("u2", "and")
        await line.say("u3", "one more thing")
        await line.event("utterance_ack", 3)
        mesh.rig.model.go_on.set()
        assert (await line.answered("u1")).outcome == COMPLETED
        assert (await line.answered("u3")).turn == "t2"
    said = [m["content"] for m in mesh.rig.model.messages() if m["role"] == "user"]
    assert said == ["Hello", "and", "one more thing"]


class Held:
    """A tool's body that waits for the test."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()

    async def __call__(self, _: dict[str, Any]) -> dict[str, Any]:
        await self.go_on.wait()
        return {"success": True, "message": "Refunded."}


async def interrupted_during_a_tool(mesh: Mesh, line: Line, held: Held) -> None:
    mesh.tools.bodies["get_account_summary"] = held
    mesh.rig.model.will_answer(Answer("One moment.", calls=[BALANCE]), "As you wish.")
    await line.say("u1", "Do it")
    await mesh.tools.until_asked()
    await line.interrupt("t1")
    assert (await line.answered("u1")).outcome == INTERRUPTED


async def test_a_tool_that_acts_outlives_the_interruption_and_the_model_learns_of_it(
    mesh: Mesh,
) -> None:
    mesh.tools.effects["get_account_summary"] = tools_pb.TOOL_EFFECT_EFFECTFUL
    await mesh.rig.deployment.tools.refresh()
    held = Held()
    async with mesh.rig.line() as line:
        await interrupted_during_a_tool(mesh, line, held)
        await line.say("u2", "Never mind")
        await line.event("utterance_ack", 2)
        held.go_on.set()
        await line.answered("u2")
        assert "t1/r0/0" in await mesh.ids_until("t2/end")
    assert mesh.tools.cancelled == []
    told = [m["content"] for m in mesh.rig.model.messages() if m["role"] == "tool"]
    assert "Refunded." in told[0]


async def test_a_tool_that_only_reads_is_given_up(mesh: Mesh) -> None:
    async with mesh.rig.line() as line:
        await interrupted_during_a_tool(mesh, line, Held())
        await line.ask("u2", "Never mind")
    told = [m["content"] for m in mesh.rig.model.messages() if m["role"] == "tool"]
    assert "NOT_FINISHED" in told[0]


# ---------------------------------------------------------------------- the model fails


@pytest.mark.parametrize(
    ("answers", "requests"),
    [
        ([Answer(status=500), Answer(status=500)], 2),
        ([Answer(status=401)], 1),
        ([Answer(status=400)], 1),
        ([Answer(status=429, retry_after_ms=60_000)], 1),
        ([Answer(fault="hang")], 1),
        ([Answer("Half a ", fault="stall")], 1),
        ([Answer(fault="garbage")], 1),
        ([Answer(fault="error_event")], 1),
        ([Answer(fault="drop"), Answer(fault="drop")], 2),
    ],
    ids=lambda value: None,
)
async def test_a_model_that_fails(
    store: RunningStore, tools: ToolDouble, answers: list[Answer], requests: int
) -> None:
    limits: dict[str, Any] = {"model_first_token_seconds": 1.0, "model_total_seconds": 1.5}
    async with orchestrator_rig(store.address, tools.address, **limits) as rig:
        rig.model.will_answer(*answers)
        async with rig.line() as line:
            completed = await line.ask("u1", "Hello")
            assert (completed.outcome, completed.failure_reason) == (FAILED, "MODEL_UNAVAILABLE")
            assert line.segments("t1")[-1] == APOLOGY
            assert len(rig.model.requests) == requests
            assert (await line.ask("u2", "Again?")).outcome == COMPLETED, "the stream goes on"
            assert line.segments("t2") == ["You said: Again?."]


@pytest.mark.parametrize(
    "first",
    [Answer(status=503), Answer(status=429, retry_after_ms=5), Answer(fault="drop")],
    ids=["503", "429", "dropped"],
)
async def test_a_model_that_fails_once_is_asked_again(mesh: Mesh, first: Answer) -> None:
    mesh.rig.model.will_answer(first, "Here I am.")
    async with mesh.rig.line() as line:
        assert (await line.ask("u1", "Hello")).outcome == COMPLETED
        assert line.segments("t1") == ["Here I am."]


async def test_a_model_that_breaks_off_in_the_middle_is_not_asked_again(mesh: Mesh) -> None:
    mesh.rig.model.will_answer(Answer("A first sentence. And a sec", fault="drop"))
    async with mesh.rig.line() as line:
        completed = await line.ask("u1", "Hello")
        assert completed.failure_reason == "MODEL_UNAVAILABLE"
        assert line.segments("t1") == ["A first sentence.", APOLOGY]
    assert len(mesh.rig.model.requests) == 1


async def test_a_model_that_says_nothing(mesh: Mesh) -> None:
    mesh.rig.model.will_answer(Answer(""))
    async with mesh.rig.line() as line:
        completed = await line.ask("u1", "Hello")
        assert completed.failure_reason == "MODEL_ANSWERED_NOTHING"
        assert line.segments("t1") == [APOLOGY]


async def test_a_model_that_is_not_there(store: RunningStore, tools: ToolDouble) -> None:
    nowhere = "http://127.0.0.1:9/v1"
    async with orchestrator_rig(store.address, tools.address, model_base_url=nowhere) as rig:
        async with rig.line() as line:
            completed = await line.ask("u1", "Hello")
            assert completed.failure_reason == "MODEL_UNAVAILABLE"


# ---------------------------------------------------------------------- opening and ending


async def refusal(rig: Rig, **start: Any) -> MeshError:
    async with Line(rig.channel) as line:
        await line.start(**start)
        error = await line.end()
    assert error is not None
    assert error.domain == "orchestrator.voicemesh"
    return error


@pytest.mark.parametrize(
    ("start", "reason", "words"),
    [
        ({"scenario": "scenarios/bankign"}, Reason.SCENARIO_NOT_FOUND, "banking"),
        ({"session": "sessions/nobody"}, Reason.SESSION_NOT_FOUND, "nobody"),
        ({"session": "nobody"}, Reason.NAME_MALFORMED, "sessions/{session}"),
        ({"scenario": "banking"}, Reason.NAME_MALFORMED, "scenarios/"),
        ({"epoch": -1}, Reason.ARGUMENT_INVALID, "owner_epoch"),
    ],
    ids=lambda value: None,
)
async def test_a_start_that_is_refused(
    mesh: Mesh, start: dict[str, Any], reason: Reason, words: str
) -> None:
    error = await refusal(mesh.rig, **start)
    assert error.is_reason(reason), error
    assert words in error.message


async def test_a_stream_that_does_not_start(mesh: Mesh) -> None:
    async with Line(mesh.rig.channel) as line:
        await line.say("u1", "Hello")
        error = await line.end()
    assert error is not None
    assert error.is_reason(Reason.STREAM_START_MISSING)


async def test_a_name_of_an_utterance_that_is_none(mesh: Mesh) -> None:
    async with mesh.rig.line() as line:
        await line.say("first", "Hello")
        error = await line.end()
    assert error is not None
    assert error.is_reason(Reason.NAME_MALFORMED)


async def test_a_second_stream_of_the_same_owner_is_refused_and_the_first_goes_on(
    mesh: Mesh,
) -> None:
    async with mesh.rig.line() as line:
        error = await refusal(mesh.rig)
        assert error.is_reason(Reason.CONVERSATION_ALREADY_OPEN)
        assert (await line.ask("u1", "Still here?")).outcome == COMPLETED


async def test_a_newer_owner_takes_the_conversation_over(mesh: Mesh) -> None:
    assert (await acquire(mesh.store, "10.0.0.1:1", "one")).owner.epoch == 1
    async with mesh.rig.line(epoch=1) as old:
        assert (await acquire(mesh.store, "10.0.0.2:1", "two", takeover=2)).owner.epoch == 2
        async with mesh.rig.line(epoch=2, greeted=False) as new:
            error = await old.end()
            assert error is not None
            assert error.is_reason(Reason.CALL_OWNER_SUPERSEDED)
            assert (await new.ask("u1", "Hello")).outcome == COMPLETED


async def test_an_older_owner_is_refused(mesh: Mesh) -> None:
    await acquire(mesh.store, "10.0.0.1:1", "one")
    await acquire(mesh.store, "10.0.0.2:1", "two", takeover=2)
    assert (await refusal(mesh.rig, epoch=1)).is_reason(Reason.CALL_OWNER_SUPERSEDED)


async def test_the_journal_tells_that_another_pod_owns_the_call(mesh: Mesh) -> None:
    await acquire(mesh.store, "10.0.0.1:1", "one")
    async with mesh.rig.line(epoch=1) as line:
        await acquire(mesh.store, "10.0.0.2:1", "two", takeover=2)
        await line.say("u1", "Hello")
        error = await line.end()
    assert error is not None
    assert error.is_reason(Reason.CALL_OWNER_SUPERSEDED)
    assert "u1" not in await mesh.ids()


async def test_the_end_of_a_call_ends_the_stream_and_the_turn(mesh: Mesh) -> None:
    mesh.rig.model.will_answer(Answer("First part. Second ", fault="stall"))
    async with mesh.rig.line() as line:
        await line.say("u1", "Hello")
        await line.until(lambda r: r.segment.segment == "t1/s0")
        await line.hang_up()
        assert await line.end() is None
    assert {"u1", "t1", "t1/s0"} <= set(await mesh.ids())
    await asyncio.wait_for(mesh.rig.model.left.wait(), 5)
    async with mesh.rig.line(greeted=False) as again:
        assert again.heard, "the session is free for another stream"


async def test_a_gateway_that_vanishes_frees_the_session(mesh: Mesh) -> None:
    async with mesh.rig.line():
        pass
    async with asyncio.timeout(5):
        while True:
            async with Line(mesh.rig.channel) as line:
                await line.start()
                try:
                    await line.event("ready")
                    break
                except AssertionError:
                    assert line.error is not None
                    assert line.error.is_reason(Reason.CONVERSATION_ALREADY_OPEN)


async def test_a_pod_that_is_about_to_drain_opens_no_more(mesh: Mesh) -> None:
    async with mesh.rig.line() as line:
        await mesh.rig.servicer.refuse_new()
        assert (await refusal(mesh.rig)).is_reason(Reason.POD_DRAINING)
        assert (await line.ask("u1", "Hello")).outcome == COMPLETED


async def test_a_draining_pod_lets_open_conversations_finish(mesh: Mesh) -> None:
    async with mesh.rig.line() as line:
        draining = asyncio.create_task(mesh.rig.server.until_drained())
        mesh.rig.server.drain()
        assert (await line.ask("u1", "Hello")).outcome == COMPLETED
        await line.hang_up()
        assert await line.end() is None
    await asyncio.wait_for(draining, 5)


async def test_a_full_pod_says_so(store: RunningStore, tools: ToolDouble) -> None:
    async with orchestrator_rig(store.address, tools.address, max_conversations=1) as rig:
        await create(store, "b")
        async with rig.line():
            error = await refusal(rig, session="sessions/b")
            assert error.is_reason(Reason.POOL_EXHAUSTED)
            assert error.retry_after_seconds
            rig.deployment.settings.live.change("max_conversations", 2, 1)
            async with rig.line("sessions/b"):
                pass


async def test_no_session_store_at_all(tools: ToolDouble) -> None:
    async with orchestrator_rig("127.0.0.1:9", tools.address) as rig:
        error = await refusal(rig)
        assert error.is_reason(Reason.STORE_UNAVAILABLE)
        assert error.retry_after_seconds == 1.0
