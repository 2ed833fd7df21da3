"""AzureRedisManager on a real server: values, hashes, lists, and who it says it is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from memory.azure_redis import AzureRedisManager
from memory.embedded import EmbeddedValkey
from memory.hotstore import HotStore
from meshkit.errors import MeshError
from tests.support.entra import AsyncTokenCredential


@pytest.fixture
async def valkey(tmp_path: Path) -> AsyncIterator[EmbeddedValkey]:
    async with EmbeddedValkey(tmp_path) as server:
        yield server


@pytest.fixture
async def manager(valkey: EmbeddedValkey) -> AsyncIterator[AzureRedisManager]:
    async with AzureRedisManager(host="127.0.0.1", port=valkey.port, ssl=False) as opened:
        yield opened


async def test_values_come_back_as_text(manager: AzureRedisManager) -> None:
    assert await manager.ping_async()
    for value, text in [("é", "é"), (b"b", "b"), (7, "7"), (0.1, "0.1"), ({"a": 1}, '{"a": 1}')]:
        await manager.set_value_async("k", value)
        assert await manager.get_value_async("k") == text
    assert await manager.get_value_async("none") is None


async def test_a_value_expires_only_if_told_to(manager: AzureRedisManager) -> None:
    await manager.set_value_async("k", "v")
    assert await manager._hot.command("PTTL", "k") == -1
    assert await manager.expire_async("k", 0.5)
    assert 0 < await manager._hot.command("PTTL", "k") <= 500
    assert not await manager.expire_async("none", 1)
    assert await manager.delete_value_async("k", "none") == 1


async def test_hash_fields_do_not_undo_each_other(manager: AzureRedisManager) -> None:
    await manager.store_session_data_async("h", {"a": 1, "b": True})
    await manager.update_session_field_async("h", "c", ["x"])
    assert await manager.get_session_data_async("h") == {"a": "1", "b": "true", "c": '["x"]'}
    assert manager.get_session_data("h") == await manager.get_session_data_async("h")
    assert await manager.delete_session_field_async("h", "a", "z") == 1


async def test_lists_keep_their_order(manager: AzureRedisManager) -> None:
    assert await manager.push_async("l", "a", "b", "c") == 3
    assert await manager.list_async("l", -2) == ["b", "c"]
    assert await manager.publish_channel_async("nobody", "hi") == 0


async def test_a_key_is_used_where_there_is_no_credential(
    valkey: EmbeddedValkey, manager: AzureRedisManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    await manager._hot.command("CONFIG", "SET", "requirepass", "p@ss/word")
    monkeypatch.setenv("REDIS_HOST", "127.0.0.1")
    monkeypatch.setenv("REDIS_PORT", str(valkey.port))
    monkeypatch.setenv("REDIS_ACCESS_KEY", "p@ss/word")
    async with AzureRedisManager(ssl=False) as keyed:
        assert await keyed.ping_async()
        assert keyed.get_session_data("none") == {}
    async with AzureRedisManager(access_key="wrong", ssl=False) as wrong:
        with pytest.raises(MeshError, match="refused our credentials"):
            await wrong.ping_async()


def test_a_host_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REDIS_HOST", raising=False)
    with pytest.raises(ValueError, match="REDIS_HOST"):
        AzureRedisManager()


@pytest.mark.parametrize(
    ("host", "port"), [("n.region.redis.azure.net", 10000), ("n.redis.cache.windows.net", 6380)]
)
def test_the_port_is_the_kinds(host: str, port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REDIS_PORT", raising=False)
    assert AzureRedisManager(host=host)._url == f"rediss://{host}:{port}/0"


async def test_nobody_there_is_a_reason_blocking_or_not(tmp_path: Path) -> None:
    async with EmbeddedValkey(tmp_path) as gone:
        port = gone.port
    async with AzureRedisManager(host="127.0.0.1", port=port, ssl=False) as manager:
        with pytest.raises(MeshError) as refused:
            await manager.get_value_async("k")
        with pytest.raises(MeshError) as refused_too:
            manager.load_memo("s")
    assert refused.value.reason == refused_too.value.reason == "STORE_UNAVAILABLE"


@pytest.fixture
async def keyless(
    valkey: EmbeddedValkey, manager: AzureRedisManager
) -> AsyncIterator[tuple[AzureRedisManager, AsyncTokenCredential]]:
    """A manager that shows tokens, and where it has them from."""
    await manager._hot.command("ACL", "SETUSER", "oid-1", "on", "nopass", "~*", "&*", "+@all")
    credential = AsyncTokenCredential("oid-1")
    where = AzureRedisManager(host="127.0.0.1", port=valkey.port, ssl=False, credential=credential)
    async with where as opened:
        yield opened, credential


async def test_a_new_token_reaches_live_connections_and_none_is_dropped(
    keyless: tuple[AzureRedisManager, AsyncTokenCredential],
) -> None:
    hot, credentials = keyless[0]._hot, keyless[0]._credentials
    assert credentials is not None
    assert await hot.command("ACL", "WHOAMI") == b"oid-1"
    before = await hot.command("CLIENT", "ID")
    commands = await _auth_calls(hot)
    assert await credentials._renewed()
    assert await _auth_calls(hot) == commands + 1
    assert await hot.command("CLIENT", "ID") == before
    await asyncio.gather(*(keyless[0].ping_async() for _ in range(20)))


async def test_a_blocking_connection_that_was_cut_comes_back_with_the_new_token(
    keyless: tuple[AzureRedisManager, AsyncTokenCredential], manager: AzureRedisManager
) -> None:
    """Nobody tells it; Azure closes it when its token runs out."""
    blocking, credentials = keyless[0], keyless[0]._credentials
    assert credentials is not None
    await blocking.ping_async()
    assert blocking.get_session_data("none") == {}
    assert await credentials._renewed()
    await manager._hot.command("CLIENT", "KILL", "USER", "oid-1")
    before = await _auth_calls(manager._hot)
    assert blocking.get_session_data("none") == {}
    assert await _auth_calls(manager._hot) == before + 1


async def _auth_calls(hot: HotStore) -> int:
    stats = (await hot.command("INFO", "commandstats")).decode()
    line = next(line for line in stats.splitlines() if line.startswith("cmdstat_auth:"))
    return int(line.partition("calls=")[2].partition(",")[0])


async def test_a_connection_without_its_token_is_not_used_as_somebody_else(
    keyless: tuple[AzureRedisManager, AsyncTokenCredential],
) -> None:
    manager, credential = keyless
    credential.failing = True
    with pytest.raises(MeshError, match="no Entra token"):
        await manager.ping_async()
    credential.failing = False
    assert await manager._hot.command("ACL", "WHOAMI") == b"oid-1"


async def test_a_token_that_takes_longer_than_an_operation_is_named_and_then_used(
    keyless: tuple[AzureRedisManager, AsyncTokenCredential],
) -> None:
    manager, credential = keyless
    credential.held = asyncio.Event()
    with pytest.raises(MeshError, match=r"there is no Entra token for .* yet") as refused:
        await manager._hot.command("PING", timeout=0.05)
    assert refused.value.reason == "STORE_UNAVAILABLE"
    credential.held.set()
    assert await manager._hot.command("ACL", "WHOAMI") == b"oid-1"
    assert len(credential.asked) == 1
