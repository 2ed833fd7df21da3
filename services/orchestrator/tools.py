"""The tool-executor, as a turn needs it: what tools there are, and what came of a call."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass

import grpc

from meshkit.context import outgoing_metadata
from meshkit.errors import MeshError, PeerUnreachable, Reason, unreachable
from meshkit.fleet import Fleet
from meshkit.logging import get_logger
from meshkit.rpc import Retry
from meshkit.rpc_telemetry import asking
from meshkit.streams import ClientStream
from orchestrator.history import NOTHING_EARLIER, Earlier, Message, ToolCall
from voicemesh.tools.v1 import outcome_pb2
from voicemesh.tools.v1 import tool_executor_pb2 as pb
from voicemesh.tools.v1.tool_executor_pb2_grpc import ToolExecutorServiceStub

logger = get_logger("orchestrator.tools")

LIST_SECONDS = 5.0
EFFECT_MARKER = "x-effect"
"""Schema extension that tells a model which tools act on the world: `effectful`, and it is to ask for a
yes first, or `confirmed`, and the tool-executor asks."""
MAX_PAGES = 100
TRIES = 3
TOOLS_UNAVAILABLE = "TOOLS_UNAVAILABLE"
"""Reason of an outcome that no tool-executor gave."""
NOT_ANSWERING = "That system is not answering right now. Please try again in a moment."
NOT_SAFE = (
    "That cannot be done safely right now, so nothing was done. Please try again in a moment."
)
TOO_LONG = "This took too long. It is not known whether it was done."
BROKEN_OFF = "That system stopped answering. It is not known whether it was done."
CANCEL_SECONDS = 2.0
LONG_SECONDS = 15.0
"""Beyond a long tool's own deadline, for reaching a pod and waiting for another's claim to end."""
_RETRY = Retry(attempts=3, first_seconds=0.1)
_NOT_SENT = "failed to connect"
"""gRPC's words, since no status tells it; any other failure may have come after the request."""
_RUNS_AGAIN = (pb.TOOL_EFFECT_READ_ONLY, pb.TOOL_EFFECT_IDEMPOTENT)

_NOT_DURABLE = (Reason.STORE_UNAVAILABLE, Reason.STORE_NOT_DURABLE, Reason.STORE_FULL)

Outcome = outcome_pb2.ToolOutcome
Progress = Callable[[str], Awaitable[None]]
"""Takes a sentence about how far a long tool has got."""


@dataclass(frozen=True, slots=True)
class Caller:
    """On whose behalf a tool runs."""

    session: str
    """`sessions/{session}`."""
    agent: str
    """`agents/{agent}`."""
    owner_epoch: int
    earlier: Earlier = NOTHING_EARLIER
    """What ran for them before the call that is made."""


class _BrokenOff(PeerUnreachable):
    """A request went out, and nothing tells what became of it."""


