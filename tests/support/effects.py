"""Tool-executor processes whose tools leave their effects in a file and wait where a test says."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections import deque
from collections.abc import AsyncIterator, Mapping
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
    go: asyncio.Event = field(default_factory=asyncio.Event)
    """Lets go what is held."""

    def hold_at(self, point: str) -> None:
        """From now on hold tools there."""
        self.hold, self.reached, self.go = point, asyncio.Event(), asyncio.Event()

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
                await self._let_go(reader)
            writer.write(b"go\n")
            await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def _let_go(self, reader: asyncio.StreamReader) -> None:
        """Wait until the test lets it go, or the process is gone."""
        waits = [asyncio.ensure_future(self.go.wait()), asyncio.ensure_future(reader.read())]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)


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
        await killed(self.process)


async def killed(process: Process) -> None:
    """`kill -9`, and wait for its end."""
    os.kill(process.pid, signal.SIGKILL)
    await process.wait()


@asynccontextmanager
async def executor_process(store_address: str, effects: Effects) -> AsyncIterator[Pod]:
    """An executor of the tools above; a claim of it is dead a second after it is."""
    environment = {
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
    async with service_process("tool-executor", environment) as (process, address):
        async with grpc.aio.insecure_channel(address) as channel:
            yield Pod(process, ToolExecutorServiceStub(channel), address)


@asynccontextmanager
async def service_process(
    name: str, environment: Mapping[str, str]
) -> AsyncIterator[tuple[Process, str]]:
    """A service of the mesh as a process that is healthy, and its address."""
    port = _free_port()
    told = {"VOICEMESH_GRPC_PORT": str(port), **environment}
    command = (sys.executable, "-m", name.replace("-", "_"))
    lines: deque[str] = deque(maxlen=200)
    process = Process(Part(name, command, told, port), lambda _, line: lines.append(line))
    await process.start()
    try:
        await process.until_healthy(START_SECONDS)
        yield process, f"127.0.0.1:{port}"
    finally:
        await process.stop(0.5)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
