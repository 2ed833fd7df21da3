"""A HotStore on a cluster: durable writes wait where they were written, and slots may move."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from redis.crc import key_slot

from memory.entra import EntraCredentials
from memory.hotstore import HotStore
from memory.scripts import Script, ScriptCall
from memory.subscriptions import Subscriptions
from meshkit.errors import MeshError
from tests.support.entra import AsyncTokenCredential
from tests.unit.memory.test_hotstore import WRITE

pytestmark = pytest.mark.slow


@pytest.fixture
async def nodes(cluster_urls: list[str]) -> AsyncIterator[list[HotStore]]:
    async with AsyncExitStack() as stack:
        opened = [await stack.enter_async_context(HotStore(url)) for url in cluster_urls]
        for node in opened:
            await node.command("CONFIG", "SET", "maxmemory", 0, "appendonly", "yes")
            await node.command("FLUSHALL")
        yield opened


@pytest.fixture
async def hot(cluster_urls: list[str]) -> AsyncIterator[HotStore]:
    async with HotStore(cluster_urls[0], cluster=True) as store:
        yield store


async def test_keys_of_all_slots_are_written_durably(hot: HotStore, nodes: list[HotStore]) -> None:
    await asyncio.gather(*(hot.run(WRITE, [f"k{n}"], [n], durable=True) for n in range(60)))
    counts = [await node.command("DBSIZE") for node in nodes]
    assert sum(counts) == 60
    assert all(counts)


async def test_the_wait_is_at_the_node_of_the_key(hot: HotStore, nodes: list[HotStore]) -> None:
    await hot.run(WRITE, ["k0"], ["v"], durable=True)
    owner = await _owner_of("k0", nodes)
    await owner.command("CONFIG", "SET", "appendonly", "no")
    with pytest.raises(MeshError) as refused:
        await hot.run(WRITE, ["k0"], ["w"], durable=True)
    assert refused.value.reason == "STORE_NOT_DURABLE"


@pytest.mark.parametrize("durable", [False, True])
async def test_a_slot_that_has_moved_is_found(
    hot: HotStore, nodes: list[HotStore], durable: bool
) -> None:
    key = f"moved-{durable}"
    await hot.run(WRITE, [key], ["v"], durable=durable)
    before = await _owner_of(key, nodes)
    after = next(node for node in nodes if node is not before)
    await before.command("DEL", key)
    there = (await after.command("CLUSTER", "MYID")).decode()
    for node in (after, before):
        await node.command("CLUSTER", "SETSLOT", key_slot(key.encode()), "NODE", there)
    assert await hot.run(WRITE, [key], ["w"], durable=durable) == b"OK"
    assert await after.command("GET", key) == b"w"


async def test_scripts_on_several_nodes_run_together(hot: HotStore, nodes: list[HotStore]) -> None:
    calls = [ScriptCall(WRITE, [f"k{n}"], [n]) for n in range(30)]
    for _ in range(2):
        assert await hot.run_together(calls) == [b"OK"] * 30
        for node in nodes:
            await node.command("SCRIPT", "FLUSH")


async def test_keys_of_two_slots_in_one_script_are_refused(hot: HotStore) -> None:
    both = Script("both", "#!lua\nreturn 1", "0" * 40)
    with pytest.raises(MeshError):
        await hot.run(both, ["a", "b"])


async def test_messages_reach_listeners_at_any_node(hot: HotStore, nodes: list[HotStore]) -> None:
    async with Subscriptions(hot) as subscriptions, subscriptions.to("channel") as feed:
        for number, node in enumerate(nodes):
            await node.command("PUBLISH", "channel", number)
            assert await feed.next(5) == str(number).encode()


async def test_a_new_token_reaches_the_connections_to_every_node(
    cluster_urls: list[str], nodes: list[HotStore]
) -> None:
    for node in nodes:
        await node.command("ACL", "SETUSER", "oid-1", "on", "nopass", "~*", "&*", "+@all")
    async with (
        EntraCredentials(AsyncTokenCredential("oid-1")) as credentials,
        HotStore(cluster_urls[0], cluster=True, credentials=credentials) as hot,
    ):
        await asyncio.gather(*(hot.command("SET", f"k{n}", n) for n in range(60)))
        before = [await _logins(node) for node in nodes]
        await hot._client.nodes_manager.initialize()  # type: ignore[union-attr]
        assert await credentials._renewed()
        after = [await _logins(node) for node in nodes]
        assert all(then < now for then, now in zip(before, after, strict=True))
        assert len(credentials._listeners) == 1
        await asyncio.gather(*(hot.command("GET", f"k{n}") for n in range(60)))


async def _logins(node: HotStore) -> int:
    stats = (await node.command("INFO", "commandstats")).decode()
    return int(stats.partition("cmdstat_auth:calls=")[2].partition(",")[0] or 0)


async def _owner_of(key: str, nodes: list[HotStore]) -> HotStore:
    for node in nodes:
        if key.encode() in await node.command("KEYS", "*"):
            return node
    raise AssertionError(f"{key} is nowhere")
