"""One answer of the agent: the model's rounds, the tools between them, the segments as they close.

The order that keeps "write, then act": a round is journalled before any tool of it runs; a segment's
event is handed to the journal before the segment is sent. Nothing here waits for the store but the
tools.

A turn may be cancelled at any moment. Tools are asked to stop then, which only those do that declare
it safe. Those that only read are given up; the others are not, because they act all the same and the
model must learn what they did (`Stage.outlives`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from agentkit import Agent
from meshkit.names import session_id, tool_request_id
from orchestrator.history import Message, Round, Segment, ToolCall, TurnRecord
from orchestrator.llm import Answered, LanguageModel, ModelUnavailable, TextDelta
from orchestrator.metering import TurnUsage
from orchestrator.model_span import model_span
from orchestrator.segmenter import Segmenter
from orchestrator.timing import TurnClock
from orchestrator.tools import (
    NOT_OFFERED,
    STILL_RUNNING,
    TOOLS_UNAVAILABLE,
    Caller,
    Outcome,
    Progress,
    told_to_model,
)

JOURNAL_SECONDS = 3.0
"""How long tools wait for their round to be journalled; then they do not run."""
PROGRESS_SECONDS = 6.0
"""Between two things that are said of a long tool's progress."""
MAX_CALLS = 16
"""Tools that one answer of the model may call; the rest are left out."""


