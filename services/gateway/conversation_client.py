"""The call's conversation with the orchestrator: words out, turns in.

The stream's tasks are its own, not the call's: when the caller hangs up, `finish` can still say so
and let the orchestrator end the stream.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Protocol

from google.protobuf.duration_pb2 import Duration

from gateway.outbox import Outbox, OutboxFull
from gateway.speaking import Voice
from gateway.turns import ModelUse, Outcome
from meshkit.context import outgoing_metadata
from meshkit.errors import MeshError, PeerUnreachable, Reason
from meshkit.fleet import Fleet
from meshkit.logging import get_logger
from meshkit.streams import ClientStream
from voicemesh.orchestrator.v1 import orchestrator_pb2 as pb
from voicemesh.orchestrator.v1.orchestrator_pb2_grpc import OrchestratorServiceStub

logger = get_logger("gateway.conversation")

READY_SECONDS = 5.0
FAREWELL_SECONDS = 1.0

Stream = ClientStream[pb.ConverseRequest, pb.ConverseResponse]


class ConversationListener(Protocol):
    """What is told of the agent's side, in order."""

    def turn_started(self, turn: str, cause: str, agent: str, voice: Voice) -> None:
        """The agent takes the floor."""
        ...

    def segment(self, segment: str, text: str) -> None:
        """The next thing to say."""
        ...

    def tool_call(self, turn: str, tool: str) -> None:
        """A tool is running."""
        ...

    def turn_completed(
        self, turn: str, outcome: Outcome, first_token_seconds: float | None
    ) -> None:
        """The agent has nothing more to say this turn."""
        ...


@dataclass(frozen=True, slots=True)
class Utterance:
    """What the caller said or keyed; positions in samples since media start."""

    name: str
    text: str
    start_sample: int
    end_sample: int
    language_code: str = ""
    confidence: float = 0.0
    keyed: bool = False


