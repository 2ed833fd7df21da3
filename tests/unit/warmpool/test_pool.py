"""The pool as a whole: its end, what it tells observers and in its statistics.

Settings are in `test_settings`, leases in `test_leases`, the line in `test_waiting`, opening and
closing in `test_supply`.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import weakref
from typing import Any

import pytest

from tests.support.pool_factory import Client, Clock, Factory, settle
from tests.unit.warmpool.conftest import MakePool
from warmpool import (
    AllocationTier,
    BreakerOpen,
    BreakerState,
    DiscardCause,
    LeaseInUse,
    OpenFailed,
    PoolClosed,
    PoolExhausted,
    PoolObserver,
    Reuse,
    WarmPool,
)

DEDICATED, WARM, COLD = AllocationTier


class Recorder(PoolObserver):
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def allocated(self, lease: Any, stock: str) -> None:
        self.told.append(("allocated", lease.session, lease.tier, stock))

    def refused(self, session: str, error: Exception, stock: str) -> None:
        self.told.append(("refused", session, type(error), stock))

    def released(self, session: str, held_seconds: float, stock: str) -> None:
        self.told.append(("released", session, held_seconds, stock))

    def opened(self, seconds: float, stock: str) -> None:
        self.told.append(("opened", seconds, stock))

    def open_failed(self, error: BaseException, seconds: float, stock: str) -> None:
        self.told.append(("open_failed", type(error), seconds, stock))

    def closed(self, cause: DiscardCause, age_seconds: float, uses: int, stock: str) -> None:
        self.told.append(("closed", cause, age_seconds, uses, stock))

    def breaker_changed(self, state: BreakerState, stock: str) -> None:
        self.told.append(("breaker_changed", state, stock))

    def warm_target_changed(self, warm_target: int, stock: str) -> None:
        self.told.append(("warm_target_changed", warm_target, stock))

    def leak_suspected(self, lease_id: str, session: str, held_seconds: float, stock: str) -> None:
        self.told.append(("leak_suspected", lease_id, session, held_seconds, stock))

    def of(self, kind: str) -> list[tuple[Any, ...]]:
        return [event for event in self.told if event[0] == kind]


@pytest.fixture
def observer() -> Recorder:
    return Recorder()


@pytest.mark.parametrize("target", [-1, 5])
async def test_a_target_out_of_range_is_refused(make_pool: MakePool, target: int) -> None:
    pool = make_pool(max_size=4)
    with pytest.raises(ValueError, match="not within 0 and max_size"):
        pool.set_warm_target(target)


# --------------------------------------------------------------------------- its end


async def test_a_block_prepares_and_closes(factory: Factory, clock: Clock) -> None:
    async with WarmPool(factory, name="p", warm_target=2, max_size=2, clock=clock) as pool:
        assert pool.stats().warm_count == 2
        await pool.allocate("a")
    assert [client.closes for client in factory.made] == [1, 1]


async def test_closing_does_not_wait_for_opens_it_cancels_them(
    make_pool: MakePool, factory: Factory
) -> None:
    pool = make_pool()
    await pool.prepare()
    factory.gate = asyncio.Event()  # never set
    asking = asyncio.create_task(pool.allocate("a"))
    await settle()
    await pool.close()
    with pytest.raises(PoolClosed):
        await asking
    assert (factory.opening_now, factory.made) == (0, [])


async def test_closing_closes_a_client_that_was_opened_but_not_warmed(
    make_pool: MakePool, factory: Factory
) -> None:
    factory.hook_turns = 5
    pool = make_pool()
    await pool.prepare()
    asking = asyncio.create_task(pool.allocate("a"))
    while not factory.made:
        await asyncio.sleep(0)
    await pool.close()
    assert [client.closes for client in factory.made] == [1]
    with pytest.raises(PoolClosed):
        await asking


async def test_closing_waits_for_a_check_in_a_callers_hands(
    make_pool: MakePool, factory: Factory
) -> None:
    pool = make_pool(warm_target=1)
    await pool.prepare()
    factory.hook_gate = asyncio.Event()
    asking = asyncio.create_task(pool.allocate("a"))
    await settle()
    closing = asyncio.create_task(pool.close())
    await settle()
    assert not closing.done()
    factory.hook_gate.set()
    await closing
    assert factory.open_clients == []
    with pytest.raises(PoolClosed):
        await asking


async def test_a_client_that_cannot_be_closed_does_not_stop_the_others(
    make_pool: MakePool, factory: Factory, caplog: pytest.LogCaptureFixture
) -> None:
    factory.close_error = OSError("what a provider says is not logged")
    pool = make_pool(warm_target=3)
    await pool.prepare()
    with caplog.at_level(logging.WARNING, "warmpool"):
        await pool.close()
    assert [client.closes for client in factory.made] == [1, 1, 1]
    assert {record.__dict__["error_type"] for record in caplog.records} == {"OSError"}
    assert "provider says" not in caplog.text


async def test_nothing_of_a_closed_pool_remains(factory: Factory) -> None:
    before = asyncio.all_tasks()
    async with WarmPool(factory, name="p", warm_target=2, max_size=4) as pool:
        lease = await pool.allocate("a")
        async with pool.stream(lease.lease_id):
            pass
        await pool.release(lease.lease_id)
    assert asyncio.all_tasks() == before
    kept = weakref.ref(pool)
    del pool
    gc.collect()
    assert kept() is None


# --------------------------------------------------------------------------- observers


async def test_an_observer_hears_the_life_of_a_client(
    make_pool: MakePool, observer: Recorder, clock: Clock
) -> None:
    pool = make_pool(observer=observer)
    await pool.prepare()
    lease = await pool.allocate("a")
    await pool.allocate("a")
    clock.advance(3)
    await pool.release(lease.lease_id, discard=True)
    await settle()
    assert observer.told == [
        ("opened", 0.0, ""),
        ("allocated", "a", COLD, ""),
        ("allocated", "a", DEDICATED, ""),
        ("released", "a", 3.0, ""),
        ("closed", DiscardCause.DISCARDED, 3.0, 1, ""),
    ]


async def test_an_observer_hears_of_refusals_and_of_the_provider(
    make_pool: MakePool, observer: Recorder, factory: Factory
) -> None:
    factory.open_error = lambda: ConnectionError("down")
    pool = make_pool(observer=observer, breaker_failures=1)
    await pool.prepare()
    with pytest.raises(OpenFailed):
        await pool.allocate("a")
    with pytest.raises(BreakerOpen):
        await pool.allocate("b")
    assert observer.of("open_failed") == [("open_failed", ConnectionError, 0.0, "")]
    assert observer.of("breaker_changed") == [("breaker_changed", BreakerState.OPEN, "")]
    assert [event[1] for event in observer.of("refused")] == ["a", "b"]
    assert pool.stats().refused_count == 2


async def test_a_breaker_that_one_failure_opens_still_waits_for_its_pause(
    make_pool: MakePool, factory: Factory, clock: Clock
) -> None:
    factory.open_error = lambda: ConnectionError("down")
    pool = make_pool(breaker_failures=1)
    await pool.prepare()
    for session in ("a", "b", "c"):
        with pytest.raises(OpenFailed):
            await pool.allocate(session)
    assert factory.attempts == 1
    clock.advance(0.25)  # the first pause at its longest
    with pytest.raises(OpenFailed):
        await pool.allocate("d")
    assert factory.attempts == 2


async def test_an_observer_hears_of_the_target_and_of_leases_that_expire(
    make_pool: MakePool, observer: Recorder, clock: Clock
) -> None:
    pool = make_pool(observer=observer)
    await pool.prepare()
    pool.set_warm_target(2)
    assert observer.of("warm_target_changed") == [("warm_target_changed", 2, "")]
    await pool.allocate("a", ttl_seconds=5)
    clock.advance(5)
    pool.sweep()
    assert observer.of("released") == [("released", "a", 5.0, "")]


async def test_an_observer_that_raises_disturbs_nobody(
    make_pool: MakePool, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(PoolObserver):
        def opened(self, seconds: float, stock: str) -> None:
            raise RuntimeError

    pool = make_pool(observer=Broken(), warm_target=1)
    with caplog.at_level(logging.ERROR, "warmpool"):
        assert await pool.prepare() == 0
    assert (await pool.allocate("a")).tier is WARM
    assert "observer raised" in caplog.text


async def test_a_leak_is_told_once_with_its_holder(
    make_pool: MakePool, observer: Recorder, clock: Clock
) -> None:
    pool = make_pool(observer=observer, leak_seconds=100, max_ttl_seconds=1000)
    await pool.prepare()
    lease = await pool.allocate("forgets", ttl_seconds=1000)
    clock.advance(99)
    pool.sweep()
    assert observer.of("leak_suspected") == []
    clock.advance(1)
    pool.sweep()
    pool.sweep()
    told = ("leak_suspected", lease.lease_id, "forgets", 100.0, "")
    assert observer.of("leak_suspected") == [told]


async def test_who_still_holds_a_lease_at_close_is_named(
    make_pool: MakePool, observer: Recorder, clock: Clock
) -> None:
    pool = make_pool(observer=observer)
    await pool.prepare()
    lease = await pool.allocate("forgets")
    clock.advance(2)
    await pool.close()
    assert observer.of("leak_suspected") == [("leak_suspected", lease.lease_id, "forgets", 2.0, "")]
    assert observer.of("released") == [("released", "forgets", 2.0, "")]


# --------------------------------------------------------------------------- statistics, looking


async def test_the_statistics_add_up(make_pool: MakePool, factory: Factory) -> None:
    pool = make_pool(warm_target=2, max_size=3, max_waiting=0)
    await pool.prepare()
    for session in ("a", "b", "c", "c"):
        await pool.allocate(session)
    with pytest.raises(PoolExhausted):
        await pool.allocate("d")
    stats = pool.stats()
    assert (stats.name, stats.max_size, stats.warm_target) == ("p", 3, 2)
    assert (stats.leased_count, stats.warm_count, stats.waiting_count) == (3, 0, 0)
    assert sum(stats.tier_counts.values()) == 4
    assert stats.tier_counts[DEDICATED] == 1
    assert (stats.opened_count, stats.open_failures, stats.refused_count) == (3, 0, 1)
    assert stats.breaker_state is BreakerState.CLOSED
    assert stats.opened_count == len(factory.made)


async def test_each_stock_has_its_statistics(make_pool: MakePool) -> None:
    stocks = {"east": Factory(), "west": Factory(reuse=Reuse.RETIRE)}
    pool = make_pool(stocks, warm_target={"east": 2, "west": 1}, max_size=6)
    await pool.prepare()
    await pool.allocate("a", stock="east")
    await settle()
    stats = pool.stats()
    assert (stats.stocks["east"].leased_count, stats.stocks["west"].leased_count) == (1, 0)
    assert (stats.stocks["east"].warm_count, stats.stocks["west"].warm_count) == (2, 1)
    assert stats.warm_count == 3


async def test_a_client_is_found_by_itself(make_pool: MakePool) -> None:
    pool = make_pool()
    await pool.prepare()
    lease = await pool.allocate("a")
    client = pool.borrow(lease.lease_id)
    found = pool.lease_of(client)
    assert found is not None
    assert found.lease_id == lease.lease_id
    assert pool.keeps(client)
    assert not pool.keeps(Client(99))
    await pool.release(lease.lease_id)
    assert pool.lease_of(client) is None
    assert pool.keeps(client)


async def test_a_client_in_a_stream_cannot_be_borrowed(make_pool: MakePool) -> None:
    pool = make_pool()
    await pool.prepare()
    lease = await pool.allocate("a")
    async with pool.stream(lease.lease_id):
        with pytest.raises(LeaseInUse):
            pool.borrow(lease.lease_id)
    assert pool.borrow(lease.lease_id)
