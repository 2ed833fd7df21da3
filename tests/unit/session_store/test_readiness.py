"""A pod waits for Redis ever more rarely, and says what of it would lose sessions."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from memory.embedded import EmbeddedValkey
from memory.hotstore import HotStore
from meshkit.errors import MeshError, Reason
from session_store.readiness import LONGEST_PAUSE_SECONDS, until_answering, warn_of_losses


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
        await warn_of_losses(hot)
        assert not caplog.records
        await hot.command("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        await hot.command("CONFIG", "SET", "appendonly", "no")
        await warn_of_losses(hot)
    assert [record.message for record in caplog.records] == [
        "redis may evict live sessions",
        "redis keeps no append-only file",
    ]
