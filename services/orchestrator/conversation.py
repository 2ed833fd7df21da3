"""One conversation: what happens on the call comes in, turns go out, one at a time.

An utterance that arrives while a turn is under way replaces it if nothing of it was said yet: the
caller went on speaking, and is answered once, for both. Otherwise it waits for the turn's end; the
gateway sends `interruption` where the caller spoke over the agent.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf.duration_pb2 import Duration

from agentkit import Agent
from agentkit.prompts import render
from meshkit.context import call_context
from meshkit.logging import get_logger
from meshkit.streams import ServerStream
from meshkit.tasks import task_group
from orchestrator import records
from orchestrator.history import History, Round, Segment, ToolCall
from orchestrator.journal import Journal
from orchestrator.llm import Answered, LanguageModel
from orchestrator.timing import TurnClock
from orchestrator.tools import Caller, Outcome, Tools
from orchestrator.turn import Turn, TurnFailed
from voicemesh.orchestrator.v1 import orchestrator_pb2 as pb

logger = get_logger("orchestrator.conversation")

Stream = ServerStream[pb.ConverseResponse, pb.ConverseRequest]

MAX_WAITING_UTTERANCES = 16
FLUSH_SECONDS = 3.0

COMPLETED = pb.TurnCompleted.OUTCOME_COMPLETED
INTERRUPTED = pb.TurnCompleted.OUTCOME_INTERRUPTED
FAILED = pb.TurnCompleted.OUTCOME_FAILED


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all conversations of a pod share."""

    model: LanguageModel
    tools: Tools
    max_rounds: int
    max_history_turns: int
    now: Callable[[], float]
    """Monotonic seconds."""


@dataclass(frozen=True, slots=True)
class _Said:
    """An utterance that waits for its turn."""

    name: str
    text: str
    arrived: float