class Conversation:
    """One conversation stream."""

    def __init__(self, fleet: Fleet, session: str, scenario: str, *, heartbeat: float) -> None:
        self._fleet = fleet
        self._session = session
        self._scenario = scenario
        self._heartbeat = heartbeat
        self._outbox: Outbox[pb.ConverseRequest] = Outbox()
        self._stream: Stream | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._failed: asyncio.Future[MeshError] = asyncio.get_running_loop().create_future()
        self._unacknowledged: dict[str, Utterance] = {}

    @property
    def unacknowledged(self) -> list[Utterance]:
        """Utterances that the orchestrator has not journalled yet, oldest first."""
        return list(self._unacknowledged.values())

    async def open(self, epoch: int, listener: ConversationListener) -> str:
        """Open the stream; the agent that has the floor. Raises MeshError.

        A pod that drains or does not answer is passed over for another, once.
        """
        first = self._fleet.pick()
        try:
            return await self._open_at(first, epoch, listener)
        except MeshError as error:
            others = self._fleet.addresses - {first}
            elsewhere = error.retryable or error.is_reason(Reason.POOL_EXHAUSTED)
            if not others or not elsewhere or error.is_reason(Reason.STORE_UNAVAILABLE):
                raise
            self._fleet.suspect(first)
        return await self._open_at(self._fleet.pick(exclude={first}), epoch, listener)

    async def lost(self) -> None:
        """Waits until the stream is gone. Raises MeshError."""
        raise await asyncio.shield(self._failed)

    def say(self, utterance: Utterance) -> None:
        """The caller finished an utterance."""
        self._unacknowledged[utterance.name] = utterance
        self._put(pb.ConverseRequest(utterance=_utterance(utterance)))

    def interruption(self, turn: str) -> None:
        """The caller spoke over the turn."""
        self._put(pb.ConverseRequest(interruption=pb.Interruption(turn=turn)))

    def heard(self, segment: str, length: int, *, interrupted: bool) -> None:
        """A segment was played to its end, or cut."""
        played = pb.SegmentPlayed(
            segment=segment, heard_text_length=length, interrupted=interrupted
        )
        self._put(pb.ConverseRequest(heard=played))

    async def finish(self, reason: str) -> None:
        """Say that the call is over, and let the orchestrator end the stream; within a second."""
        if self._stream is not None and not self._failed.done():
            self._put(pb.ConverseRequest(call_ended=pb.CallEnded(reason=reason)))
            try:
                async with asyncio.timeout(FAREWELL_SECONDS):
                    await asyncio.wait([self._tasks[0]])
            except TimeoutError:
                pass
        await self.close()

    async def close(self) -> None:
        """Drop the stream at once. Idempotent."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        stream, self._stream = self._stream, None
        if stream is not None:
            await stream.__aexit__(None, None, None)

    async def _open_at(self, address: str, epoch: int, listener: ConversationListener) -> str:
        stub = self._fleet.stub(OrchestratorServiceStub, address)
        stream: Stream = ClientStream(
            stub.Converse(metadata=outgoing_metadata()),
            pb.ConverseRequest,
            interval=self._heartbeat,
            peer=address,
        )
        await stream.__aenter__()
        try:
            async with asyncio.timeout(READY_SECONDS):
                await stream.send(pb.ConverseRequest(start=self._start(epoch)))
                agent = _ready(await stream.receive(), address)
        except TimeoutError:
            await stream.__aexit__(None, None, None)
            raise _silent(address) from None
        except BaseException:
            await stream.__aexit__(None, None, None)
            raise
        self._stream = stream
        self._tasks = [
            asyncio.create_task(self._read(stream, listener, address)),
            asyncio.create_task(self._write(stream)),
        ]
        return agent

    def _start(self, epoch: int) -> pb.ConversationStart:
        return pb.ConversationStart(
            session=self._session, scenario=f"scenarios/{self._scenario}", owner_epoch=epoch
        )

    async def _read(self, stream: Stream, listener: ConversationListener, address: str) -> None:
        try:
            while (response := await stream.receive()) is not None:
                self._take(response, listener)
            self._fail(_ended(address))
        except MeshError as error:
            self._fail(error)
        except Exception:
            logger.exception("unforeseen exception in a conversation")
            self._fail(MeshError(Reason.INTERNAL_ERROR, "an internal error was logged"))

    async def _write(self, stream: Stream) -> None:
        try:
            await self._outbox.run(stream.send)
        except MeshError as error:
            self._fail(error)

    def _put(self, request: pb.ConverseRequest) -> None:
        try:
            self._outbox.put(request)
        except OutboxFull as error:
            self._fail(PeerUnreachable("UNAVAILABLE", f"orchestrator: {error}"))

    def _fail(self, error: MeshError) -> None:
        if not self._failed.done():
            self._failed.set_result(error)

    def _take(self, response: pb.ConverseResponse, listener: ConversationListener) -> None:
        kind = response.WhichOneof("event")
        if kind == "segment":
            listener.segment(response.segment.segment, response.segment.text)
        elif kind == "turn_started":
            started = response.turn_started
            listener.turn_started(started.turn, started.cause, _id(started.agent), _voice(started))
        elif kind == "turn_completed":
            completed = response.turn_completed
            token = _seconds(completed, "first_token_latency")
            listener.turn_completed(completed.turn, _outcome(completed), token)
        elif kind == "tool_call_started":
            _, _, turn, *_ = [*response.tool_call_started.request_id.split("/"), "", ""]
            listener.tool_call(turn, _id(response.tool_call_started.tool))
        elif kind == "utterance_ack":
            self._unacknowledged.pop(response.utterance_ack.utterance, None)


def _ready(response: pb.ConverseResponse | None, address: str) -> str:
    if response is None or not response.HasField("ready"):
        raise PeerUnreachable("UNAVAILABLE", f"{address}: the conversation did not become ready")
    return _id(response.ready.agent)


def _silent(address: str) -> MeshError:
    return PeerUnreachable("UNAVAILABLE", f"{address}: not ready within {READY_SECONDS:g} s")


def _ended(address: str) -> MeshError:
    return PeerUnreachable("UNAVAILABLE", f"{address}: the orchestrator ended the conversation")


def _id(name: str) -> str:
    """The id in `agents/{agent}` or `tools/{tool}`."""
    return name.rpartition("/")[2]


def _voice(started: pb.TurnStarted) -> Voice:
    voice = started.voice
    return Voice(name=voice.name, style=voice.style, rate=voice.rate, pitch=voice.pitch)


_OUTCOMES = {
    pb.TurnCompleted.OUTCOME_COMPLETED: "completed",
    pb.TurnCompleted.OUTCOME_INTERRUPTED: "interrupted",
    pb.TurnCompleted.OUTCOME_FAILED: "failed",
}


def _outcome(completed: pb.TurnCompleted) -> Outcome:
    model, tool = _seconds(completed, "model_duration"), _seconds(completed, "tool_duration")
    return Outcome(
        name=_OUTCOMES.get(completed.outcome, "completed"),
        failure_reason=completed.failure_reason,
        model_ms=None if model is None else round(model * 1000, 2),
        tool_ms=None if tool is None else round(tool * 1000, 2),
        model_usage=tuple(map(_model_use, completed.model_usage)),
        unmeasured_answers=completed.unmeasured_answers,
    )


def _model_use(usage: pb.ModelUsage) -> ModelUse:
    return ModelUse(
        provider=usage.provider,
        model=usage.model,
        input_tokens=usage.input_tokens,
        cached_input_tokens=usage.cached_input_tokens,
        output_tokens=usage.output_tokens,
    )


def _seconds(completed: pb.TurnCompleted, field: str) -> float | None:
    if not completed.HasField(field):
        return None
    duration: Duration = getattr(completed, field)
    return duration.ToNanoseconds() / 1e9


def _utterance(utterance: Utterance) -> pb.UserUtterance:
    return pb.UserUtterance(
        utterance=utterance.name,
        transcript=utterance.text,
        language_code=utterance.language_code,
        confidence=utterance.confidence,
        start_sample=utterance.start_sample,
        end_sample=utterance.end_sample,
        keyed=utterance.keyed,
    )
