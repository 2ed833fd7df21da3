"""A feed tells what was said, and says so when something may be missing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from memory.embedded import EmbeddedValkey
from memory.hotstore import HotStore
from memory.subscriptions import MAX_WAITING_BYTES, Feed, Subscriptions
from meshkit.errors import MeshError


@pytest.fixture
async def hot(tmp_path: Path) -> AsyncIterator[HotStore]:
    async with EmbeddedValkey(tmp_path) as valkey, HotStore(valkey.url) as opened:
        yield opened


@pytest.fixture
async def subscriptions(hot: HotStore) -> AsyncIterator[Subscriptions]:
    async with Subscriptions(hot) as opened:
        yield opened


async def say(hot: HotStore, *messages: str, channel: str = "c") -> None:
    for message in messages:
        await hot.command("PUBLISH", channel, message)


async def test_messages_come_in_order_to_each_listener(
    hot: HotStore, subscriptions: Subscriptions
) -> None:
    async with subscriptions.to("c") as one:
        await say(hot, "a", "b")
        assert [await one.next(5), await one.next(5)] == [b"a", b"b"]
        async with subscriptions.to("c") as other, subscriptions.to("d") as elsewhere:
            assert await one.next(5) is None  # another listener came; to look costs little
            await say(hot, "c")
            assert [await one.next(5), await other.next(5)] == [b"c", b"c"]
            await say(hot, "x", channel="d")
            assert await elsewhere.next(5) == b"x"


async def test_silence_is_a_none_after_the_time_given() -> None:
    assert await Feed().next(0.01) is None


async def test_a_channel_that_nobody_listens_to_is_left(
    hot: HotStore, subscriptions: Subscriptions
) -> None:
    async with subscriptions.to("c"):
        assert b"c" in await hot.command("PUBSUB", "CHANNELS")
    async with asyncio.timeout(5):
        while b"c" in await hot.command("PUBSUB", "CHANNELS"):
            await asyncio.sleep(0)
    async with subscriptions.to("c") as again:
        await say(hot, "a")
        assert await again.next(5) == b"a"


async def test_a_broken_connection_is_told_and_mended(
    hot: HotStore, subscriptions: Subscriptions
) -> None:
    async with subscriptions.to("c") as feed:
        await hot.command("CLIENT", "KILL", "TYPE", "pubsub")
        assert await feed.next(5) is None
        await say(hot, "a")
        assert await feed.next(5) == b"a"


def test_a_feed_that_is_not_read_holds_no_more_than_its_bound() -> None:
    feed = Feed()
    for _ in range(100):
        feed.put(b"x" * (MAX_WAITING_BYTES // 10))
        assert sum(map(len, feed._waiting)) <= MAX_WAITING_BYTES


async def test_what_overflowed_is_told_once_and_then_goes_on() -> None:
    feed = Feed()
    feed.put(b"x" * MAX_WAITING_BYTES)
    feed.put(b"y")
    assert await feed.next(1) is None
    feed.put(b"z")
    assert await feed.next(1) == b"z"


async def test_without_redis_nothing_is_promised(tmp_path: Path) -> None:
    async with EmbeddedValkey(tmp_path) as valkey:
        url = valkey.url
    async with HotStore(url) as hot, Subscriptions(hot) as subscriptions:
        with pytest.raises(MeshError) as refused:
            async with subscriptions.to("c", timeout=0.1):
                pass
    assert refused.value.reason == "STORE_UNAVAILABLE"
