"""The embedded server is real, keeps its data, and says in a sentence why it cannot run."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from pathlib import Path

import pytest

from memory import embedded
from memory.embedded import EmbeddedUnavailable, EmbeddedValkey, find_binary
from memory.hotstore import HotStore


async def test_a_restart_remembers_what_was_written(tmp_path: Path) -> None:
    async with EmbeddedValkey(tmp_path) as valkey, HotStore(valkey.url) as hot:
        await hot.command("SET", "k", "v")
    async with EmbeddedValkey(tmp_path) as valkey, HotStore(valkey.url) as hot:
        assert await hot.command("GET", "k") == b"v"


async def test_what_was_answered_survives_kill_minus_nine(tmp_path: Path) -> None:
    async with EmbeddedValkey(tmp_path) as valkey, HotStore(valkey.url) as hot:
        await hot.command("SET", "k", "v")
        assert valkey.pid is not None
        os.kill(valkey.pid, signal.SIGKILL)
    async with EmbeddedValkey(tmp_path) as valkey, HotStore(valkey.url) as hot:
        assert await hot.command("GET", "k") == b"v"


async def test_leaving_stops_the_process(tmp_path: Path) -> None:
    async with EmbeddedValkey(tmp_path) as valkey:
        pid, port = valkey.pid, valkey.port
    assert pid is not None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


async def test_a_port_in_use_is_refused_and_its_holder_left_alone(tmp_path: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(EmbeddedUnavailable, match=f"Port {port} .* another port"):
            await EmbeddedValkey(tmp_path, port=port).__aenter__()


async def test_a_folder_in_use_is_refused(tmp_path: Path) -> None:
    async with EmbeddedValkey(tmp_path):
        with pytest.raises(EmbeddedUnavailable, match="in use by another server"):
            await EmbeddedValkey(tmp_path).__aenter__()
    async with EmbeddedValkey(tmp_path):
        pass  # free again


async def test_a_server_that_ends_at_once_is_told_with_its_last_words(tmp_path: Path) -> None:
    broken = EmbeddedValkey(tmp_path, options=("--no-such-option", "1"))
    with pytest.raises(EmbeddedUnavailable, match="ended as it started"):
        await broken.__aenter__()
    assert broken.pid is None


async def test_a_damaged_file_is_told_and_not_thrown_away(tmp_path: Path) -> None:
    async with EmbeddedValkey(tmp_path) as valkey, HotStore(valkey.url) as hot:
        await hot.command("SET", "k", "v")
    damaged = next((tmp_path / "appendonlydir").glob("*.incr.aof"))
    damaged.write_bytes(b"garbage" + damaged.read_bytes())
    with pytest.raises(EmbeddedUnavailable, match="append only file"):
        await EmbeddedValkey(tmp_path).__aenter__()
    assert damaged.read_bytes().startswith(b"garbage")


def test_no_binary_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "_binary_of_wheel", lambda: None)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(EmbeddedUnavailable, match="VOICEMESH_REDIS_URL"):
        find_binary()


def test_a_server_on_the_path_serves_where_the_wheel_does_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other = tmp_path / "redis-server"
    other.write_text("#!/bin/sh\n")
    other.chmod(0o755)
    monkeypatch.setattr(embedded, "_binary_of_wheel", lambda: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_binary() == other


async def test_a_binary_that_cannot_run_is_told(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedUnavailable, match="cannot be run"):
        await EmbeddedValkey(tmp_path, binary=tmp_path / "none").__aenter__()
