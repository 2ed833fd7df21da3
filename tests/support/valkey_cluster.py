"""A Valkey cluster of three primaries on loopback: three real servers that share the slots."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from memory.embedded import EmbeddedValkey
from memory.hotstore import HotStore

SLOTS = 16384
NODES = 3


@asynccontextmanager
async def valkey_cluster(folder: Path) -> AsyncIterator[list[EmbeddedValkey]]:
    """The nodes, once each of them says that the cluster is whole."""
    async with AsyncExitStack() as stack:
        nodes, buses = [], []
        for number in range(NODES):
            bus = _free_port()
            options = ("--cluster-enabled", "yes", "--cluster-port", str(bus))
            node = EmbeddedValkey(folder / str(number), options=options)
            nodes.append(await stack.enter_async_context(node))
            buses.append(bus)
        await join(nodes, buses)
        yield nodes


async def join(nodes: Sequence[EmbeddedValkey], buses: Sequence[int]) -> None:
    """Make one cluster of servers that were started for one; until each says that it is whole."""
    async with AsyncExitStack() as stack:
        admins = [await stack.enter_async_context(HotStore(node.url)) for node in nodes]
        for number, admin in enumerate(admins):
            first, last = number * SLOTS // NODES, (number + 1) * SLOTS // NODES - 1
            await admin.command("CLUSTER", "ADDSLOTSRANGE", first, last)
            await admin.command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for node, bus in zip(nodes[1:], buses[1:], strict=True):
            await admins[0].command("CLUSTER", "MEET", "127.0.0.1", node.port, bus)
        async with asyncio.timeout(20):
            for admin in admins:
                while not await _whole(admin):
                    await asyncio.sleep(0.02)


async def _whole(admin: HotStore) -> bool:
    told = str(await admin.command("CLUSTER", "INFO"))
    return "cluster_state:ok" in told or ("'cluster_state': 'ok'" in told)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