class Tools:
    """The tools of the mesh. `seconds`: what one call may take, retries included."""

    def __init__(self, fleet: Fleet, *, seconds: float, heartbeat: float) -> None:
        self._fleet = fleet
        self._seconds = seconds
        self._heartbeat = heartbeat
        self._known: Mapping[str, pb.Tool] = {}
        self._asked_at: dict[str, str] = {}
        """The pod that each call under way was sent to."""
        self._stopping: set[asyncio.Task[None]] = set()

    @property
    def names(self) -> frozenset[str]:
        """The tools last listed."""
        return frozenset(self._known)

    def only_reads(self, name: str) -> bool:
        """Whether a call of this tool may be given up without wondering what it did."""
        tool = self._known.get(name)
        return tool is not None and tool.effect == pb.TOOL_EFFECT_READ_ONLY

    def is_long(self, name: str) -> bool:
        """Whether the tool tells its progress, and may go on after its turn."""
        tool = self._known.get(name)
        return tool is not None and tool.long_running

    def stop(self, call: ToolCall) -> None:
        """Ask for a call under way to be stopped, if its tool declares that safe. Does not wait:
        `run` answers what became of it."""
        tool, address = self._known.get(call.tool), self._asked_at.get(call.request_id)
        if tool is None or not tool.cancellable or address is None:
            return
        task = asyncio.create_task(self._stop(call.request_id, address))
        self._stopping.add(task)
        task.add_done_callback(self._stopping.discard)

    async def finished(self) -> None:
        """Wait until what was to be stopped was told so, for a bounded time."""
        if self._stopping:
            await asyncio.wait(tuple(self._stopping))

    async def refresh(self) -> None:
        """List the tools again. Raises MeshError."""
        found: dict[str, pb.Tool] = {}
        token = ""
        for _ in range(MAX_PAGES):
            request = pb.ListToolsRequest(page_size=100, page_token=token)
            page = await self._fleet.unary(
                ToolExecutorServiceStub, "ListTools", request, timeout=LIST_SECONDS, retry=_RETRY
            )
            found |= {tool.name.removeprefix("tools/"): tool for tool in page.tools}
            token = page.next_page_token
            if not token:
                break
        self._known = found

    def offered(self, names: Iterable[str]) -> list[Message]:
        """The tools as a model is offered them."""
        return [_function(self._known[name]) for name in names if name in self._known]

    async def run(
        self, call: ToolCall, caller: Caller, progress: Progress | None = None
    ) -> Outcome:
        """What came of a call. Failures are outcomes too, for the model to speak about.

        `progress` hears what a long tool tells meanwhile. Raises MeshError only when the call is no
        longer ours (CALL_OWNER_SUPERSEDED).
        """
        request = pb.ExecuteToolRequest(
            name=f"tools/{call.tool}",
            session=caller.session,
            arguments_json=call.arguments,
            request_id=call.request_id,
            agent=caller.agent,
            owner_epoch=caller.owner_epoch,
            earlier=_told(caller.earlier),
        )
        try:
            async with asyncio.timeout(self._seconds_for(call.tool)):
                return await self._tried(request, progress)
        except TimeoutError:
            return _failure("TIMED_OUT", TOO_LONG, retryable=False)
        except MeshError as error:
            if error.is_reason(Reason.CALL_OWNER_SUPERSEDED):
                raise
            logger.warning("no outcome", extra={"tool": call.tool, "reason": error.reason})
            return self._without_outcome(call.tool, error)
        finally:
            self._asked_at.pop(call.request_id, None)

    def _seconds_for(self, name: str) -> float:
        if not self.is_long(name):
            return self._seconds
        own = self._known[name].timeout.ToTimedelta().total_seconds()
        return max(self._seconds, own + LONG_SECONDS)

    async def _stop(self, request_id: str, address: str) -> None:
        try:
            await self._fleet.unary(
                ToolExecutorServiceStub,
                "CancelTool",
                pb.CancelToolRequest(request_id=request_id),
                timeout=CANCEL_SECONDS,
                address=address,
            )
        except MeshError as error:
            logger.info("tool not stopped", extra={"reason": error.reason})

    def _without_outcome(self, name: str, error: MeshError) -> Outcome:
        """A model that is told to try again asks under another id: never for what may have acted."""
        if error.code is grpc.StatusCode.DEADLINE_EXCEEDED:
            return _failure("TIMED_OUT", TOO_LONG, retryable=False)
        tool = self._known.get(name)
        if _may_have_acted(error) and (tool is None or tool.effect not in _RUNS_AGAIN):
            return _failure("OUTCOME_UNKNOWN", BROKEN_OFF, retryable=False)
        message = NOT_SAFE if error.is_reason(*_NOT_DURABLE) else NOT_ANSWERING
        return _failure(TOOLS_UNAVAILABLE, message, retryable=True)

    async def _tried(self, request: pb.ExecuteToolRequest, progress: Progress | None) -> Outcome:
        """Ask one pod after another, with the same request_id: it runs once all the same."""
        tried: list[str] = []
        broken: MeshError | None = None
        for attempt in range(TRIES):
            try:
                return await self._asked(request, self._another(tried), progress)
            except MeshError as error:
                if isinstance(error, PeerUnreachable) and tried:
                    self._fleet.suspect(tried[-1])
                broken = error if _may_have_acted(error) else broken
                if error.is_reason(Reason.CALL_OWNER_SUPERSEDED):
                    raise
                waits = error.retryable or error.is_reason(Reason.TOOL_CONCURRENCY_EXCEEDED)
                if attempt + 1 == TRIES or not waits:
                    raise broken or error from None
                await asyncio.sleep(_RETRY.delay_seconds(attempt, error))
        raise AssertionError("TRIES is at least one")

    def _another(self, tried: list[str]) -> str:
        """A pod that was not tried yet, while there is one. Raises PeerUnreachable."""
        fresh = self._fleet.addresses - set(tried)
        tried.append(self._fleet.pick(exclude=tried if fresh else ()))
        return tried[-1]

    async def _asked(
        self, request: pb.ExecuteToolRequest, address: str, progress: Progress | None
    ) -> Outcome:
        self._asked_at[request.request_id] = address
        stub = self._fleet.stub(ToolExecutorServiceStub, address)
        seconds = self._seconds_for(request.name.removeprefix("tools/"))
        with asking(ToolExecutorServiceStub, "ExecuteTool", address):
            return await self._outcome(stub, request, address, seconds, progress)

    async def _outcome(
        self,
        stub: ToolExecutorServiceStub,
        request: pb.ExecuteToolRequest,
        address: str,
        seconds: float,
        progress: Progress | None,
    ) -> Outcome:
        answers = stub.ExecuteTool(request, timeout=seconds, metadata=outgoing_metadata())
        stream = ClientStream[pb.ExecuteToolRequest, pb.ExecuteToolResponse](
            answers, pb.ExecuteToolRequest, interval=self._heartbeat, peer=address
        )
        async with stream:
            try:
                while (answer := await stream.receive()) and answer.HasField("progress"):
                    if progress is not None and answer.progress.message:
                        await progress(answer.progress.message)
            except PeerUnreachable as error:
                if _NOT_SENT in error.message:
                    raise
                raise _BrokenOff(error.reason, error.message, code=error.code) from None
        if answer is None:
            raise unreachable(grpc.StatusCode.UNAVAILABLE, "ended without an outcome", address)
        return answer.outcome