class Conversation:
    """One call leg's conversation with one agent."""

    def __init__(
        self,
        stream: Stream,
        journal: Journal,
        caller: Caller,
        agent: Agent,
        variables: Mapping[str, Any],
        around: Surroundings,
    ) -> None:
        self._stream = stream
        self._journal = journal
        self._caller = caller
        self._agent = agent
        self._variables = {"agent_name": agent.name, **agent.template_vars, **variables}
        self._around = around
        self._history = History(around.max_history_turns)
        self._known: set[str] = set()
        self._waiting: deque[_Said] = deque()
        self._turns = 0
        self._turn: asyncio.Task[None] | None = None
        self._turn_name = ""
        self._spoke = False
        self._cut = False
        self._group: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        """Greet, then converse until the call ends. Raises MeshError."""
        async with task_group() as group:
            self._group = group
            writing = group.create_task(self._journal.run())
            self._begin("greeting", [], self._greet)
            while (message := await self._stream.receive()) is not None:
                if message.HasField("call_ended"):
                    break
                self._take(message)
            await self._stop_turn()
            await self._journal.flushed(FLUSH_SECONDS)
            writing.cancel()

    # ------------------------------------------------------------------ what happens on the call

    def _take(self, message: pb.ConverseRequest) -> None:
        match message.WhichOneof("event"):
            case "utterance":
                self._utterance(message.utterance)
            case "interruption":
                self._interruption(message.interruption.turn)
            case "heard":
                played = message.heard
                self._history.heard(played.segment, played.heard_text_length)
            case other:
                logger.warning("unexpected message", extra={"kind": str(other)})

    def _utterance(self, said: pb.UserUtterance) -> None:
        if said.utterance in self._known:
            self._spawn(self._acknowledge(said.utterance))
            return
        self._known.add(said.utterance)
        written = self._journal.add(records.utterance_event(said))
        self._spawn(self._acknowledge(said.utterance, written))
        if len(self._waiting) >= MAX_WAITING_UTTERANCES:
            self._waiting.popleft()
            logger.warning("too many utterances wait; the oldest is not answered")
        self._waiting.append(_Said(said.utterance, said.transcript, self._around.now()))
        if self._turn is not None and not self._spoke:
            self._cut_turn()
        self._next_turn()

    async def _acknowledge(self, utterance: str, written: Awaitable[None] | None = None) -> None:
        """Tell the gateway that it may forget the utterance, once the journal has it."""
        if written is not None:
            await written
        ack = pb.UtteranceAck(utterance=utterance)
        await self._stream.send(pb.ConverseResponse(utterance_ack=ack))

    def _interruption(self, turn: str) -> None:
        self._history.interrupted(turn)
        if self._turn is not None and turn == self._turn_name:
            self._cut_turn()

    # ------------------------------------------------------------------ turns

    def _next_turn(self) -> None:
        """Answer what waits, unless a turn is under way."""
        if self._turn is not None or not self._waiting:
            return
        said = list(self._waiting)
        self._waiting.clear()
        self._begin(said[-1].name, said, lambda turn: turn.run())

    def _begin(
        self, cause: str, said: list[_Said], body: Callable[[Turn], Awaitable[None]]
    ) -> None:
        name = f"t{self._turns}"
        self._turns += 1
        self._turn_name, self._spoke, self._cut = name, False, False
        clock = TurnClock(self._around.now, said[-1].arrived if said else None)
        record = self._history.begin(name, [one.text for one in said])
        turn = Turn(
            record=record,
            agent=self._agent,
            caller=self._caller,
            stage=self,
            model=self._around.model,
            run_tool=self._around.tools.run,
            tools=self._around.tools.offered(self._agent.tools),
            prompt=render(self._agent.prompt_template, self._variables),
            messages=self._history.messages,
            clock=clock,
            max_rounds=self._around.max_rounds,
        )
        self._turn = self._spawn(self._run_turn(turn, cause, body))

    async def _run_turn(
        self, turn: Turn, cause: str, body: Callable[[Turn], Awaitable[None]]
    ) -> None:
        name = turn.record.turn
        with call_context(turn=name):
            await self._start_turn(name, cause)
            outcome, reason = COMPLETED, ""
            try:
                await body(turn)
            except TurnFailed as failed:
                outcome, reason = FAILED, failed.reason
                logger.warning("turn given up", extra={"reason": reason})
                await turn.say(self._agent.apology)
            except asyncio.CancelledError:
                if not self._cut:
                    raise
                self._uncancel()
                outcome = INTERRUPTED
                self._history.interrupted(name)
            await self._end_turn(turn, outcome, reason)
        self._turn = None
        self._next_turn()

    async def _start_turn(self, name: str, cause: str) -> None:
        agent = self._agent
        self._journal.add(records.turn_began_event(name, cause, agent.name))
        started = pb.TurnStarted(turn=name, cause=cause, agent=f"agents/{agent.name}")
        voice = agent.voice
        started.voice.name, started.voice.style = voice.name, voice.style
        started.voice.rate, started.voice.pitch = voice.rate, voice.pitch
        await self._stream.send(pb.ConverseResponse(turn_started=started))

    async def _end_turn(
        self, turn: Turn, outcome: pb.TurnCompleted.Outcome, failure_reason: str
    ) -> None:
        name, clock = turn.record.turn, turn.clock
        self._journal.add(records.turn_ended_event(name, failure_reason))
        completed = pb.TurnCompleted(turn=name, outcome=outcome, failure_reason=failure_reason)
        if clock.first_segment is not None:
            completed.first_segment_latency.CopyFrom(_duration(clock.first_segment))
            completed.model_duration.CopyFrom(_duration(clock.model))
            completed.tool_duration.CopyFrom(_duration(clock.tools))
        if clock.first_token is not None:
            completed.first_token_latency.CopyFrom(_duration(clock.first_token))
        await self._stream.send(pb.ConverseResponse(turn_completed=completed))

    async def _greet(self, turn: Turn) -> None:
        if self._agent.greeting:
            await turn.say(render(self._agent.greeting, self._variables))

    def _cut_turn(self) -> None:
        """Cancel the turn under way; it ends as interrupted."""
        if self._turn is not None and not self._cut:
            self._cut = True
            self._turn.cancel()

    async def _stop_turn(self) -> None:
        """The call is over: drop the turn under way and what waits."""
        self._waiting.clear()
        if self._turn is not None:
            self._turn.cancel()
            await asyncio.wait([self._turn])

    # ------------------------------------------------------------------ the turn's stage

    async def say(self, segment: Segment, agent: str) -> None:
        """Send a segment to be spoken, its event with it."""
        self._journal.add(records.segment_event(segment, agent))
        self._spoke = True
        sent = pb.SpeechSegment(segment=segment.name, text=segment.text)
        await self._stream.send(pb.ConverseResponse(segment=sent))

    async def tool_started(self, call: ToolCall) -> None:
        """Tell the gateway that a tool runs."""
        started = pb.ToolCallStarted(request_id=call.request_id, tool=f"tools/{call.tool}")
        await self._stream.send(pb.ConverseResponse(tool_call_started=started))

    def answered(
        self, turn: str, number: int, text: str, round_: Round, by: Answered
    ) -> Awaitable[None]:
        """Journal a round."""
        event = records.round_event(turn, number, self._agent.name, text, round_.calls, by)
        return self._journal.add(event)

    def tool_answered(self, call: ToolCall, outcome: Outcome) -> None:
        """Journal what came of a call."""
        self._journal.add(records.tool_event(call, outcome))

    # ------------------------------------------------------------------ tasks

    def _spawn(self, work: Any) -> asyncio.Task[None]:
        assert self._group is not None
        return self._group.create_task(work)

    @staticmethod
    def _uncancel() -> None:
        """This task was cancelled by the conversation itself, and has more to do."""
        task = asyncio.current_task()
        assert task is not None
        task.uncancel()


def _duration(seconds: float) -> Duration:
    duration = Duration()
    duration.FromMicroseconds(round(seconds * 1e6))
    return duration
