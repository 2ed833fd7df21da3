"""What goes wrong with Redis comes out as a reason, within the budget."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from memory.embedded import EmbeddedValkey
from memory.hotstore import HotStore
from memory.scripts import Script
from meshkit.errors import MeshError


def script(text: str) -> Script:
    import hashlib

    return Script("test", text, hashlib.sha1(text.encode()).hexdigest())


WRITE = script("#!lua\nreturn redis.call('SET', KEYS[1], ARGV[1])")


@pytest.fixture
async def valkey(tmp_path: Path) -> AsyncIterator[EmbeddedValkey]:
    async with EmbeddedValkey(tmp_path) as server:
        yield server


@pytest.fixture
async def hot(valkey: EmbeddedValkey) -> AsyncIterator[HotStore]:
    async with HotStore(valkey.url) as store:
        yield store


def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def test_nobody_there_is_store_unavailable_with_a_time_to_come_again() -> None:
    async with HotStore(f"redis://:hush@127.0.0.1:{unused_port()}/0") as hot:
        with pytest.raises(MeshError, match="cannot be reached") as refused:
            await hot.ping()
    assert refused.value.reason == "STORE_UNAVAILABLE"
    assert refused.value.retry_after_seconds == 1.0
    assert "hush" not in str(refused.value)


async def test_a_silent_server_costs_no_more_than_the_budget(
    valkey: EmbeddedValkey, hot: HotStore
) -> None:
    await hot.ping()
    assert valkey.pid is not None
    os.kill(valkey.pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        with pytest.raises(MeshError) as refused:
            await hot.command("PING", timeout=0.3)
        assert time.monotonic() - began < 1.0
    finally:
        os.kill(valkey.pid, signal.SIGCONT)
    assert refused.value.reason == "STORE_UNAVAILABLE"
    await hot.ping()  # and the connection that was given up is not used again


async def test_a_restarted_server_is_found_again(tmp_path: Path) -> None:
    async with EmbeddedValkey(tmp_path / "data") as first:
        hot = HotStore(first.url)
        await hot.command("SET", "k", "v")
    async with EmbeddedValkey(tmp_path / "data", port=first.port), hot:
        assert await hot.command("GET", "k") == b"v"


async def test_wrong_password_is_told_without_retrying(
    valkey: EmbeddedValkey, hot: HotStore
) -> None:
    await hot.command("CONFIG", "SET", "requirepass", "right")
    async with HotStore(valkey.url.replace("//", "//:wrong@")) as stranger:
        with pytest.raises(MeshError, match="refused our credentials") as refused:
            await stranger.ping()
    assert refused.value.reason == "STORE_UNAVAILABLE"
    assert "wrong" not in str(refused.value).replace("WRONGPASS", "")


async def test_full_memory_refuses_all_of_a_script(hot: HotStore) -> None:
    await hot.command("CONFIG", "SET", "maxmemory", "1")
    two = script("#!lua\nredis.call('DEL', 'x') redis.call('SET', KEYS[1], ARGV[1])")
    with pytest.raises(MeshError, match="out of memory") as refused:
        await hot.run(two, ["k"], ["v"])
    assert refused.value.reason == "STORE_FULL"
    assert refused.value.retry_after_seconds == 1.0


async def test_a_key_of_another_type_is_our_bug_not_the_callers(
    hot: HotStore, caplog: pytest.LogCaptureFixture
) -> None:
    await hot.command("SET", "k", "v")
    pushing = script("#!lua\nreturn redis.call('RPUSH', KEYS[1], ARGV[1])")
    with pytest.raises(MeshError) as refused:
        await hot.run(pushing, ["k"], ["v"])
    assert refused.value.reason == "INTERNAL_ERROR"
    assert "another type" in str(caplog.records[-1].cause)  # type: ignore[attr-defined]


async def test_a_durable_write_is_in_the_file_before_the_answer(
    tmp_path: Path, valkey: EmbeddedValkey, hot: HotStore
) -> None:
    await hot.command("CONFIG", "SET", "appendfsync", "everysec")
    await hot.run(WRITE, ["k"], ["durable-value"], durable=True)
    written = next((tmp_path / "appendonlydir").glob("*.incr.aof")).read_bytes()
    assert b"durable-value" in written


async def test_without_an_append_only_file_durable_is_refused(hot: HotStore) -> None:
    await hot.command("CONFIG", "SET", "appendonly", "no")
    with pytest.raises(MeshError, match="VOICEMESH_STORE_DURABILITY") as refused:
        await hot.run(WRITE, ["k"], ["v"], durable=True)
    assert refused.value.reason == "STORE_NOT_DURABLE"
    assert refused.value.retry_after_seconds == 1.0


async def test_without_a_replica_replica_durability_is_refused(valkey: EmbeddedValkey) -> None:
    async with HotStore(valkey.url, durability="replica", timeout=1.0) as hot:
        with pytest.raises(MeshError) as refused:
            await hot.run(WRITE, ["k"], ["v"], durable=True)
    assert refused.value.reason == "STORE_NOT_DURABLE"


async def test_memory_durability_asks_nothing_of_the_server(valkey: EmbeddedValkey) -> None:
    async with HotStore(valkey.url, durability="memory") as hot:
        await hot.command("CONFIG", "SET", "appendonly", "no")
        assert await hot.run(WRITE, ["k"], ["v"], durable=True) == b"OK"


async def test_many_at_once_share_few_connections(valkey: EmbeddedValkey) -> None:
    async with HotStore(valkey.url, max_connections=4) as hot:
        await asyncio.gather(*(hot.command("INCR", "n") for _ in range(200)))
        assert await hot.command("GET", "n") == b"200"
        clients = await hot.command("CLIENT", "LIST")
        assert len(clients.splitlines()) <= 4


async def test_a_cancelled_request_does_not_leave_its_answer_to_the_next(
    valkey: EmbeddedValkey,
) -> None:
    async with HotStore(valkey.url, max_connections=1) as hot:
        waiting = asyncio.create_task(hot.command("BLPOP", "never", 5))
        while b"cmd=blpop" not in await _clients(valkey):
            await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert await hot.command("ECHO", "mine") == b"mine"


async def _clients(valkey: EmbeddedValkey) -> bytes:
    async with HotStore(valkey.url) as other:
        listed: bytes = await other.command("CLIENT", "LIST")
        return listed


def test_a_url_of_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="redis://"):
        HotStore("http://127.0.0.1:1")
