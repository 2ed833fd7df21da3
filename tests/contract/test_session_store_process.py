"""The session-store as a process: how it starts, waits for Redis, stops, and what it weighs."""

from __future__ import annotations

import asyncio
import os
import socket
from asyncio.subprocess import Process
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1.health_pb2_grpc import HealthStub

from cli.parts import mesh_parts
from cli.ports import Ports
from memory.embedded import EmbeddedValkey
from meshkit.health import asked
from tests.support import planted
from tests.support.cosmos_emulator import CosmosEmulator
from tests.support.store_process import NOT_SERVING, SERVING, health, log_of, process
from voicemesh.session.v1 import journal_event_pb2 as ev
from voicemesh.session.v1 import journal_pb2 as jr
from voicemesh.session.v1 import session_store_pb2 as ss
from voicemesh.session.v1.journal_pb2_grpc import JournalServiceStub
from voicemesh.session.v1.session_store_pb2_grpc import SessionStoreServiceStub

IDLE_MB = 120


async def test_it_serves_by_default_settings_and_weighs_little(tmp_path: Path) -> None:
    async with EmbeddedValkey(tmp_path) as valkey, process(VOICEMESH_REDIS_URL=valkey.url) as run:
        address = (await log_of(run, "ready"))["address"]
        async with grpc.aio.insecure_channel(address) as channel:
            for service in ("", "voicemesh.session.v1.JournalService"):
                assert await health(channel, service) == SERVING
        resident = _resident_megabytes(run.pid)
        print(f"session-store resident at idle: {resident:.0f} MB")
        assert resident < IDLE_MB
        run.terminate()
        assert await run.wait() == 0


async def test_redis_down_at_start_is_waited_for(tmp_path: Path) -> None:
    async with EmbeddedValkey(tmp_path) as valkey:
        url, port = valkey.url, valkey.port
    own = _unused_port()
    async with process(VOICEMESH_REDIS_URL=url, VOICEMESH_GRPC_PORT=str(own)) as run:
        warning = await log_of(run, "waiting for redis")
        assert f"127.0.0.1:{port}" in warning["cause"]
        async with grpc.aio.insecure_channel(f"127.0.0.1:{own}") as channel:
            assert await health(channel) == NOT_SERVING
            told = await asked(HealthStub(channel), 5.0)
            assert told.reason == "waiting for redis"
            async with EmbeddedValkey(tmp_path, port=port):
                await log_of(run, "ready")
                assert await health(channel) == SERVING
            run.terminate()
            assert await run.wait() == 0


async def test_the_password_of_redis_is_in_no_log() -> None:
    url = f"redis://:{planted.PASSWORD}@127.0.0.1:{_unused_port()}/0"
    async with process(VOICEMESH_REDIS_URL=url, VOICEMESH_LOG_LEVEL="debug") as run:
        warning = await log_of(run, "waiting for redis")
    assert "127.0.0.1" in warning["cause"]
    assert planted.PASSWORD not in repr(warning)


async def test_redis_down_mid_run_is_told_and_comes_back(tmp_path: Path) -> None:
    async with EmbeddedValkey(tmp_path) as valkey, process(VOICEMESH_REDIS_URL=valkey.url) as run:
        address = (await log_of(run, "ready"))["address"]
        async with grpc.aio.insecure_channel(address) as channel:
            sessions = SessionStoreServiceStub(channel)
            request = ss.CreateSessionRequest(session_id="a", request_id="r")
            await sessions.CreateSession(request, timeout=5)
            await valkey.aclose()
            with pytest.raises(grpc.aio.AioRpcError) as failure:
                await sessions.CreateSession(request, timeout=5)
            assert failure.value.code() is grpc.StatusCode.UNAVAILABLE
            assert await health(channel) == SERVING
            async with EmbeddedValkey(tmp_path, port=valkey.port):
                await sessions.CreateSession(request, timeout=5)


async def test_it_serves_while_cosmos_is_away_and_archives_when_it_is_there(
    tmp_path: Path,
) -> None:
    with CosmosEmulator() as account:
        account.add("voicemesh", "sessions", ["/tenant", "/day"], ttl=-1)
        account.away = True
        told = {
            "VOICEMESH_COSMOS_ENDPOINT": account.endpoint,
            "VOICEMESH_COSMOS_KEY": account.key,
            "VOICEMESH_ARCHIVE_LINGER_SECONDS": "0",
        }
        async with EmbeddedValkey(tmp_path) as valkey:
            async with process(VOICEMESH_REDIS_URL=valkey.url, **told) as run:
                address = (await log_of(run, "ready"))["address"]
                account.away = False
                async with grpc.aio.insecure_channel(address) as channel:
                    assert await health(channel) == SERVING
                    sessions = SessionStoreServiceStub(channel)
                    request = ss.CreateSessionRequest(session_id="a", request_id="r")
                    await sessions.CreateSession(request, timeout=5)
                    await sessions.DeleteSession(ss.DeleteSessionRequest(name="sessions/a"))
                    await log_of(run, "session archived")
                run.terminate()
                assert await run.wait() == 0
                assert run.stderr is not None
                assert b"nclosed" not in await run.stderr.read()
        (stored,) = account.documents("voicemesh", "sessions")
        assert (stored["id"], stored["reason"], stored["ttl"]) == ("a", "deleted", 90 * 86_400)