def _may_have_acted(error: MeshError) -> bool:
    """Whether the tool may have begun somewhere, and nothing tells what it did."""
    return isinstance(error, _BrokenOff) or error.is_reason(Reason.TOOL_STILL_RUNNING)


def told_to_model(outcome: Outcome) -> str:
    """The JSON that the model is given as a call's result."""
    if outcome.WhichOneof("outcome") == "failure":
        failure = outcome.failure
        told = {
            "success": False,
            "reason": failure.reason,
            "message": failure.message,
            "retryable": failure.retryable,
        }
        return json.dumps(told, ensure_ascii=False)
    return str(outcome.result_json)


def _function(tool: pb.Tool) -> Message:
    parameters = json.loads(tool.parameters_json or "{}")
    # A tool that the executor confirms is called at once: the executor asks the exact question.
    if tool.effect == pb.TOOL_EFFECT_EFFECTFUL:
        parameters[EFFECT_MARKER] = "confirmed" if tool.confirmed else "effectful"
    function = {
        "name": tool.name.removeprefix("tools/"),
        "description": tool.description,
        "parameters": parameters,
    }
    return {"type": "function", "function": function}


def _told(earlier: Earlier) -> pb.EarlierRuns | None:
    if earlier == NOTHING_EARLIER:
        return None
    return pb.EarlierRuns(
        same_in_turn=earlier.same_in_turn, in_turn=earlier.in_turn, in_call=earlier.in_call
    )


def _failure(reason: str, message: str, *, retryable: bool) -> Outcome:
    failure = outcome_pb2.ToolFailure(reason=reason, message=message, retryable=retryable)
    return Outcome(failure=failure)


NOT_OFFERED = _failure(
    "TOOL_NOT_FOUND", "You have no such tool. Use those that you were given.", retryable=False
)
"""What comes of calling a tool that the agent does not have."""
STILL_RUNNING = json.dumps(
    {
        "success": False,
        "reason": "STILL_RUNNING",
        "message": "This takes longer and still runs. Its result will be here later; do not repeat it.",
    }
)
"""What a model is told of a long call whose turn is over."""
