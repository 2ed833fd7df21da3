"""A session-store in this process, on a real Valkey server, reached over a real channel."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from memory.embedded import EmbeddedValkey
from memory.hotstore import HotStore
from memory.subscriptions import Subscriptions
from session_store.__main__ import make_server
from session_store.settings import SessionStoreSettings
from voicemesh.session.v1.claim_pb2_grpc import QuotaServiceStub, ToolClaimServiceStub
from voicemesh.session.v1.journal_pb2_grpc import JournalServiceStub
from voicemesh.session.v1.ownership_pb2_grpc import CallOwnershipServiceStub
from voicemesh.session.v1.session_store_pb2_grpc import SessionStoreServiceStub


@dataclass
class RunningStore:
    """The stubs of a replica, and the Redis behind it."""

    sessions: Any
    journal: Any
    ownership: Any
    claims: Any
    quotas: Any
    hot: HotStore
    channel: grpc.aio.Channel
    address: str
    drain: Callable[[], None]
    """Begin to shut down, as SIGTERM does."""


@asynccontextmanager
async def replica(url: str, **settings: Any) -> AsyncIterator[RunningStore]:
    """One replica on the Redis at `url`; `settings` as in SessionStoreSettings."""
    told = SessionStoreSettings(grpc_port=0, redis_url=url, **settings)
    hot = HotStore(
        url,
        timeout=told.store_seconds,
        max_connections=told.redis_max_connections,
        durability=told.store_durability,
    )
    async with (
        hot,
        Subscriptions(hot) as subscriptions,
        make_server(told, hot, subscriptions) as server,
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
                hot=hot,
                channel=channel,
                address=server.address,
                drain=server.drain,
            )
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


@asynccontextmanager
async def running_store(folder: Path, **settings: Any) -> AsyncIterator[RunningStore]:
    """A Valkey server of its own, and one replica on it."""
    async with EmbeddedValkey(folder) as valkey, replica(valkey.url, **settings) as store:
        yield store
