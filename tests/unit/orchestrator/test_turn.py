"""One turn between a model, tools and a stage that do what the test says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from agentkit import Agent, ModelOptions
from orchestrator.history import History, Message, Round, Segment, ToolCall
from orchestrator.llm import Answered, ModelEvent, ModelUnavailable, TextDelta, WantedCall
from orchestrator.timing import TurnClock
from orchestrator.tools import STILL_RUNNING, TOOLS_UNAVAILABLE, Caller, Outcome, Progress
from orchestrator.turn import MAX_CALLS, Turn, TurnFailed
from voicemesh.tools.v1 import outcome_pb2

DONE = outcome_pb2.ToolOutcome(result_json='{"success": true}')
AWAY = outcome_pb2.ToolOutcome(failure=outcome_pb2.ToolFailure(reason=TOOLS_UNAVAILABLE))
Step = str | WantedCall | Exception | asyncio.Event


@dataclass
class Model:
    """Answers with the next of `answers`: words, calls, a failure, or a wait for an event."""

    answers: list[list[Step]]
    asked: list[list[Message]] = field(default_factory=list)
    closed: int = 0

    def asked_for(self, options: ModelOptions) -> str:
        return options.name or "local-planner"

    async def answer(
        self, messages: Sequence[Message], tools: Sequence[Message], options: ModelOptions
    ) -> AsyncIterator[ModelEvent]:
        self.asked.append(list(messages))
        calls: list[WantedCall] = []
        try:
            for step in self.answers.pop(0):
                if isinstance(step, str):
                    yield TextDelta(step)
                elif isinstance(step, WantedCall):
                    calls.append(step)
                elif isinstance(step, asyncio.Event):
                    await step.wait()
                else:
                    raise step
            yield Answered(tuple(calls), "m")
        finally:
            self.closed += 1


@dataclass
class Theatre:
    """Stage and tools in one: `log` has in order what happened on both."""

    log: list[str] = field(default_factory=list)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    gates: dict[str, asyncio.Event] = field(default_factory=dict)
    acts: set[str] = field(default_factory=set)
    journalled: asyncio.Event = field(default_factory=asyncio.Event)
    running: asyncio.Event = field(default_factory=asyncio.Event)
    outliving: list[asyncio.Task[Any]] = field(default_factory=list)
    awaited: list[bool] = field(default_factory=list)
    long: set[str] = field(default_factory=set)
    progress: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.journalled.set()

    async def say(self, segment: Segment, agent: str) -> None:
        self.log.append(f"say {segment.name} {segment.text}")

    async def tool_started(self, call: ToolCall) -> None:
        self.log.append(f"started {call.request_id}")

    def answered(
        self, turn: str, number: int, text: str, round_: Round, by: Answered
    ) -> Awaitable[None]:
        self.log.append(f"round {turn}/r{number}")

        async def written() -> None:
            await self.journalled.wait()

        return asyncio.ensure_future(written())

    def tool_answered(self, call: ToolCall, outcome: Outcome) -> None:
        self.log.append(f"came out {call.request_id}")

    def outlives(self, running: asyncio.Task[Any], *, awaited: bool) -> None:
        self.awaited.append(awaited)
        self.outliving.append(running)

    async def run(
        self, call: ToolCall, caller: Caller, progress: Progress | None = None
    ) -> Outcome:
        self.log.append(f"run {call.request_id}")
        for message in self.progress:
            assert progress is not None
            await progress(message)
        self.running.set()
        if call.tool in self.gates:
            await self.gates[call.tool].wait()
        return self.outcomes.get(call.tool, DONE)

    def only_reads(self, name: str) -> bool:
        return name not in self.acts

    def stop(self, call: ToolCall) -> None:
        self.log.append(f"stop {call.request_id}")

    def is_long(self, name: str) -> bool:
        return name in self.long


@dataclass
class Play:
    turn: Turn
    model: Model
    theatre: Theatre
    history: History


Cast = Callable[..., Play]


@pytest.fixture
def cast() -> Cast:
    def made(*answers: list[Step], max_rounds: int = 3) -> Play:
        model, theatre, history = Model(list(answers)), Theatre(), History(10)
        turn = Turn(
            record=history.begin("t1", ["Hello"]),
            agent=Agent(name="front", tools=("look", "act")),
            caller=Caller("sessions/a", "agents/front", 1),
            stage=theatre,
            model=model,
            runner=theatre,
            tools=[],
            prompt="You help.",
            messages=history.messages,
            clock=TurnClock(lambda: 0.0),
            max_rounds=max_rounds,
        )
        return Play(turn, model, theatre, history)

    return made


def call(tool: str = "look", call_id: str = "c1", arguments: str = "{}") -> WantedCall:
    return WantedCall(call_id, tool, arguments)


async def failure(play: Play) -> str:
    with pytest.raises(TurnFailed) as failed:
        await play.turn.run()
    return failed.value.reason


async def test_sentences_go_out_as_they_close(cast: Cast) -> None:
    wait = asyncio.Event()
    play = cast(["One", ". Two", wait, " more."])
    running = asyncio.create_task(play.turn.run())
    while not play.theatre.log:
        await asyncio.sleep(0)
    assert play.theatre.log == ["say t1/s0 One."]
    wait.set()
    await running
    assert play.theatre.log[1:] == ["say t1/s1 Two more.", "round t1/r0"]


async def test_a_round_is_journalled_before_its_tools_run(cast: Cast) -> None:
    play = cast(["A moment. ", call()], ["Done."])
    play.theatre.journalled.clear()
    running = asyncio.create_task(play.turn.run())
    while "round t1/r0" not in play.theatre.log:
        await asyncio.sleep(0)
    assert not [line for line in play.theatre.log if line.startswith(("started", "run"))]
    play.theatre.journalled.set()
    await running
    assert play.theatre.log == [
        "say t1/s0 A moment.",
        "round t1/r0",
        "started sessions/a/t1/0/0",
        "run sessions/a/t1/0/0",
        "came out sessions/a/t1/0/0",
        "say t1/s1 Done.",
        "round t1/r1",
    ]


async def test_no_tool_runs_if_its_round_cannot_be_journalled(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.turn.JOURNAL_SECONDS", 0.01)
    play = cast([call()])
    play.theatre.journalled.clear()
    assert await failure(play) == "STORE_UNAVAILABLE"
    assert play.theatre.log == ["round t1/r0"]
    play.theatre.journalled.set()


async def test_results_are_told_in_the_models_order_whichever_tool_is_faster(cast: Cast) -> None:
    play = cast([call("look", "c1"), call("act", "c2")], ["Done."])
    play.theatre.gates["look"] = asyncio.Event()
    running = asyncio.create_task(play.turn.run())
    while "came out sessions/a/t1/0/1" not in play.theatre.log:
        await asyncio.sleep(0)
    play.theatre.gates["look"].set()
    await running
    told = [m["tool_call_id"] for m in play.model.asked[1] if m["role"] == "tool"]
    assert told == ["c1", "c2"]


async def test_a_tool_that_the_agent_does_not_have_does_not_run(cast: Cast) -> None:
    play = cast([call("transfer_all_money"), call("look", "c2")], ["I cannot."])
    await play.turn.run()
    ran = [line for line in play.theatre.log if line.startswith("run")]
    assert ran == ["run sessions/a/t1/0/1"]
    assert "came out sessions/a/t1/0/0" in play.theatre.log, "journalled all the same"
    told = json.loads(play.model.asked[1][3]["content"])
    assert (told["reason"], told["retryable"]) == ("TOOL_NOT_FOUND", False)


async def test_more_calls_than_are_reasonable_are_left_out(cast: Cast) -> None:
    calls: list[Step] = [call(call_id=f"c{n}") for n in range(MAX_CALLS + 3)]
    play = cast(calls, ["Done."])
    await play.turn.run()
    assert len([line for line in play.theatre.log if line.startswith("run")]) == MAX_CALLS


@pytest.mark.parametrize("answer", [[], ["  \n"], ["🎉"], ["---"]], ids=repr)
async def test_an_answer_without_words(cast: Cast, answer: list[Step]) -> None:
    assert await failure(cast(answer)) == "MODEL_ANSWERED_NOTHING"


async def test_words_before_a_tool_are_answer_enough(cast: Cast) -> None:
    play = cast(["I noted that. ", call()], [])
    await play.turn.run()
    assert play.theatre.log[0] == "say t1/s0 I noted that."


async def test_a_model_that_only_calls_tools(cast: Cast) -> None:
    play = cast(*([call()] for _ in range(9)), max_rounds=3)
    assert await failure(play) == "ROUNDS_EXCEEDED"
    assert len(play.model.asked) == 3


async def test_a_model_that_breaks_off_leaves_what_it_said(cast: Cast) -> None:
    play = cast(["One. Tw", ModelUnavailable("gone")])
    assert await failure(play) == "MODEL_UNAVAILABLE"
    assert play.theatre.log == ["say t1/s0 One."]
    assert play.history.messages()[-1] == {"role": "assistant", "content": "One."}


async def test_tools_that_are_away_are_told_once_and_then_the_turn_is_given_up(cast: Cast) -> None:
    play = cast([call()], [call()], ["never asked"])
    play.theatre.outcomes["look"] = AWAY
    assert await failure(play) == TOOLS_UNAVAILABLE
    assert TOOLS_UNAVAILABLE in play.model.asked[1][-1]["content"]
    assert len(play.model.asked) == 2


async def test_one_tool_that_is_away_does_not_end_the_turn(cast: Cast) -> None:
    both: list[Step] = [call("look", "c1"), call("act", "c2")]
    play = cast(both, both, ["Done."])
    play.theatre.outcomes["look"] = AWAY
    await play.turn.run()
    assert play.theatre.log[-2] == "say t1/s0 Done."


async def cancelled(play: Play, running: asyncio.Task[None]) -> None:
    await asyncio.wait_for(play.theatre.running.wait(), 5)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_cut_off_a_tool_that_reads_is_given_up_and_one_that_acts_goes_on(cast: Cast) -> None:
    play = cast([call("look", "c1"), call("act", "c2")])
    play.theatre.acts = {"act"}
    play.theatre.gates = {"look": asyncio.Event(), "act": asyncio.Event()}
    await cancelled(play, asyncio.create_task(play.turn.run()))
    play.theatre.gates["act"].set()
    read, acted = play.theatre.outliving
    await asyncio.wait(play.theatre.outliving)
    assert read.cancelled()
    assert acted.result() == DONE
    results = [m["content"] for m in play.history.messages() if m["role"] == "tool"]
    assert "NOT_FINISHED" in results[0]
    assert results[1] == DONE.result_json


async def test_cut_off_every_tool_is_asked_to_stop(cast: Cast) -> None:
    play = cast([call("look", "c1"), call("act", "c2")])
    play.theatre.acts = {"act"}
    play.theatre.gates = {"look": asyncio.Event(), "act": asyncio.Event()}
    await cancelled(play, asyncio.create_task(play.turn.run()))
    assert play.theatre.log[-2:] == ["stop sessions/a/t1/0/0", "stop sessions/a/t1/0/1"]
    assert play.theatre.awaited == [True, True]
    play.theatre.gates["act"].set()
    await asyncio.wait(play.theatre.outliving)


async def test_cut_off_a_long_tool_finishes_after_the_turn_and_is_not_waited_for(
    cast: Cast,
) -> None:
    play = cast([call("look", "c1")])
    play.theatre.long, play.theatre.gates = {"look"}, {"look": asyncio.Event()}
    await cancelled(play, asyncio.create_task(play.turn.run()))
    assert play.theatre.awaited == [False]
    told = [m["content"] for m in play.history.messages() if m["role"] == "tool"]
    assert told == [STILL_RUNNING]
    play.theatre.gates["look"].set()
    await asyncio.wait(play.theatre.outliving)
    told = [m["content"] for m in play.history.messages() if m["role"] == "tool"]
    assert told == [DONE.result_json]


async def test_the_progress_of_a_long_tool_is_said_not_too_often(cast: Cast) -> None:
    play = cast([call("look", "c1")], ["Done."])
    play.theatre.long, play.theatre.progress = {"look"}, ["One of two.", "Two of two."]
    await play.turn.run()
    said = [line for line in play.theatre.log if line.startswith("say")]
    assert said == ["say t1/s0 One of two.", "say t1/s1 Done."]


async def test_cut_off_the_models_stream_is_closed(cast: Cast) -> None:
    never = asyncio.Event()
    play = cast(["One. ", never])
    running = asyncio.create_task(play.turn.run())
    while not play.theatre.log:
        await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert play.model.closed == 1


async def test_resumed_after_a_round_the_tools_without_a_result_run_under_their_ids(
    cast: Cast,
) -> None:
    play = cast(["Done."])
    calls = [ToolCall(f"sessions/a/t1/0/{k}", f"c{k}", "look", "{}") for k in range(2)]
    segments = [Segment("t1/s0", "Heard.", 6), Segment("t1/s1", "Not heard.")]
    play.turn.record.rounds.append(Round(segments, tuple(calls), {"c0": "{}"}))
    await play.turn.resume(1)
    assert play.theatre.log == [
        "say t1/s1 Not heard.",
        "started sessions/a/t1/0/1",
        "run sessions/a/t1/0/1",
        "came out sessions/a/t1/0/1",
        "say t1/s2 Done.",
        "round t1/r1",
    ]


async def test_resumed_after_its_last_round_nothing_is_asked_again(cast: Cast) -> None:
    play = cast()
    play.turn.record.rounds.append(Round([Segment("t1/s0", "Not heard.")]))
    await play.turn.resume(1)
    assert play.theatre.log == ["say t1/s0 Not heard."]
    assert play.model.asked == []
