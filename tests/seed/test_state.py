"""The samples of "State Management" and of latency run as written, but for where they import from."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from memory.azure_redis import AzureRedisManager
from memory.embedded import EmbeddedValkey
from memory.memo import MemoManager
from meshkit.latency import LatencyTool
from tests.support.entra import TokenCredential


@pytest.fixture
async def valkey(tmp_path: Path) -> AsyncIterator[EmbeddedValkey]:
    async with EmbeddedValkey(tmp_path) as server:
        yield server


@pytest.fixture
async def redis_mgr(valkey: EmbeddedValkey) -> AsyncIterator[AzureRedisManager]:
    async with AzureRedisManager(host="127.0.0.1", port=valkey.port, ssl=False) as manager:
        yield manager


@pytest.fixture
def session_id() -> str:
    return "session-1"


async def test_memory_manager(redis_mgr: AzureRedisManager, session_id: str) -> None:
    # Load or create session
    memory_manager = MemoManager.from_redis(session_id, redis_mgr)

    # Conversation history
    memory_manager.append_to_history("user", "Hello")
    memory_manager.append_to_history("assistant", "Hi there!")

    # Context storage
    memory_manager.set_context("target_number", "+1234567890")

    # Persist to Redis
    await memory_manager.persist_to_redis_async(redis_mgr)

    again = MemoManager.from_redis(session_id, redis_mgr)
    assert again.get_history() == [
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hi there!"},
    ]
    assert again.get_context("target_number") == "+1234567890"


async def test_redis_session_management(valkey: EmbeddedValkey, session_id: str) -> None:
    data = '{"caller": "Ada"}'
    credential = TokenCredential("oid-1")
    async with AzureRedisManager(host="127.0.0.1", port=valkey.port, ssl=False) as admin:
        await admin._hot.command("ACL", "SETUSER", "oid-1", "on", "nopass", "~*", "&*", "+@all")
    redis_mgr = AzureRedisManager(
        host="127.0.0.1", credential=credential, port=valkey.port, ssl=False
    )
    # Session data with TTL
    await redis_mgr.set_value_async(f"session:{session_id}", data, expire=3600)

    assert await redis_mgr.get_value_async(f"session:{session_id}") == data
    seconds = await redis_mgr._hot.command("TTL", f"session:{session_id}")
    assert 3590 < seconds <= 3600
    await redis_mgr.aclose()


def test_the_sample_host_gets_its_port_and_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REDIS_PORT", raising=False)
    manager = AzureRedisManager(
        host="your-redis.redis.cache.windows.net", credential=TokenCredential("oid-1")
    )
    assert manager._url == "rediss://your-redis.redis.cache.windows.net:6380/0"


async def test_latency_tracking(redis_mgr: AzureRedisManager, session_id: str) -> None:
    memory_manager = MemoManager.from_redis(session_id, redis_mgr)

    async def send_greeting_audio() -> None:
        """What is timed."""

    latency_tool = LatencyTool(memory_manager)
    latency_tool.start("greeting_ttfb")
    await send_greeting_audio()
    latency_tool.stop("greeting_ttfb")

    await memory_manager.persist_to_redis_async(redis_mgr)
    again = LatencyTool(MemoManager.from_redis(session_id, redis_mgr))
    assert again.session_summary()["greeting_ttfb"].count == 1
