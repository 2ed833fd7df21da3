"""A pod waits for Redis ever more rarely, and says what of it would lose sessions."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from memory.embedded import EmbeddedValkey
from memory.hotstore import HotStore
from meshkit.errors import MeshError, Reason
from meshkit.startup import StartupError
from session_store.readiness import LONGEST_PAUSE_SECONDS, check_server, until_answering


class Awaited:
    """A store that answers at the n-th ping."""

    def __init__(self, failures: int) -> None:
        self.failures = failures

    async def ping(self) -> None:
        if self.failures:
            self.failures -= 1
            raise MeshError(Reason.STORE_UNAVAILABLE, "nobody there")


async def test_it_asks_until_there_is_an_answer(caplog: pytest.LogCaptureFixture) -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    await until_answering(Awaited(12), sleep)  # type: ignore[arg-type]
    assert len(pauses) == 12
    assert pauses[0] <= 0.2
    assert max(pauses) <= LONGEST_PAUSE_SECONDS
    assert min(pauses[-3:]) > 2
    assert {record.message for record in caplog.records} == {"waiting for redis"}


async def test_eviction_and_a_missing_file_are_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    async with EmbeddedValkey(tmp_path) as valkey, HotStore(valkey.url) as hot:
        await check_server(hot)
        assert not caplog.records
        await hot.command("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        await hot.command("CONFIG", "SET", "appendonly", "no")
        await check_server(hot)
    assert [record.message for record in caplog.records] == [
        "redis may evict live sessions",
        "redis keeps no append-only file",
    ]


class Telling:
    """A store that tells facts, or refuses to."""

    address = "redis:6379"

    def __init__(self, told: bytes | None) -> None:
        self._told = told

    async def facts(self) -> bytes:
        if self._told is None:
            raise MeshError(Reason.INTERNAL_ERROR, "NOPERM")
        return self._told


@pytest.mark.parametrize("version", ["7.0.15", "7.2.4", "8.1.0", "10.0"])
async def test_a_recent_server_is_taken(version: str) -> None:
    await check_server(Telling(f"redis_version:{version}\r\n".encode()))  # type: ignore[arg-type]


async def test_an_old_server_is_refused_in_a_sentence() -> None:
    with pytest.raises(StartupError, match=r"redis:6379 is version 6\.2\.14; 7\.0 or later"):
        await check_server(Telling(b"redis_version:6.2.14\r\n"))  # type: ignore[arg-type]


async def test_a_server_that_tells_nothing_is_taken() -> None:
    await check_server(Telling(None))  # type: ignore[arg-type]
