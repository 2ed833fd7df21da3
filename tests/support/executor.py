"""A tool-executor in this process, reached over a real channel."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc

from meshkit.context import outgoing_metadata
from meshkit.endpoints import endpoint_source
from meshkit.errors import from_rpc_error
from meshkit.fleet import Fleet
from meshkit.server import MeshServer
from tool_executor.__main__ import make_execution, make_server
from tool_executor.audit import Audit, NoAudit
from tool_executor.execution import Execution
from tool_executor.settings import ToolExecutorSettings
from toolkit import Registry
from voicemesh.tools.v1 import outcome_pb2
from voicemesh.tools.v1 import tool_executor_pb2 as pb
from voicemesh.tools.v1.tool_executor_pb2_grpc import ToolExecutorServiceStub


@dataclass
class Answer:
    """What one ExecuteTool sent."""

    outcome: outcome_pb2.ToolOutcome
    heartbeats: int


@dataclass
class RunningExecutor:
    """A stub of the executor, and what it is made of."""

    stub: Any
    server: MeshServer
    execution: Execution
    settings: ToolExecutorSettings
    _counts: dict[str, int] = field(default_factory=dict)

    def request(self, tool: str, arguments: str = "{}", **given: Any) -> pb.ExecuteToolRequest:
        """A request of session `a` with a fresh ordinal, unless `given` says otherwise."""
        session = given.pop("session", "sessions/a")
        ordinal = self._counts[session] = self._counts.get(session, -1) + 1
        return pb.ExecuteToolRequest(
            **{
                "name": f"tools/{tool}",
                "session": session,
                "arguments_json": arguments,
                "request_id": f"{session}/t1/0/{ordinal}",
                "agent": "agents/concierge",
                **given,
            }
        )

    async def send(self, request: pb.ExecuteToolRequest, timeout: float = 10.0) -> Answer:
        """The answer to it. Raises MeshError."""
        heartbeats = 0
        try:
            answers = self.stub.ExecuteTool(request, timeout=timeout, metadata=outgoing_metadata())
            async for message in answers:
                if message.HasField("outcome"):
                    return Answer(message.outcome, heartbeats)
                heartbeats += 1
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from None
        raise AssertionError("the stream ended without an outcome")

    async def run(self, tool: str, arguments: str = "{}", **given: Any) -> outcome_pb2.ToolOutcome:
        """The outcome of a fresh run. Raises MeshError."""
        return (await self.send(self.request(tool, arguments, **given))).outcome


@asynccontextmanager
async def running_executor(
    registry: Registry, store_address: str, audit: Audit | None = None, **settings: Any
) -> AsyncIterator[RunningExecutor]:
    """One executor of these tools; `settings` as in ToolExecutorSettings."""
    told = ToolExecutorSettings(
        grpc_port=0, session_store_target=f"static:{store_address}", **settings
    )
    async with Fleet("session-store", endpoint_source(told.session_store_target)) as store:
        execution = make_execution(told, registry, store, audit or NoAudit())
        server = make_server(told, registry, execution)
        async with server:
            await server.ready()
            async with grpc.aio.insecure_channel(server.address) as channel:
                yield RunningExecutor(ToolExecutorServiceStub(channel), server, execution, told)
        await execution.finish(0)
