"""A token belongs to a lease: where none comes of it, it goes back; nothing is granted without one."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from meshkit.errors import MeshError, Reason
from meshkit.fleet import Fleet
from speech_pool.quotas import Quotas
from warmpool import AllocationTier, Lease

LEASE = Lease("1", "s", AllocationTier.WARM, 0.0, 0.0)


class Store:
    """The store's end: it keeps what it is told, and answers once it may."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Any]] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.began = asyncio.Event()
        self.refusal: MeshError | None = None

    async def unary(self, stub: object, method: str, request: Any, *, timeout: float) -> None:
        self.asked.append((method, request))
        self.began.set()
        await self.may_answer.wait()
        if self.refusal is not None:
            raise self.refusal

    def given_back(self) -> list[str]:
        return [
            name
            for method, request in self.asked
            if method == "GiveBackQuotas"
            for name in request.request_ids
        ]


def quotas_on(store: Store) -> Quotas:
    return Quotas(cast(Fleet, store), "pod", {"recognizer": "quotas/speech"})


async def grant() -> Lease:
    return LEASE


async def refuse() -> Lease:
    raise ConnectionError


async def test_a_lease_is_granted_with_a_token_which_stays() -> None:
    store = Store()
    quotas = quotas_on(store)
    assert await quotas.counted("recognizer", "s", grant()) is LEASE
    await quotas.settle()
    assert [method for method, _ in store.asked] == ["TakeQuotas"]


async def test_a_pool_without_a_quota_asks_nobody() -> None:
    store = Store()
    assert await quotas_on(store).counted("synthesizer", "s", grant()) is LEASE
    assert store.asked == []


async def test_a_lease_that_was_not_granted_gives_its_token_back() -> None:
    store = Store()
    quotas = quotas_on(store)
    with pytest.raises(ConnectionError):
        await quotas.counted("recognizer", "s", refuse())
    await quotas.settle()
    assert store.given_back() == ["pod/recognizer/1"]


async def test_without_a_token_nothing_is_granted() -> None:
    store = Store()
    store.refusal = MeshError(Reason.QUOTA_EXHAUSTED, "full")
    granting = grant()
    with pytest.raises(MeshError, match="QUOTA_EXHAUSTED"):
        await quotas_on(store).counted("recognizer", "s", granting)
    with pytest.raises(RuntimeError):  # it was closed, and never begun
        await granting


async def test_a_caller_that_goes_while_it_is_taken_leaves_no_token_behind() -> None:
    store = Store()
    store.may_answer.clear()
    quotas = quotas_on(store)
    asking = asyncio.create_task(quotas.counted("recognizer", "s", grant()))
    await store.began.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    store.may_answer.set()
    await quotas.settle()
    assert store.given_back() == ["pod/recognizer/1"]
    assert await quotas.counted("recognizer", "s", grant()) is LEASE
    assert [method for method, _ in store.asked][-1] == "TakeQuotas"
