"""A tool-executor on the wire whose tools do what a test says. A real gRPC server, no policy."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.duration_pb2 import Duration

from meshkit.errors import MeshError
from meshkit.server import MeshServer
from meshkit.settings import MeshSettings
from meshkit.streams import ServerStream
from voicemesh.tools.v1 import outcome_pb2
from voicemesh.tools.v1 import tool_executor_pb2 as pb
from voicemesh.tools.v1.tool_executor_pb2_grpc import (
    ToolExecutorServiceServicer,
    add_ToolExecutorServiceServicer_to_server,
)

Body = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]
SHIPPED = (
    "refund_fee",
    "verify_client_identity",
    "get_account_summary",
    "get_recent_transactions",
    "search_knowledge_base",
)
BODY_SECONDS = 0.25
"""What every outcome says that its tool took."""


async def succeed(arguments: dict[str, Any]) -> dict[str, Any]:
    """A tool that always works."""
    return {"success": True, "message": "It worked."}


@dataclass
class ToolDouble(ToolExecutorServiceServicer):
    """`asked` holds the requests in order; `refuse` are errors for the next ones."""

    bodies: dict[str, Body] = field(default_factory=lambda: dict.fromkeys(SHIPPED, succeed))
    effects: dict[str, int] = field(default_factory=dict)
    confirmed: set[str] = field(default_factory=set)
    asked: list[pb.ExecuteToolRequest] = field(default_factory=list)
    refuse: list[MeshError] = field(default_factory=list)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    cancellable: set[str] = field(default_factory=set)
    long: set[str] = field(default_factory=set)
    progress: list[str] = field(default_factory=list)
    """What every run tells before it begins."""
    stopped: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    """The request_ids that CancelTool named."""
    finished: list[str] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    address: str = ""
    page_size: int = 3

    async def ListTools(self, request: pb.ListToolsRequest, _: Any) -> pb.ListToolsResponse:
        """The tools, in small pages."""
        names = sorted(self.bodies)
        start = int(request.page_token or 0)
        end = start + self.page_size
        return pb.ListToolsResponse(
            tools=[self._tool(name) for name in names[start:end]],
            next_page_token=str(end) if end < len(names) else "",
        )

    async def ExecuteTool(self, request: pb.ExecuteToolRequest, context: Any) -> None:
        """Run the body that the test gave."""
        async with self.changed:
            self.asked.append(request)
            self.changed.notify_all()
        if self.refuse:
            raise self.refuse.pop(0)
        stream: ServerStream[pb.ExecuteToolResponse, Any] = ServerStream(
            context, pb.ExecuteToolResponse, interval=0.25, reads=False
        )
        async with stream:
            for message in self.progress:
                told = pb.ToolProgress(message=message)
                await stream.send(pb.ExecuteToolResponse(progress=told))
            outcome = await self._run(request)
            await stream.send(pb.ExecuteToolResponse(outcome=outcome))

    async def CancelTool(self, request: pb.CancelToolRequest, _: Any) -> pb.CancelToolResponse:
        """Take note."""
        self.stopped.put_nowait(request.request_id)
        return pb.CancelToolResponse()

    async def until_asked(self, count: int = 1) -> pb.ExecuteToolRequest:
        """Wait for the `count`-th request."""
        async with self.changed:
            await self.changed.wait_for(lambda: len(self.asked) >= count)
        return self.asked[count - 1]

    def _tool(self, name: str) -> pb.Tool:
        return pb.Tool(
            name=f"tools/{name}",
            description=f"Does {name}.",
            parameters_json='{"type": "object", "properties": {}}',
            cancellable=name in self.cancellable,
            long_running=name in self.long,
            timeout=Duration(seconds=1),
            effect=self.effects.get(name, pb.TOOL_EFFECT_READ_ONLY),  # type: ignore[arg-type]
            confirmed=name in self.confirmed,
        )

    async def _run(self, request: pb.ExecuteToolRequest) -> outcome_pb2.ToolOutcome:
        tool = request.name.removeprefix("tools/")
        try:
            result = await self.bodies[tool](json.loads(request.arguments_json))
        except asyncio.CancelledError:
            self.cancelled.append(tool)
            raise
        outcome = outcome_pb2.ToolOutcome(result_json=json.dumps(result))
        outcome.execution_duration.FromMilliseconds(int(BODY_SECONDS * 1000))
        self.finished.append(tool)
        return outcome


@asynccontextmanager
async def tool_double(port: int = 0, double: ToolDouble | None = None) -> AsyncIterator[ToolDouble]:
    """The double, serving; a new one unless one is given."""
    double = double or ToolDouble()
    server = MeshServer("tool-executor", MeshSettings(), port=port)
    add_ToolExecutorServiceServicer_to_server(double, server.grpc)
    async with server:
        await server.ready()
        double.address = server.address
        yield double
