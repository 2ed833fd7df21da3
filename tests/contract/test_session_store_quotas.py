"""What the fleet shares is taken whole or not at all, and comes back when its holder dies."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from redis.crc import key_slot

from meshkit.errors import MeshError
from session_store.quotas import Quotas
from session_store.settings import QuotaLimit
from tests.support.store import RunningStore, Servers, running_store
from tests.support.store_calls import reason_of, refused
from voicemesh.session.v1 import claim_pb2 as pb

QUOTAS = {
    "recognitions": QuotaLimit(limit=5),
    "calls": QuotaLimit(limit=3),
    "connections": QuotaLimit(limit=2, window_seconds=60),
}


@pytest.fixture
async def store(servers: Servers | None, tmp_path: Path) -> AsyncIterator[RunningStore]:
    async with running_store(tmp_path, servers=servers, quotas=QUOTAS) as running:
        yield running


def take(store: RunningStore, request_id: str, holder: str = "pod-a", **amounts: int) -> Any:
    demands = [pb.QuotaDemand(quota=f"quotas/{q}", amount=n) for q, n in amounts.items()]
    request = pb.TakeQuotasRequest(request_id=request_id, holder=holder, demands=demands)
    return store.quotas.TakeQuotas(request)


def give_back(store: RunningStore, *request_ids: str) -> Any:
    return store.quotas.GiveBackQuotas(pb.GiveBackQuotasRequest(request_ids=request_ids))


async def out(store: RunningStore, quota: str) -> int:
    return int(await store.hot.command("HGET", "voicemesh:{quotas}:counts", quota) or 0)


async def die(store: RunningStore, holder: str) -> None:
    await store.hot.command("ZADD", "voicemesh:{quotas}:holders", 1, holder)


async def test_no_more_is_out_than_the_limit(store: RunningStore) -> None:
    await take(store, "r1", recognitions=3)
    error = await refused(take(store, "r2", recognitions=3))
    assert error.reason == "QUOTA_EXHAUSTED"
    assert error.metadata == {"quota": "recognitions"}
    assert error.retry_after_seconds
    await take(store, "r3", recognitions=2)
    assert await out(store, "recognitions") == 5


async def test_all_demands_are_taken_or_none(store: RunningStore) -> None:
    await take(store, "r1", calls=3)
    error = await refused(take(store, "r2", recognitions=1, connections=1, calls=1))
    assert error.metadata == {"quota": "calls"}
    assert await out(store, "recognitions") == 0
    await take(store, "r3", connections=2)


async def test_repeating_a_request_takes_nothing_more(store: RunningStore) -> None:
    for _ in range(3):
        await take(store, "r1", recognitions=2, connections=1)
    assert await out(store, "recognitions") == 2
    await take(store, "r2", connections=1)


async def test_what_is_given_back_can_be_taken_once(store: RunningStore) -> None:
    await take(store, "r1", recognitions=5)
    for _ in range(2):
        await give_back(store, "r1", "never-taken")
    assert await out(store, "recognitions") == 0
    await take(store, "r2", recognitions=5)


async def test_a_rate_is_not_given_back_and_tells_when_to_come_again(store: RunningStore) -> None:
    await take(store, "r1", connections=2)
    await give_back(store, "r1")
    error = await refused(take(store, "r2", connections=1))
    assert error.retry_after_seconds is not None
    assert 50 < error.retry_after_seconds <= 61


async def test_a_rate_is_free_again_after_its_window(store: RunningStore) -> None:
    await take(store, "r1", connections=2)
    log = "voicemesh:{quotas}:rate:connections"
    assert await store.hot.command("PTTL", log) > 0
    await store.hot.command("ZADD", log, 1, "r1 2")
    await take(store, "r2", connections=2)


async def test_what_a_dead_holder_took_comes_back(store: RunningStore) -> None:
    await take(store, "r1", "pod-a", recognitions=4, calls=1)
    await take(store, "r2", "pod-b", recognitions=1)
    await die(store, "pod-a")
    await take(store, "r3", "pod-c", recognitions=4)
    assert await out(store, "recognitions") == 5
    assert await out(store, "calls") == 0


async def test_renewing_keeps_what_a_holder_took(store: RunningStore) -> None:
    await take(store, "r1", "pod-a", calls=3)
    await die(store, "pod-a")
    await store.quotas.RenewQuotas(pb.RenewQuotasRequest(holder="pod-a"))
    assert (await refused(take(store, "r2", "pod-b", calls=1))).reason == "QUOTA_EXHAUSTED"
    await store.quotas.RenewQuotas(pb.RenewQuotasRequest(holder="stranger"))


async def test_of_many_takers_as_many_win_as_there_is(store: RunningStore) -> None:
    takers = (reason_of(take(store, f"r{n}", f"pod-{n}", calls=1)) for n in range(20))
    reasons = await asyncio.gather(*takers)
    assert sorted(reasons) == ["", "", "", *["QUOTA_EXHAUSTED"] * 17]


async def test_every_key_has_an_expiry(store: RunningStore) -> None:
    await take(store, "r1", calls=1, connections=1)
    keys = await store.keys()
    assert len(keys) == 4
    assert [await store.hot.command("PTTL", key) > 0 for key in keys] == [True] * 4
    assert len({key_slot(key) for key in keys}) == 1


async def test_bad_arguments_are_refused_by_the_field(store: RunningStore) -> None:
    calls = {
        "request_id": take(store, "", calls=1),
        "holder": take(store, "r", "", calls=1),
        "demands": take(store, "r", unknown=1),
        "demands[0].amount": take(store, "r", calls=0),
        "request_ids": give_back(store),
    }
    for field, call in calls.items():
        error = await refused(call)
        assert (error.reason, list(error.fields)) == ("ARGUMENT_INVALID", [field])
    nameless = pb.TakeQuotasRequest(request_id="r", holder="h", demands=[pb.QuotaDemand(amount=1)])
    assert (await refused(store.quotas.TakeQuotas(nameless))).reason == "NAME_MALFORMED"
    unknown = await refused(take(store, "r", unknown=1))
    assert "set are: calls, connections, recognitions" in unknown.message


async def test_a_limit_that_changes_holds_for_the_next_request(store: RunningStore) -> None:
    limits = {"calls": QuotaLimit(limit=1)}
    quotas = Quotas(store.hot, lambda: limits)
    await quotas.take("r1", "pod-a", Counter(calls=1), 60, 2)
    with pytest.raises(MeshError, match="QUOTA_EXHAUSTED"):
        await quotas.take("r2", "pod-a", Counter(calls=1), 60, 2)
    limits["calls"] = QuotaLimit(limit=2)
    await quotas.take("r3", "pod-a", Counter(calls=1), 60, 2)
