"""A session-store in this process, on a real Valkey server, reached over a real channel."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from memory.embedded import EmbeddedValkey
from memory.hotstore import HotStore
from memory.scripts import Value
from memory.subscriptions import Subscriptions
from memory.tls import RedisTLS
from session_store.__main__ import archived, make_archive, make_server
from session_store.archive import SessionArchive
from session_store.settings import SessionStoreSettings
from voicemesh.session.v1.claim_pb2_grpc import QuotaServiceStub, ToolClaimServiceStub
from voicemesh.session.v1.erasure_pb2_grpc import ErasureServiceStub
from voicemesh.session.v1.journal_pb2_grpc import JournalServiceStub
from voicemesh.session.v1.ownership_pb2_grpc import CallOwnershipServiceStub
from voicemesh.session.v1.policy_counter_pb2_grpc import PolicyCounterServiceStub
from voicemesh.session.v1.session_store_pb2_grpc import SessionStoreServiceStub


async def no_append_only_file(nodes: Sequence[HotStore]) -> None:
    """What takes durable writes from servers that keep them by their own disk."""
    for node in nodes:
        await node.command("CONFIG", "SET", "appendonly", "no")


@dataclass(frozen=True)
class Servers:
    """Where the contract runs: real servers, and how a session-store is told of them."""

    urls: Sequence[str]
    settings: Mapping[str, Any]
    nodes: Sequence[str] = ()
    """Without TLS, for what a test does to servers; default: the URLs."""
    anew: Callable[[], Awaitable[None]] | None = None
    """Undoes what else a test did to them."""
    forget: Callable[[Sequence[HotStore]], Awaitable[None]] = no_append_only_file
    """Has them keep no durable write."""
    appendonly: bool = True
    """Whether they have a file to keep writes in."""


@dataclass
class RunningStore:
    """The stubs of a replica, and the Redis behind it."""

    sessions: Any
    journal: Any
    ownership: Any
    claims: Any
    quotas: Any
    counters: Any
    erasure: Any
    hot: HotStore
    channel: grpc.aio.Channel
    address: str
    drain: Callable[[], None]
    """Begin to shut down, as SIGTERM does."""
    nodes: Sequence[HotStore] = ()
    """Each server behind it, for what a test does to servers."""
    forget: Callable[[Sequence[HotStore]], Awaitable[None]] = no_append_only_file

    async def keep_nothing(self) -> None:
        """Have the servers take writes that they cannot keep as the settings want."""
        await self.forget(self.nodes)

    async def everywhere(self, *command: Value) -> list[Any]:
        """Run a command on each server; the replies."""
        return [await node.command(*command) for node in self.nodes]

    async def keys(self, pattern: str = "*") -> list[bytes]:
        """The keys of all servers."""
        return [key for keys in await self.everywhere("KEYS", pattern) for key in keys]


@asynccontextmanager
async def replica(
    url: str, *, archive: SessionArchive | None = None, **settings: Any
) -> AsyncIterator[RunningStore]:
    """One replica on the Redis at `url`; `settings` as in SessionStoreSettings.

    `archive` is closed with it, and stands for the one that the settings name.
    """
    told = SessionStoreSettings(grpc_port=0, redis_url=url, **settings)
    hot = HotStore(
        url,
        timeout=told.store_seconds,
        max_connections=told.redis_max_connections,
        durability=told.store_durability,
        cluster=told.redis_cluster,
        tls=RedisTLS.told(told.model_dump()),
    )
    async with (
        hot,
        Subscriptions(hot) as subscriptions,
        archived(archive or make_archive(told)) as kept,
        make_server(told, hot, subscriptions, kept) as server,
    ):
        await server.ready()
        serving = asyncio.create_task(server.until_drained())
        async with grpc.aio.insecure_channel(server.address) as channel:
            yield RunningStore(
                sessions=SessionStoreServiceStub(channel),
                journal=JournalServiceStub(channel),
                ownership=CallOwnershipServiceStub(channel),
                claims=ToolClaimServiceStub(channel),
                quotas=QuotaServiceStub(channel),
                counters=PolicyCounterServiceStub(channel),
                erasure=ErasureServiceStub(channel),
                hot=hot,
                channel=channel,
                address=server.address,
                drain=server.drain,
            )
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


@asynccontextmanager
async def running_store(
    folder: Path,
    *,
    servers: Servers | None = None,
    archive: SessionArchive | None = None,
    **settings: Any,
) -> AsyncIterator[RunningStore]:
    """A replica on a Valkey server of its own, or on shared servers, which are emptied first."""
    async with AsyncExitStack() as stack:
        shared = servers is not None
        if servers is None:
            valkey = await stack.enter_async_context(EmbeddedValkey(folder))
            servers = Servers([valkey.url], {})
        where = servers.nodes or servers.urls
        nodes = [await stack.enter_async_context(HotStore(url)) for url in where]
        if shared:
            await _as_new(nodes, servers)
        told = {**servers.settings, **settings}
        store = await stack.enter_async_context(replica(servers.urls[0], archive=archive, **told))
        store.nodes, store.forget = nodes, servers.forget
        yield store


async def _as_new(nodes: Sequence[HotStore], servers: Servers) -> None:
    """Undo what another test did to the servers."""
    for node in nodes:
        await node.command("CLIENT", "UNPAUSE")
        keeps = "yes" if servers.appendonly else "no"
        await node.command("CONFIG", "SET", "maxmemory", 0, "appendonly", keeps)
        await node.command("FLUSHALL")
    if servers.anew is not None:
        await servers.anew()