class TurnFailed(Exception):
    """The turn was given up. `reason` is one of TurnCompleted.failure_reason."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Stage(Protocol):
    """What a turn needs around it: the stream to the gateway and the journal."""

    async def say(self, segment: Segment, agent: str) -> None:
        """Send a segment to be spoken, its event with it."""
        ...

    async def tool_started(self, call: ToolCall) -> None:
        """Tell that a tool runs."""
        ...

    def answered(
        self, turn: str, number: int, text: str, round_: Round, by: Answered
    ) -> Awaitable[None]:
        """Journal a round; done when it is written."""
        ...

    def tool_answered(self, call: ToolCall, outcome: Outcome) -> None:
        """Journal what came of a call."""
        ...

    def outlives(self, running: asyncio.Task[Any], *, awaited: bool) -> None:
        """Own a tool that goes on after its turn was cancelled; `awaited`: before the model is asked
        again."""
        ...


class ToolRunner(Protocol):
    """What runs tools."""

    async def run(
        self, call: ToolCall, caller: Caller, progress: Progress | None = None
    ) -> Outcome:
        """What came of a call; `progress` hears of a long one meanwhile."""
        ...

    def stop(self, call: ToolCall) -> None:
        """Ask a call to stop, if its tool declares that safe."""
        ...

    def is_long(self, name: str) -> bool:
        """Whether the tool tells its progress and may go on after its turn."""
        ...

    def only_reads(self, name: str) -> bool:
        """Whether a call may be given up without wondering what it did."""
        ...


@dataclass(slots=True)
class Turn:
    """A turn of an agent, to be run once."""

    record: TurnRecord
    agent: Agent
    caller: Caller
    stage: Stage
    model: LanguageModel
    runner: ToolRunner
    tools: Sequence[Message]
    prompt: str
    messages: Callable[[], list[Message]]
    clock: TurnClock
    max_rounds: int
    usage: TurnUsage = field(default_factory=TurnUsage)
    _segments: int = field(default=0, init=False)
    _lost_floor: bool = field(default=False, init=False)
    """Whether the turn was cancelled while a tool ran: it has lost the floor."""

    async def run(self) -> None:
        """Answer. Raises TurnFailed; being cancelled leaves in the record what was sent."""
        await self._run_from(0)

    async def resume(self, rounds_answered: int) -> None:
        """Answer on, where another pod left the record. Raises TurnFailed."""
        await self.say_again()
        answered = self.record.rounds[:rounds_answered]
        if answered:
            if not answered[-1].calls:
                return
            await self._run_tools(answered[-1])
        await self._run_from(rounds_answered)

    async def say_again(self) -> None:
        """Send once more what the record has and nobody heard; whoever has it already drops it."""
        for round_ in self.record.rounds:
            for segment in round_.segments:
                self._segments += 1
                if segment.heard_length is None:
                    await self.stage.say(segment, self.agent.name)

    @property
    def has_spoken(self) -> bool:
        """Whether anything was sent to be spoken, now or before it was resumed."""
        return self._segments > 0

    async def _run_from(self, first: int) -> None:
        without_tools = 0
        for number in range(first, self.max_rounds):
            round_ = await self._round(number)
            if not round_.calls:
                if not self._segments:
                    raise TurnFailed("MODEL_ANSWERED_NOTHING")
                return
            outcomes = await self._run_tools(round_)
            # Once the model is told and can say so; a second time it would only ask again.
            without_tools = without_tools + 1 if all(map(_unavailable, outcomes)) else 0
            if without_tools == 2:
                raise TurnFailed(TOOLS_UNAVAILABLE)
        raise TurnFailed("ROUNDS_EXCEEDED")

    async def say(self, text: str) -> None:
        """Say a text that no model made: a greeting or an apology."""
        round_ = Round()
        self.record.rounds.append(round_)
        await self._send(round_, text)

    async def _round(self, number: int) -> Round:
        """One answer of the model, said as it comes, then journalled."""
        messages = [{"role": "system", "content": self.prompt}, *self.messages()]
        round_ = Round()
        self.record.rounds.append(round_)
        text, answered = await self._stream(round_, messages)
        round_.calls = tuple(
            ToolCall(self._request_id(number, ordinal), call.call_id, call.tool, call.arguments)
            for ordinal, call in enumerate(answered.calls[:MAX_CALLS])
        )
        written = self.stage.answered(self.record.turn, number, text, round_, answered)
        if round_.calls:
            await self._journalled(written)
        return round_

    async def _stream(self, round_: Round, messages: list[Message]) -> tuple[str, Answered]:
        asked, session = self.model.asked_for(self.agent.model), session_id(self.caller.session)
        with model_span(asked, session) as told:
            text, answered = await self._streamed(round_, messages)
            told(answered)
            return text, answered

    async def _streamed(self, round_: Round, messages: list[Message]) -> tuple[str, Answered]:
        segmenter, text = Segmenter(), ""
        answer = self.usage.counting(self.model.answer(messages, self.tools, self.agent.model))
        try:
            async with aclosing(self.clock.waiting_for_model(answer)) as events:
                async for event in events:
                    if isinstance(event, TextDelta):
                        text += event.text
                        await self._send_all(round_, segmenter.feed(event.text))
                    else:
                        await self._send_all(round_, segmenter.flush())
                        return text, event
        except ModelUnavailable:
            raise TurnFailed("MODEL_UNAVAILABLE") from None
        raise TurnFailed("MODEL_UNAVAILABLE")

    async def _send_all(self, round_: Round, texts: Sequence[str]) -> None:
        for text in texts:
            await self._send(round_, text)

    async def _send(self, round_: Round, text: str) -> None:
        segment = Segment(f"{self.record.turn}/s{self._segments}", text)
        self._segments += 1
        round_.segments.append(segment)
        await self.stage.say(segment, self.agent.name)
        self.clock.segment_sent()

    async def _run_tools(self, round_: Round) -> list[Outcome]:
        """All calls of a round together, but for those that came out before it was resumed."""
        calls = [call for call in round_.calls if call.call_id not in round_.results]
        for call in calls:
            await self.stage.tool_started(call)
        tasks = [asyncio.create_task(self._run_tool(round_, call)) for call in calls]
        try:
            outcomes = await asyncio.gather(*map(asyncio.shield, tasks))
        finally:
            for call, task in zip(calls, tasks, strict=True):
                self._let_go(round_, call, task)
        self.clock.tools_ran([_body_seconds(outcome) for outcome in outcomes])
        return outcomes

    async def _run_tool(self, round_: Round, call: ToolCall) -> Outcome:
        """Only what the agent has: a model may be talked into naming what it was not offered."""
        offered = call.tool in self.agent.tools
        told = self._telling(round_) if offered and self.runner.is_long(call.tool) else None
        caller = replace(self.caller, earlier=self.record.earlier(call))
        outcome = await self.runner.run(call, caller, told) if offered else NOT_OFFERED
        round_.results[call.call_id] = told_to_model(outcome)
        self.stage.tool_answered(call, outcome)
        return outcome

    def _telling(self, round_: Round) -> Progress:
        """Say what a long tool tells, at first and then now and then, while we have the floor."""
        time = asyncio.get_running_loop().time
        next_at = time()

        async def tell(message: str) -> None:
            nonlocal next_at
            if not self._lost_floor and time() >= next_at:
                next_at = time() + PROGRESS_SECONDS
                await self._send(round_, message)

        return tell

    def _let_go(self, round_: Round, call: ToolCall, task: asyncio.Task[Outcome]) -> None:
        if task.done():
            return
        self._lost_floor = True
        self.runner.stop(call)
        long = self.runner.is_long(call.tool)
        if self.runner.only_reads(call.tool) and not long:
            task.cancel()
        if long:
            round_.results[call.call_id] = STILL_RUNNING
        self.stage.outlives(task, awaited=not long)

    async def _journalled(self, written: Awaitable[Any]) -> None:
        try:
            async with asyncio.timeout(JOURNAL_SECONDS):
                await asyncio.shield(asyncio.ensure_future(written))
        except TimeoutError:
            raise TurnFailed("STORE_UNAVAILABLE") from None

    def _request_id(self, number: int, ordinal: int) -> str:
        session = self.caller.session.removeprefix("sessions/")
        return tool_request_id(session, self.record.turn, number, ordinal)


def _unavailable(outcome: Outcome) -> bool:
    return outcome.failure.reason == TOOLS_UNAVAILABLE


def _body_seconds(outcome: Outcome) -> float:
    return outcome.execution_duration.ToTimedelta().total_seconds()
