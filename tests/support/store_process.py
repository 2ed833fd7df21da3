"""The session-store as a process of its own, its log, and its health."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.support.sink_scan import SCAN

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@asynccontextmanager
async def process(**environment: str) -> AsyncIterator[Process]:
    """`python -m session_store` on a free port, ended with the block."""
    told = {"VOICEMESH_GRPC_PORT": "0", **environment}
    running = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "session_store"), env={**os.environ, **told}, stderr=PIPE
    )
    try:
        yield running
    finally:
        if running.returncode is None:
            running.kill()
        _, rest = await running.communicate()
        SCAN.read("process", rest.decode(errors="replace"))


async def log_of(running: Process, message: str, seconds: float = 20) -> dict[str, Any]:
    """The first log record with this message, waited for."""
    assert running.stderr is not None
    async with asyncio.timeout(seconds):
        async for line in running.stderr:
            SCAN.read("process", line.decode(errors="replace"))
            record: dict[str, Any] = json.loads(line)
            if record["message"] == message:
                return record
    raise AssertionError(f"the process ended without saying {message!r}")


async def health(channel: grpc.aio.Channel, service: str = "") -> int:
    request = health_pb2.HealthCheckRequest(service=service)
    answer = await health_pb2_grpc.HealthStub(channel).Check(request, wait_for_ready=True)
    return int(answer.status)
