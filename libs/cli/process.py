"""One child process of the mesh: its lines, its health, its end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable

import aiohttp
import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from cli.parts import Part

Print = Callable[[str, str], None]
"""Takes the part's name and one line of it."""

POLL_SECONDS = 0.1
MAX_LINE_BYTES = 64 * 1024


class MeshError(Exception):
    """The mesh cannot run. The message says which part and why."""


class Process:
    """A running part. Only what this class started is ever signalled."""

    def __init__(self, part: Part, print_line: Print) -> None:
        self.part = part
        self._print = print_line
        self._last_line = ""
        self._child: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start the process; its lines are printed from now on."""
        self._child = await asyncio.create_subprocess_exec(
            *self.part.command,
            env={**os.environ, **self.part.environment},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is ours to pass on, in order
            limit=MAX_LINE_BYTES,
        )
        self._reader = asyncio.create_task(self._read(self._child))

    @property
    def pid(self) -> int:
        """The process id. Raises RuntimeError before `start`."""
        return self._running().pid

    @property
    def ended(self) -> bool:
        """Whether the process is gone."""
        return self._child is not None and self._child.returncode is not None

    def how_it_ended(self) -> str:
        """For people, such as `killed by SIGKILL` or `exit code 2: the port is in use`."""
        code = self._running().returncode
        if code is None:
            return "still running"
        if code < 0:
            return f"killed by {signal.Signals(-code).name}"
        return f"exit code {code}" + (f": {self._last_line}" if code and self._last_line else "")

    async def wait(self) -> int:
        """Wait for its end; its exit code, negative for a signal."""
        code = await self._running().wait()
        if self._reader is not None:
            await self._reader
        return code

    async def until_healthy(self, timeout: float) -> None:
        """Wait until the part says that it serves. Raises MeshError if it ends or takes too long."""
        try:
            async with asyncio.timeout(timeout):
                while not await self._healthy():
                    if self.ended:
                        await self.wait()
                        raise MeshError(f"{self.part.name} did not start: {self.how_it_ended()}")
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            raise MeshError(
                f"{self.part.name} was not ready within {timeout:g} s; its last line: {self._last_line}"
            ) from None

    async def stop(self, grace: float) -> int:
        """SIGTERM, then SIGKILL after `grace` seconds; the exit code."""
        child = self._running()
        if child.returncode is None:
            child.terminate()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace):
                return await self.wait()
        child.kill()
        return await self.wait()

    async def _read(self, child: asyncio.subprocess.Process) -> None:
        assert child.stdout is not None
        while True:
            try:
                line = await child.stdout.readline()
            except ValueError:
                continue  # a line past the limit; the reader has dropped it
            if not line:
                return
            self._last_line = line.decode(errors="replace").rstrip()
            self._print(self.part.name, self._last_line)

    async def _healthy(self) -> bool:
        if self.part.grpc_port:
            return await _grpc_serving(self.part.grpc_port)
        return await _http_ok(self.part.health_url)

    def _running(self) -> asyncio.subprocess.Process:
        if self._child is None:
            raise RuntimeError(f"{self.part.name} was not started")
        return self._child


async def _grpc_serving(port: int) -> bool:
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=1.0)
    except grpc.aio.AioRpcError:
        return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


async def _http_ok(url: str) -> bool:
    timeout = aiohttp.ClientTimeout(total=2.0)
    try:
        async with aiohttp.ClientSession(timeout=timeout) as http, http.get(url) as answer:
            return answer.status == 200
    except (aiohttp.ClientError, OSError, TimeoutError):
        return False
