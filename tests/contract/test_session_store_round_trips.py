"""Each request is one round trip to Redis: one packet there, whatever the script does with it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from memory.hotstore import HotStore
from session_store.settings import QuotaLimit
from tests.support.store import RunningStore, running_store
from tests.support.store_calls import (
    GATEWAY_A,
    S,
    acquire,
    append,
    create,
    get,
    get_verified,
    journal,
    renew,
    said,
    set_verified,
    update,
)
from voicemesh.session.v1 import claim_pb2 as pb
from voicemesh.session.v1 import journal_pb2 as jr
from voicemesh.session.v1 import ownership_pb2 as ow
from voicemesh.session.v1 import session_store_pb2 as ss

Request = Callable[[RunningStore, int], Awaitable[Any]]


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[RunningStore]:
    quotas = {"calls": QuotaLimit(limit=100)}
    async with running_store(tmp_path, quotas=quotas) as running:
        await create(running)
        await acquire(running, GATEWAY_A, "first")
        yield running


async def _append_and_get(store: RunningStore, n: int) -> Any:
    request = jr.AppendEventsRequest(
        session=S, events=[said(n)], owner_epoch=1, return_session=True
    )
    return await store.journal.AppendEvents(request)


async def _delete(store: RunningStore, n: int) -> Any:
    """Of the sessions that CreateSession made."""
    made = f"sessions/x{20 + n % 2}"
    return await store.sessions.DeleteSession(ss.DeleteSessionRequest(name=made))


async def _claim(store: RunningStore, n: int) -> Any:
    told = pb.ClaimToolRequest(
        request_id=f"{S}/t1/0/{n}", fingerprint="f", holder="pod", owner_epoch=1
    )
    return await store.claims.ClaimTool(told)


async def _take(store: RunningStore, n: int) -> Any:
    demand = pb.QuotaDemand(quota="quotas/calls", amount=1)
    told = pb.TakeQuotasRequest(request_id=f"r{n}", holder="pod", demands=[demand])
    return await store.quotas.TakeQuotas(told)


REQUESTS: dict[str, Request] = {
    "CreateSession": lambda store, n: create(store, f"x{n}"),
    "GetSession": lambda store, _: get(store),
    "UpdateSession": lambda store, n: update(store, "scenario", scenario=f"scenarios/{n}", epoch=1),
    "DeleteSession": _delete,
    "GetVerified": lambda store, _: get_verified(store),
    "AppendEvents": lambda store, n: append(store, said(n), epoch=1),
    "AppendEvents with the session": _append_and_get,
    "ListEvents": lambda store, _: journal(store),
    "ListMessages": lambda store, _: store.journal.ListMessages(jr.ListMessagesRequest(parent=S)),
    "RenewCall": lambda store, _: renew(store, 1),
    "GetCallOwner": lambda store, _: store.ownership.GetCallOwner(
        ow.GetCallOwnerRequest(session=S)
    ),
    "TakeQuotas": _take,
    # Durable: the wait for the disk goes with the write.
    "SetVerified": lambda store, n: set_verified(store, "c1", "identity", etag=str(n % 2 or "")),
    "ClaimTool": _claim,
    "AcquireCall": lambda store, n: acquire(store, GATEWAY_A, f"r{n}"),
}


async def test_each_request_is_one_packet_to_redis(store: RunningStore) -> None:
    (server,) = store.nodes
    packets: dict[str, int] = {}
    for number, (name, request) in enumerate(REQUESTS.items(), 10):
        await request(store, 2 * number)  # by now the server has the script
        before = await _read(server)
        await request(store, 2 * number + 1)
        packets[name] = await _read(server) - before - 1  # one is our own question
    assert packets == dict.fromkeys(REQUESTS, 1)


async def _read(server: HotStore) -> int:
    """How many times the server has had something to read."""
    stats: bytes = await server.command("INFO", "stats")
    return int(stats.partition(b"total_reads_processed:")[2].split()[0])
