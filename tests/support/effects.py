"""Tool-executor processes whose tools leave their effects in a file and wait where a test says."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

from cli.parts import Part
from cli.process import Process
from meshkit.errors import from_rpc_error
from voicemesh.tools.v1 import outcome_pb2
from voicemesh.tools.v1 import tool_executor_pb2 as pb
from voicemesh.tools.v1.tool_executor_pb2_grpc import ToolExecutorServiceStub

TOOLS = Path(__file__).parent / "effect_tools"
START_SECONDS = 40.0
PATIENCE_SECONDS = 60.0


@dataclass
class Effects:
    """What the tools of all pods did, and the point at which they are held (none if empty)."""

    folder: Path
    hold: str = ""
    reached: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def file(self) -> Path:
        return self.folder / "effects"

    @property
    def socket(self) -> Path:
        return self.folder / "points"

    @property
    def done(self) -> list[str]:
        """The request_ids of all effects, in order."""
        return self.file.read_text().split() if self.file.exists() else []

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Answer the tools that reach a point."""
        async with await asyncio.start_unix_server(self._point, self.socket):
            yield

    async def _point(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            point = (await reader.readline()).decode().strip()
            if point == self.hold:
                self.reached.set()
                await reader.read()  # until the process is gone
            else:
                writer.write(b"go\n")
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()


@dataclass
class Pod:
    """One executor process."""

    process: Process
    stub: Any
    address: str

    async def send(self, request: pb.ExecuteToolRequest) -> outcome_pb2.ToolOutcome:
        """The outcome. Raises MeshError."""
        try:
            async for message in self.stub.ExecuteTool(request, timeout=PATIENCE_SECONDS):
                if message.HasField("outcome"):
                    outcome: outcome_pb2.ToolOutcome = message.outcome
                    return outcome
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from None
        raise AssertionError("the stream ended without an outcome")

    async def kill(self) -> None:
        """`kill -9`."""
        os.kill(self.process.pid, signal.SIGKILL)
        await self.process.wait()


@asynccontextmanager
async def executor_process(
    store_address: str, effects: Effects, lines: list[str] | None = None
) -> AsyncIterator[Pod]:
    """An executor of the tools above; a claim of it is dead a second after it is."""
    port = _free_port()
    environment = {
        "VOICEMESH_GRPC_PORT": str(port),
        "VOICEMESH_SESSION_STORE_TARGET": f"static:{store_address}",
        "VOICEMESH_TOOLS_FOLDER": str(TOOLS),
        "VOICEMESH_AUDIT_FOLDER": "",
        "VOICEMESH_DATA_FOLDER": "",
        "VOICEMESH_EMBEDDINGS_BASE_URL": "http://127.0.0.1:1/v1",
        "VOICEMESH_CLAIM_SECONDS": "1",
        "VOICEMESH_CLAIM_WAIT_SECONDS": "20",
        "VOICEMESH_STORE_SECONDS": "20",
        "EFFECTS_FILE": str(effects.file),
        "EFFECTS_SOCKET": str(effects.socket),
    }
    part = Part("tool-executor", (sys.executable, "-m", "tool_executor"), environment, port)
    kept = [] if lines is None else lines
    process = Process(part, lambda _, line: kept.append(line))
    await process.start()
    try:
        await process.until_healthy(START_SECONDS)
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield Pod(process, ToolExecutorServiceStub(channel), f"127.0.0.1:{port}")
    finally:
        await process.stop(0.5)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
