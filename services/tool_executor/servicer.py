"""ToolExecutorService over the wire: proto in, execution, proto out; no rules of its own."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
from typing import TYPE_CHECKING, Any

from meshkit.errors import invalid
from meshkit.names import parse_tool_request_id, resource_id, session_id
from meshkit.streams import ServerStream
from tool_executor.execution import Execution
from tool_executor.ledger import Counts
from tool_executor.outcomes import duration, written
from tool_executor.requests import Request
from toolkit import Effect, Registry, Tool
from voicemesh.tools.v1 import tool_executor_pb2 as pb
from voicemesh.tools.v1.tool_executor_pb2_grpc import (
    ToolExecutorServiceServicer,
)

if TYPE_CHECKING:
    import grpc

    Context = grpc.aio.ServicerContext[Any, Any]

DEFAULT_PAGE = 100
MAX_PAGE = 1000

_EFFECTS = {
    Effect.READ_ONLY: pb.TOOL_EFFECT_READ_ONLY,
    Effect.IDEMPOTENT: pb.TOOL_EFFECT_IDEMPOTENT,
    Effect.EFFECTFUL: pb.TOOL_EFFECT_EFFECTFUL,
}


class ToolExecutorServicer(ToolExecutorServiceServicer):
    """Lists the registry and runs its tools."""

    def __init__(self, registry: Registry, execution: Execution, heartbeat_seconds: float) -> None:
        self._registry, self._execution = registry, execution
        self._heartbeat = heartbeat_seconds

    async def ListTools(
        self, request: pb.ListToolsRequest, context: Context
    ) -> pb.ListToolsResponse:
        """A page of the tools, in order of name."""
        tools = sorted(self._registry.with_tags(request.tags), key=lambda tool: tool.name)
        rest = [tool for tool in tools if tool.name > _last_name(request.page_token)]
        size = _page_size(request.page_size)
        page, more = rest[:size], len(rest) > size
        token = _page_token(page[-1].name) if more else ""
        return pb.ListToolsResponse(tools=map(_listed, page), next_page_token=token)

    async def ExecuteTool(self, request: pb.ExecuteToolRequest, context: Context) -> None:
        """Run a tool; heartbeats while it runs, its outcome last."""
        asked = _checked(request)
        stream: ServerStream[pb.ExecuteToolResponse, Any] = ServerStream(
            context, pb.ExecuteToolResponse, interval=self._heartbeat, reads=False
        )
        async with stream:
            outcome = await self._execution.execute(asked, _Progress(stream))
            await stream.send_last(pb.ExecuteToolResponse(outcome=written(outcome)))

    async def CancelTool(
        self, request: pb.CancelToolRequest, context: Context
    ) -> pb.CancelToolResponse:
        """Stop a run on this pod, if its tool declares that safe."""
        parse_tool_request_id(request.request_id)
        self._execution.cancel(request.request_id)
        return pb.CancelToolResponse()


class _Progress:
    """Sends what a long tool tells; while one message is on its way, those that follow are dropped,
    so that a talkative tool fills no queue."""

    def __init__(self, stream: ServerStream[pb.ExecuteToolResponse, Any]) -> None:
        self._stream = stream
        self._sending: asyncio.Future[None] | None = None

    def __call__(self, message: str, percent: int) -> None:
        if self._sending is None or self._sending.done():
            progress = pb.ToolProgress(message=message, percent=percent)
            self._sending = self._stream.post(pb.ExecuteToolResponse(progress=progress))


def _checked(request: pb.ExecuteToolRequest) -> Request:
    session = session_id(request.session)
    run = parse_tool_request_id(request.request_id)
    if run.session != session:
        raise invalid("request_id", "is of another session")
    if request.owner_epoch < 0:
        raise invalid("owner_epoch", "must not be negative")
    return Request(
        tool=resource_id("tools", request.name, "name"),
        session=request.session,
        turn=run.turn,
        agent=resource_id("agents", request.agent, "agent"),
        request_id=request.request_id,
        arguments_json=request.arguments_json,
        owner_epoch=request.owner_epoch,
        earlier=_earlier(request.earlier),
    )


def _earlier(told: pb.EarlierRuns) -> Counts:
    for name in ("same_in_turn", "in_turn", "in_call"):
        if getattr(told, name) < 0:
            raise invalid(f"earlier.{name}", "must not be negative")
    return Counts(repeats=told.same_in_turn, in_turn=told.in_turn, in_call=told.in_call)


def _listed(tool: Tool) -> pb.Tool:
    return pb.Tool(
        name=f"tools/{tool.name}",
        description=tool.description,
        parameters_json=json.dumps(tool.parameters, ensure_ascii=False),
        tags=sorted(tool.tags),
        timeout=duration(tool.timeout_seconds),
        effect=_EFFECTS[tool.effect],
        cancellable=tool.cancellable,
        long_running=tool.long_running,
        confirmed=bool(tool.policy.confirm),
    )


def _page_size(asked: int) -> int:
    if asked < 0:
        raise invalid("page_size", "must not be negative")
    return min(asked or DEFAULT_PAGE, MAX_PAGE)


def _page_token(name: str) -> str:
    return base64.urlsafe_b64encode(b"v1:" + name.encode()).decode()


def _last_name(token: str) -> str:
    """The last name of the page before; empty for the first page."""
    if not token:
        return ""
    try:
        text = base64.urlsafe_b64decode(token.encode()).decode()
    except (binascii.Error, UnicodeDecodeError):
        text = ""
    if not text.startswith("v1:"):
        raise invalid("page_token", "is not one that ListTools gave")
    return text.removeprefix("v1:")