@pytest.mark.slow
async def test_a_local_mesh_that_is_told_of_cosmos_archives_there(tmp_path: Path) -> None:
    """Its runner suggests a file, and a session-store that is told of both would not start."""
    with CosmosEmulator() as account:
        account.add("voicemesh", "sessions", ["/tenant", "/day"], ttl=-1)
        own = {
            "VOICEMESH_COSMOS_ENDPOINT": account.endpoint,
            "VOICEMESH_COSMOS_KEY": account.key,
            "VOICEMESH_ARCHIVE_LINGER_SECONDS": "0",
        }
        async with EmbeddedValkey(tmp_path / "valkey") as valkey:
            parts = mesh_parts(Ports.free(), valkey.url, tmp_path, {}, planner=True, said=own)
            (part,) = (part for part in parts if part.name == "session-store")
            async with process(**own, **part.environment) as run:
                address = (await log_of(run, "ready"))["address"]
                async with grpc.aio.insecure_channel(address) as channel:
                    sessions = SessionStoreServiceStub(channel)
                    request = ss.CreateSessionRequest(session_id="a", request_id="r")
                    await sessions.CreateSession(request, timeout=5)
                    await sessions.DeleteSession(ss.DeleteSessionRequest(name="sessions/a"))
                    await log_of(run, "session archived")
        assert [stored["id"] for stored in account.documents("voicemesh", "sessions")] == ["a"]
    assert not (tmp_path / "archive.db").exists()


async def test_two_archives_are_one_too_many() -> None:
    told = {"VOICEMESH_ARCHIVE_PATH": "a.db", "VOICEMESH_COSMOS_ENDPOINT": "https://db.example"}
    async with process(VOICEMESH_REDIS_URL="redis://127.0.0.1:1/0", **told) as run:
        _, said = await run.communicate()
        assert run.returncode == 2
        assert said.decode().splitlines()[-1].endswith("name an archive; name one.")


async def test_killing_a_replica_in_the_middle_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """Writers retry on another replica whatever had no answer; ids make that safe."""
    async with AsyncExitStack() as stack:
        valkey = await stack.enter_async_context(EmbeddedValkey(tmp_path))
        start = [process(VOICEMESH_REDIS_URL=valkey.url) for _ in range(3)]
        replicas = [await stack.enter_async_context(one) for one in start]
        addresses = [(await log_of(run, "ready"))["address"] for run in replicas]
        channels = [
            await stack.enter_async_context(grpc.aio.insecure_channel(a)) for a in addresses
        ]
        create = ss.CreateSessionRequest(session_id="a", request_id="r")
        await SessionStoreServiceStub(channels[1]).CreateSession(create)
        half_written, doomed = asyncio.Event(), replicas[0]
        stubs = [JournalServiceStub(channel) for channel in channels]
        writers = [_write(stubs, writer, half_written) for writer in range(50)]
        killing = asyncio.create_task(_kill_when(half_written, doomed))
        outcomes = await asyncio.gather(*writers)
        await killing
        read = await stubs[1].ListEvents(jr.ListEventsRequest(parent="sessions/a"))
    ids = [event.event_id for event in read.events]
    assert sorted(ids) == sorted(f"w{writer}/{n}" for writer in range(50) for n in range(8))
    assert [event.sequence for event in read.events] == list(range(1, 401))
    for sequences, _ in outcomes:
        assert sequences == sorted(set(sequences)), "a writer saw the journal go back"
    assert sum(failures for _, failures in outcomes), "nobody noticed the kill"


async def _write(
    stubs: list[Any], writer: int, half_written: asyncio.Event
) -> tuple[list[int], int]:
    """The sequences that one writer was answered, and how often a replica failed it."""
    sequences, failures = [], 0
    for number in range(8):
        event = ev.JournalEvent(event_id=f"w{writer}/{number}", utterance=ev.UtteranceAccepted())
        request = jr.AppendEventsRequest(session="sessions/a", events=[event])
        for stub in (stubs[writer % 3], stubs[1]):
            try:
                response = await stub.AppendEvents(request, timeout=20)
            except grpc.aio.AioRpcError:
                assert stub is stubs[0], "a replica that lives must answer"
                failures += 1
                continue
            sequences.append(response.last_sequence)
            break
        if number == 4:
            half_written.set()
    return sequences, failures


async def _kill_when(half_written: asyncio.Event, doomed: Process) -> None:
    await half_written.wait()
    doomed.kill()
    await doomed.wait()


@pytest.mark.parametrize(
    ("url", "entra", "sentence"),
    [
        ("", "", "session-store: no Redis is named; set VOICEMESH_REDIS_URL"),
        ("http://127.0.0.1:1", "", "session-store: VOICEMESH_REDIS_URL is not a Redis URL"),
        ("redis://cache.example.com:1", "true", "session-store: redis_entra would send tokens"),
    ],
)
async def test_it_refuses_to_start_in_a_sentence(url: str, entra: str, sentence: str) -> None:
    told = {"VOICEMESH_REDIS_ENTRA": entra} if entra else {}
    async with process(VOICEMESH_REDIS_URL=url, **told) as run:
        _, stderr = await run.communicate()
    assert run.returncode == 2
    assert stderr.decode().startswith(sentence)
    assert len(stderr.decode().strip().splitlines()) == 1


def _resident_megabytes(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
