"""A session is followed from another process without a gap, whatever breaks in between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from memory.embedded import EmbeddedValkey
from meshkit.errors import from_rpc_error
from tests.support.store import RunningStore, Servers, replica, running_store
from tests.support.store_calls import (
    GATEWAY_A,
    S,
    acquire,
    append,
    channels,
    create,
    ended,
    said,
    set_verified,
    update,
)
from voicemesh.session.v1 import journal_pb2 as jr


@pytest.fixture
async def store(servers: Servers | None, tmp_path: Path) -> AsyncIterator[RunningStore]:
    async with running_store(tmp_path, servers=servers) as running:
        await create(running)
        yield running


class Watch:
    """A watch as a client reads it."""

    def __init__(self, call: Any) -> None:
        self._call = call
        self.heartbeats = 0

    async def next(self) -> int:
        """The next event's sequence; 0 at the end."""
        async with asyncio.timeout(10):
            while (message := await self._call.read()) is not grpc.aio.EOF:
                if message.HasField("journal_event"):
                    sequence: int = message.journal_event.sequence
                    return sequence
                self.heartbeats += 1
        return 0

    async def refused(self) -> str:
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await self.next()
        return from_rpc_error(failure.value).reason


@asynccontextmanager
async def watch(store: RunningStore, after: int = 0) -> AsyncIterator[Watch]:
    request = jr.WatchEventsRequest(parent=S, after_sequence=after)
    call = store.journal.WatchEvents(request)
    try:
        yield Watch(call)
    finally:
        call.cancel()


async def test_what_is_there_comes_first_then_each_event_as_it_is_written(
    store: RunningStore,
) -> None:
    await append(store, said(1), said(2))
    async with watch(store, after=1) as watching:
        assert await watching.next() == 2
        await append(store, said(3))
        assert await watching.next() == 3
        await update(store, "context_json.k", context_json={"k": "1"})
        await set_verified(store, "c1", "identity")
        await acquire(store, GATEWAY_A, "r1")
        assert [await watching.next() for _ in range(3)] == [4, 5, 6]


async def test_a_watch_ends_with_the_session(store: RunningStore) -> None:
    async with watch(store) as watching:
        await append(store, said(1))
        assert await watching.next() == 1
        await append(store, ended())
        assert [await watching.next(), await watching.next()] == [2, 0]
    async with watch(store, after=2) as late:
        assert await late.next() == 0


async def test_a_quiet_watch_beats(tmp_path: Path) -> None:
    async with running_store(tmp_path, heartbeat_seconds=0.02) as store:
        await create(store)
        async with watch(store) as watching:
            waiting = asyncio.create_task(watching.next())
            while watching.heartbeats < 3:
                await asyncio.sleep(0.01)
            await append(store, said(1))
            assert await waiting == 1


async def test_an_update_at_one_replica_is_seen_at_another(tmp_path: Path) -> None:
    async with (
        EmbeddedValkey(tmp_path) as valkey,
        replica(valkey.url) as here,
        replica(valkey.url) as there,
    ):
        await create(here)
        async with watch(there) as first, watch(there) as second:
            await append(here, said(1))
            assert [await first.next(), await second.next()] == [1, 1]


async def test_many_writers_and_watchers_see_one_order(store: RunningStore) -> None:
    async def read() -> list[int]:
        async with watch(store) as watching:
            return [await watching.next() for _ in range(200)]

    async def write(writer: int) -> None:
        for number in range(10):
            await append(store, said(writer * 10 + number))

    reading = [asyncio.create_task(read()) for _ in range(5)]
    await asyncio.gather(*(write(writer) for writer in range(20)))
    for sequences in await asyncio.gather(*reading):
        assert sequences == list(range(1, 201))


async def test_a_broken_connection_skips_nothing(store: RunningStore) -> None:
    async with watch(store) as watching:
        await append(store, said(1))
        assert await watching.next() == 1
        await store.everywhere("CLIENT", "KILL", "TYPE", "pubsub")
        await append(store, said(2), said(3))
        assert [await watching.next(), await watching.next()] == [2, 3]
        await append(store, said(4))
        assert await watching.next() == 4


async def test_large_events_and_a_slow_reader_skip_nothing(store: RunningStore) -> None:
    async with watch(store) as watching:
        for number in range(40):
            await append(store, said(number, "x" * 100_000))
        assert [await watching.next() for _ in range(40)] == list(range(1, 41))


async def test_watches_leave_nothing_behind(store: RunningStore) -> None:
    async with watch(store) as watching:
        await append(store, said(1))
        await watching.next()
        assert await channels(store)
    async with asyncio.timeout(5):
        while await channels(store):
            await asyncio.sleep(0)


async def test_an_unknown_session_and_a_place_beyond_the_end_are_refused(
    store: RunningStore,
) -> None:
    async with watch(store, after=7) as watching:
        assert await watching.refused() == "ARGUMENT_INVALID"
    async with watch(store, after=-1) as watching:
        assert await watching.refused() == "ARGUMENT_INVALID"
    await store.hot.command("UNLINK", "voicemesh:{a}:session")
    async with watch(store) as watching:
        assert await watching.refused() == "SESSION_NOT_FOUND"


async def test_without_redis_a_watch_is_refused(tmp_path: Path) -> None:
    async with EmbeddedValkey(tmp_path) as valkey:
        url = valkey.url
    async with replica(url, store_seconds=0.3) as store, watch(store) as watching:
        assert await watching.refused() == "STORE_UNAVAILABLE"


async def test_a_draining_pod_sends_its_watches_elsewhere(store: RunningStore) -> None:
    async with watch(store) as watching:
        await append(store, said(1))
        assert await watching.next() == 1
        store.drain()
        assert await watching.refused() == "POD_DRAINING"
