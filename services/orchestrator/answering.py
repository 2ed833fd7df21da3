"""The agent's side of a conversation: one turn at a time, each caused by what the caller said.

An utterance that comes while nothing of the turn was said or done replaces it: the caller went on
speaking and is answered once, for both. Later ones wait until the turn ends or the caller interrupts
it; all that wait are answered together by the next turn, whose cause is the last of them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from google.protobuf.duration_pb2 import Duration

from agentkit import Agent
from meshkit.context import call_context
from meshkit.logging import get_logger
from meshkit.names import session_id
from meshkit.telemetry import failed, span, traceparent
from orchestrator import records
from orchestrator.history import Round, Segment, ToolCall, TurnRecord
from orchestrator.journal import Journal
from orchestrator.llm import Answered, LanguageModel
from orchestrator.resume import Past, Unfinished
from orchestrator.timing import TurnClock
from orchestrator.tools import Caller, Outcome, Tools
from orchestrator.turn import Turn, TurnFailed
from voicemesh.orchestrator.v1 import orchestrator_pb2 as pb
from voicemesh.speech.v1.speech_event_pb2 import Voice

logger = get_logger("orchestrator.answering")

MAX_WAITING = 32
"""Utterances that wait for a turn; of more, the oldest are left out of its question."""
GREETING = "greeting"

Post = Callable[[pb.ConverseResponse], asyncio.Future[None]]
"""Sends behind what was sent before; done once it is written."""
Answer = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Said:
    """An utterance that waits for its answer."""

    utterance: str
    text: str
    arrived: float
    """Monotonic seconds."""


@dataclass(frozen=True, slots=True)
class Speaker:
    """Who answers, and with what."""

    caller: Caller
    agent: Agent
    prompt: str
    model: LanguageModel
    tools: Tools
    max_rounds: int


class Answering:
    """Answers the caller. `run` is its task, owned by the caller of it."""

    def __init__(
        self,
        speaker: Speaker,
        past: Past,
        journal: Journal,
        post: Post,
        now: Callable[[], float],
    ) -> None:
        self._speaker, self._history, self._journal = speaker, past.history, journal
        self._post, self._now = post, now
        self._next_turn = past.next_turn
        self._unfinished = past.last if past.last and past.last.to_resume else None
        self._waiting: deque[Said] = deque(maxlen=MAX_WAITING)
        self._wanted = asyncio.Event()
        self._current: tuple[str, asyncio.Task[str]] | None = None
        self._acted = False
        """Whether the current turn said something or called a tool."""
        self._outliving: set[asyncio.Task[Any]] = set()
        self._awaited: set[asyncio.Task[Any]] = set()

    # ------------------------------------------------------------------ from the caller

    def said(self, said: Said) -> None:
        """The caller said something that wants an answer."""
        if len(self._waiting) == MAX_WAITING:
            logger.warning("too many utterances wait; the oldest is not answered")
        self._waiting.append(said)
        self._wanted.set()
        if self._current is not None and not self._acted:
            self._current[1].cancel()

    def interrupted(self, turn: str) -> None:
        """The caller spoke over a turn, which may be over already."""
        self._history.interrupted(turn)
        if self._current is not None and self._current[0] == turn:
            self._current[1].cancel()

    def heard(self, segment: str, length: int) -> None:
        """The caller heard this much of a segment, in code points."""
        self._history.heard(segment, length)

    # ------------------------------------------------------------------ turns

    async def run(self, greeting: str = "") -> None:
        """Greet or go on, then answer until cancelled. Raises MeshError when the stream is gone."""
        try:
            if self._unfinished is not None:
                await self._resume(self._unfinished, greeting)
            elif greeting and not self._next_turn:
                await self._greet(greeting)
            while True:
                await self._wanted.wait()
                self._wanted.clear()
                await self._answer(list(self._waiting))
        finally:
            for task in self._outliving:
                task.cancel()
            await asyncio.gather(*self._outliving, return_exceptions=True)

    async def _greet(self, text: str) -> None:
        turn = self._begin([], self._now())
        await self._hold(turn, GREETING, lambda: turn.say(text))

    async def _resume(self, left: Unfinished, greeting: str) -> None:
        """Go on with the turn that another pod left; one that is over is only told again."""
        turn = self._turn(left.record, self._now())

        async def answer() -> None:
            if left.record.interrupted:
                raise asyncio.CancelledError  # the caller had cut it off before the move
            if left.ended:
                await turn.say_again()
            elif left.cause == GREETING:
                await turn.say_again()
                if greeting and not turn.has_spoken:
                    await turn.say(greeting)
            else:
                await turn.resume(left.rounds_answered)

        logger.info("turn resumed", extra={"turn": left.record.turn})
        await self._hold(turn, left.cause, answer, resumed=left)

    async def _answer(self, waiting: list[Said]) -> None:
        self._waiting.clear()
        if self._awaited:  # what they did must be known before the model is asked again
            await asyncio.wait(self._awaited)
        cause = waiting[-1]
        turn = self._begin([said.text for said in waiting], cause.arrived)
        await self._hold(turn, cause.utterance, turn.run)

    def _begin(self, texts: list[str], began: float) -> Turn:
        record = self._history.begin(f"t{self._next_turn}", texts)
        self._next_turn += 1
        return self._turn(record, began)

    def _turn(self, record: TurnRecord, began: float) -> Turn:
        speaker = self._speaker
        return Turn(
            record=record,
            agent=speaker.agent,
            caller=speaker.caller,
            stage=self,
            model=speaker.model,
            runner=speaker.tools,
            tools=speaker.tools.offered(speaker.agent.tools),
            prompt=speaker.prompt,
            messages=self._history.messages,
            clock=TurnClock(self._now, began),
            max_rounds=speaker.max_rounds,
        )

    async def _hold(
        self, turn: Turn, cause: str, answer: Answer, resumed: Unfinished | None = None
    ) -> None:
        """Give the agent the floor until the answer ends, fails or is cut off."""
        name = turn.record.turn
        with call_context(turn=name), _turn_span(turn, resumed):
            if resumed is None:
                self._journal.add(
                    records.turn_began_event(name, cause, turn.agent.name, traceparent())
                )
            task = asyncio.create_task(self._performed(turn, cause, answer))
            self._current, self._acted = (name, task), cause == GREETING
            try:
                await asyncio.wait({task})
            finally:
                self._current = None
                task.cancel()
                await asyncio.wait({task})
            cut = task.cancelled()
            await self._end(turn, "" if cut else task.result(), cut=cut)

    async def _performed(self, turn: Turn, cause: str, answer: Answer) -> str:
        """The reason for which the answer failed, or nothing."""
        try:
            # The model is asked while this is written: nothing that follows can overtake it.
            self._post(pb.ConverseResponse(turn_started=self._started(turn, cause)))
            await answer()
        except TurnFailed as failure:
            logger.warning("turn failed", extra={"reason": failure.reason})
            failed(failure.reason)
            await turn.say(turn.agent.apology)
            return failure.reason
        return ""

    async def _end(self, turn: Turn, failure: str, *, cut: bool) -> None:
        self._journal.add(records.turn_ended_event(turn.record.turn, failure))
        if cut:
            self._history.interrupted(turn.record.turn)
        await self._sent(pb.ConverseResponse(turn_completed=_completed(turn, failure, cut)))

    def _started(self, turn: Turn, cause: str) -> pb.TurnStarted:
        voice = turn.agent.voice
        return pb.TurnStarted(
            turn=turn.record.turn,
            cause=cause,
            agent=f"agents/{turn.agent.name}",
            voice=Voice(name=voice.name, style=voice.style, rate=voice.rate, pitch=voice.pitch),
        )

    # ------------------------------------------------------------------ the stage of a turn

    async def say(self, segment: Segment, agent: str) -> None:
        """See Stage."""
        self._acted = True
        self._journal.add(records.segment_event(segment, agent))
        said = pb.SpeechSegment(segment=segment.name, text=segment.text)
        await self._sent(pb.ConverseResponse(segment=said))

    async def _sent(self, response: pb.ConverseResponse) -> None:
        await asyncio.shield(self._post(response))

    async def tool_started(self, call: ToolCall) -> None:
        """See Stage."""
        started = pb.ToolCallStarted(request_id=call.request_id, tool=f"tools/{call.tool}")
        await self._sent(pb.ConverseResponse(tool_call_started=started))

    def answered(
        self, turn: str, number: int, text: str, round_: Round, by: Answered
    ) -> Awaitable[None]:
        """See Stage."""
        self._acted = True
        agent = self._speaker.agent.name
        return self._journal.add(records.round_event(turn, number, agent, text, round_.calls, by))

    def tool_answered(self, call: ToolCall, outcome: Outcome) -> None:
        """See Stage."""
        self._journal.add(records.tool_event(call, outcome))

    def outlives(self, running: asyncio.Task[Any], *, awaited: bool) -> None:
        """See Stage."""
        for tasks in (self._outliving, self._awaited) if awaited else (self._outliving,):
            tasks.add(running)
            running.add_done_callback(tasks.discard)


def _turn_span(turn: Turn, resumed: Unfinished | None) -> AbstractContextManager[None]:
    """The span of a turn, linked to the one that it had on the pod that left it."""
    agent = turn.agent.name
    return span(
        "invoke_agent",
        of=agent,
        linked=resumed.traceparent if resumed else "",
        gen_ai__operation__name="invoke_agent",
        gen_ai__agent__name=agent,
        gen_ai__conversation__id=session_id(turn.caller.session),
        voicemesh__resumed=resumed is not None,
    )


def _completed(turn: Turn, failure: str, cut: bool) -> pb.TurnCompleted:
    outcome = pb.TurnCompleted.OUTCOME_FAILED if failure else pb.TurnCompleted.OUTCOME_COMPLETED
    if cut:
        outcome = pb.TurnCompleted.OUTCOME_INTERRUPTED
    completed = pb.TurnCompleted(
        turn=turn.record.turn, outcome=outcome, failure_reason="" if cut else failure
    )
    clock = turn.clock
    if clock.first_segment is not None:
        completed.first_segment_latency.CopyFrom(_duration(clock.first_segment))
    if clock.first_token is not None:
        completed.first_token_latency.CopyFrom(_duration(clock.first_token))
        completed.model_duration.CopyFrom(_duration(clock.model))
    completed.tool_duration.CopyFrom(_duration(clock.tools))
    turn.usage.tell(completed)
    return completed


def _duration(seconds: float) -> Duration:
    duration = Duration()
    duration.FromMicroseconds(round(seconds * 1e6))
    return duration
