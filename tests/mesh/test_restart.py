"""A local mesh remembers: its Valkey is killed under it, and it is stopped and started again."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest

from cli.mesh import LocalMesh
from cli.ports import Ports
from tests.support.scripted_mesh import ENGINE, ROOT
from voicemesh.session.v1 import journal_event_pb2 as ev
from voicemesh.session.v1 import journal_pb2 as jr
from voicemesh.session.v1 import session_store_pb2 as ss
from voicemesh.session.v1.journal_pb2_grpc import JournalServiceStub
from voicemesh.session.v1.session_store_pb2_grpc import SessionStoreServiceStub

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


@asynccontextmanager
async def started(folder: Path, lines: asyncio.Queue[tuple[str, str]]) -> AsyncIterator[LocalMesh]:
    """The mesh with its data in a folder; the lines that it prints of each part."""
    environment = {"PYTHONPATH": str(ROOT), "VOICEMESH_SPEECH_PROVIDER": ENGINE}
    mesh = LocalMesh(
        Ports.free(),
        data=folder,
        print_line=lambda part, line: lines.put_nowait((part, line)),
        environment=environment,
    )
    async with mesh:
        yield mesh


async def write(channel: grpc.aio.Channel, number: int) -> int:
    """Append an event; the place that it has, the same one if it was there."""
    event = ev.JournalEvent(event_id=f"u{number}", utterance=ev.UtteranceAccepted())
    request = jr.AppendEventsRequest(session="sessions/a", events=[event])
    answer = await JournalServiceStub(channel).AppendEvents(request, timeout=10)
    return int(answer.last_sequence)


async def test_a_mesh_remembers(tmp_path: Path) -> None:
    lines: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
    async with started(tmp_path, lines) as mesh:
        address = f"127.0.0.1:{mesh.ports.session_store}"
        async with grpc.aio.insecure_channel(address) as channel:
            create = ss.CreateSessionRequest(session_id="a", request_id="r")
            await SessionStoreServiceStub(channel).CreateSession(create, timeout=10)
            assert await write(channel, 1) == 1
            assert mesh._valkey is not None
            assert mesh._valkey.pid is not None
            os.kill(mesh._valkey.pid, signal.SIGKILL)
            async with asyncio.timeout(30):
                while await lines.get() != ("valkey", "is back"):
                    pass
            assert await write(channel, 1) == 1
            assert await write(channel, 2) == 2
    async with started(tmp_path, lines) as mesh:
        address = f"127.0.0.1:{mesh.ports.session_store}"
        async with grpc.aio.insecure_channel(address) as channel:
            assert await write(channel, 2) == 2
            assert await write(channel, 3) == 3
