"""The predecessor's defects that are a pool's, one test for each of the known rows.

Each test is named by the row it answers and would fail on a pool that has the defect. Most rows are
told at greater length elsewhere in this folder; here they are kept together, so that none is lost.
Rows 16, 18, 19 and 20 are about the application around a pool: `test_predecessor_defects_in_calls`.
"""

from __future__ import annotations

import asyncio
import inspect
import time

import pytest

from tests.support.pool_factory import Clock, Factory, settle
from tests.unit.warmpool.conftest import MakePool
from warmpool import (
    AllocationTier,
    DiscardCause,
    LeaseNotFound,
    OnDemandResourcePool,
    PoolClosed,
    PoolExhausted,
    WarmableResourcePool,
    WarmPool,
)

DEDICATED, WARM, COLD = AllocationTier


async def test_row_01_two_first_acquires_of_one_session_open_one_client(
    make_pool: MakePool, factory: Factory
) -> None:
    """Row 1: both created one, and the second overwrote the first, which leaked."""
    factory.gate = asyncio.Event()
    pool = make_pool()
    await pool.prepare()
    asks = [asyncio.create_task(pool.allocate("a")) for _ in range(2)]
    await settle()
    factory.gate.set()
    first, second = await asyncio.gather(*asks)
    assert first.lease_id == second.lease_id
    assert (factory.attempts, pool.stats().leased_count) == (1, 1)


async def test_row_02_the_tier_is_recorded_by_the_path_that_served(
    make_pool: MakePool, factory: Factory
) -> None:
    """Row 2: the tier was guessed from the queue's size afterwards: the reverse of what happened.

    A request that finds the warm set empty, and a client laid into it before the answer, is COLD;
    one that takes the last idle client is WARM, though the set is empty after it.
    """
    pool = make_pool(warm_target=1)
    await pool.prepare()
    pool.set_warm_target(0)
    last_idle = await pool.allocate("a")
    assert (last_idle.tier, pool.stats().warm_count) == (WARM, 0)
    factory.gate = asyncio.Event()
    pool.set_warm_target(2)
    asked = asyncio.create_task(pool.allocate("b"))
    await settle()
    factory.gate.set()
    await settle()
    assert ((await asked).tier, pool.stats().warm_count) == (COLD, 2)


async def test_row_03_the_timeout_is_honoured(clock: Clock) -> None:
    """Row 3: it was ignored, so that no caller was ever told to try again."""
    pool = WarmableResourcePool(factory=_fresh, name="p", max_size=1, clock=clock)
    await pool.prepare()
    held = await pool.acquire()
    with pytest.raises(TimeoutError):
        await pool.acquire(timeout=0)
    await pool.release(held)
    await pool.shutdown()


async def test_row_04_there_is_a_maximum_a_bounded_line_and_a_refusal(
    make_pool: MakePool, factory: Factory
) -> None:
    """Row 4: any number was created, none waited, none was refused."""
    pool = make_pool(max_size=2, max_waiting=1)
    await pool.prepare()
    held = [await pool.allocate(f"s{number}") for number in range(2)]
    waiter = asyncio.create_task(pool.allocate("waits"))
    await settle()
    with pytest.raises(PoolExhausted) as refusal:
        await pool.allocate("refused")
    assert refusal.value.retry_after_seconds > 0
    await pool.release(held[0].lease_id)
    assert (await waiter).session == "waits"
    assert len(factory.made) == 2


async def test_row_05_what_a_session_gives_back_is_warm_for_the_next(
    make_pool: MakePool, factory: Factory
) -> None:
    """Row 5, first half: a session's resource never came back to the stock."""
    pool = make_pool()
    await pool.prepare()
    first = await pool.allocate("a")
    client = pool.borrow(first.lease_id)
    await pool.release(first.lease_id)
    second = await pool.allocate("b")
    assert (second.tier, pool.borrow(second.lease_id)) == (WARM, client)
    assert len(factory.made) == 1


async def test_row_05_a_burst_is_refilled_on_take_side_by_side(
    make_pool: MakePool, factory: Factory
) -> None:
    """Row 5, second half: refill came each 30 s, one after the other. Here no time passes."""
    pool = make_pool(warm_target=3, max_size=6)
    await pool.prepare()
    factory.gate, factory.opening_peak = asyncio.Event(), 0
    for number in range(3):
        assert (await pool.allocate(f"first-{number}")).tier is WARM
    await settle()
    assert factory.opening_peak == 3
    factory.gate.set()
    await settle()
    assert [(await pool.allocate(f"next-{n}")).tier for n in range(3)] == [WARM] * 3


async def test_row_06_a_double_release_gives_the_client_to_one(make_pool: MakePool) -> None:
    """Row 6: it lay in the queue twice, and two sessions got it."""
    pool = make_pool()
    await pool.prepare()
    lease = await pool.allocate("a")
    pool.borrow(lease.lease_id)
    await pool.release(lease.lease_id)
    await pool.release(lease.lease_id)
    assert pool.stats().warm_count == 1
    one, other = await pool.allocate("b"), await pool.allocate("c")
    assert pool.borrow(one.lease_id) is not pool.borrow(other.lease_id)


async def test_row_06_a_foreign_resource_is_refused() -> None:
    """Row 6: whatever was released went into the queue."""
    pool = WarmableResourcePool(factory=_fresh, name="p")
    await pool.prepare()
    with pytest.raises(ValueError, match="did not lend"):
        await pool.release(Resource())
    held = await pool.acquire()
    await pool.release(held)
    await pool.release(held)  # again: no error, and not twice in the stock
    assert await pool.acquire() is not await pool.acquire()
    await pool.shutdown()


async def test_row_07_a_client_that_is_not_ready_does_not_return_to_the_stock() -> None:
    """Row 7: `release` did not ask."""
    pool = WarmableResourcePool(factory=_fresh, name="p")
    await pool.prepare()
    held = await pool.acquire()
    held.is_ready = False
    await pool.release(held)
    assert await pool.acquire() is not held
    assert held.closes == 1
    await pool.shutdown()


async def test_row_07_idle_clients_are_checked_and_age(
    make_pool: MakePool, factory: Factory, clock: Clock
) -> None:
    """Row 7: an expired one stayed in the queue until somebody got it."""
    pool = make_pool(warm_target=1, max_age_seconds=100, max_idle_seconds=100, age_jitter=0)
    await pool.prepare()
    factory.made[0].alive = False
    assert pool.borrow((await pool.allocate("a")).lease_id) is not factory.made[0]
    await settle()
    clock.advance(100)
    old = list(factory.open_clients)
    fresh = pool.borrow((await pool.allocate("b")).lease_id)
    assert fresh not in old
    assert pool.stats().discarded_counts[DiscardCause.FAILED_CHECK] == 1


async def test_row_08_a_client_whose_warming_failed_is_closed_not_handed_out(
    make_pool: MakePool, factory: Factory
) -> None:
    """Row 8: it was handed out."""
    factory.warm_answer = False
    pool = make_pool(warm_target=1)
    assert await pool.prepare() == 1
    assert pool.stats().warm_count == 0
    assert factory.open_clients == []


async def test_row_09_everything_opened_is_closed(make_pool: MakePool, factory: Factory) -> None:
    """Row 9: nothing was; sockets and threads were left to the garbage collector."""
    pool = make_pool(warm_target=2)
    await pool.prepare()
    await pool.allocate("held")
    discarded = await pool.allocate("discarded")
    await pool.release(discarded.lease_id, discard=True)
    await settle()
    await pool.close()
    assert factory.made
    assert {client.closes for client in factory.made} == {1}


async def test_row_10_a_resource_in_use_outlives_its_age_whatever_the_clock_does() -> None:
    """Row 10: a long live call lost its entry, by the last acquire and by the wall clock."""
    clock = Clock()
    pool = WarmableResourcePool(
        factory=_fresh, name="p", session_awareness=True, session_max_age_sec=10, clock=clock
    )
    await pool.prepare()
    held, _ = await pool.acquire_for_session("a")
    held.in_use = True
    clock.advance(3600)
    again, tier = await pool.acquire_for_session("a")
    assert (again, tier, held.closes) == (held, DEDICATED, 0)
    await pool.shutdown()


def test_row_10_the_clock_does_not_jump() -> None:
    """Row 10: pools count on the monotonic clock unless they are given another."""
    for kind in (WarmPool, WarmableResourcePool, OnDemandResourcePool):
        assert inspect.signature(kind).parameters["clock"].default is time.monotonic


async def test_row_11_stale_sessions_end_without_any_background_warmup(
    make_pool: MakePool, factory: Factory, clock: Clock
) -> None:
    """Row 11: they ended only where background warm-up was on and the warm size above 0."""
    pool = make_pool(warm_target=0)
    await pool.prepare()
    await pool.allocate("vanishes", ttl_seconds=5)
    clock.advance(5)
    pool.sweep()  # what the pool's own timer does; see the next test
    await settle()
    assert (pool.stats().leased_count, factory.open_clients) == (0, [])


async def test_row_11_the_timer_that_ends_them_always_runs() -> None:
    """Row 11: on the real clock, with nothing warm and nobody asking."""
    pool = WarmableResourcePool(
        factory=_fresh, name="p", session_awareness=True, session_max_age_sec=0.001
    )
    await pool.prepare()
    held, _ = await pool.acquire_for_session("vanishes")
    await asyncio.wait_for(held.closed.wait(), 10)
    assert pool.active_sessions == 0
    await pool.shutdown()


async def test_row_12_prepare_opens_side_by_side_and_tells_what_is_missing(
    make_pool: MakePool, factory: Factory
) -> None:
    """Row 12: one after the other, and the pool called itself ready whatever failed."""
    pool = make_pool(warm_target=4)
    factory.hook_turns = 1
    assert await pool.prepare() == 0
    assert factory.opening_peak == 4
    factory.warm_answer = ConnectionError("down")
    failing = make_pool(warm_target=3)
    assert await failing.prepare() == 3


async def test_row_12_a_seed_pool_with_failures_is_not_ready() -> None:
    """Row 12, by the seed's names."""

    async def never(_: Resource) -> bool:
        return False

    pool = WarmableResourcePool(factory=_fresh, name="p", warm_pool_size=1, warm_fn=never)
    await pool.prepare()
    assert pool.snapshot()["ready"] is False
    await pool.shutdown()


async def test_row_13_a_pool_serves_only_between_prepare_and_close_and_may_begin_again(
    make_pool: MakePool,
) -> None:
    """Row 13: it served before and after, and could not be prepared again."""
    pool = make_pool(warm_target=1)
    for _ in range(2):
        with pytest.raises(PoolClosed):
            await pool.allocate("a")
        await pool.prepare()
        assert (await pool.allocate("a")).tier is WARM
        await pool.close()
    with pytest.raises(PoolClosed):
        await pool.allocate("a")


async def test_row_14_refill_that_overshoots_loses_nothing(
    make_pool: MakePool, factory: Factory
) -> None:
    """Row 14: what was created for a place that was taken meanwhile was lost, and never closed."""
    pool = make_pool(warm_target=1, max_size=3)
    await pool.prepare()
    factory.gate = asyncio.Event()
    lease = await pool.allocate("a")
    await settle()
    await pool.release(lease.lease_id)  # its place is filled while its successor is opened
    factory.gate.set()
    await settle()
    stats = pool.stats()
    assert len(factory.open_clients) == stats.warm_count + stats.leased_count
    await pool.close()
    assert factory.open_clients == []


async def test_row_15_a_mismatching_resource_is_not_released() -> None:
    """Row 15: the argument was ignored, and the session lost what it held."""
    pool = WarmableResourcePool(factory=_fresh, name="p", session_awareness=True)
    await pool.prepare()
    held, _ = await pool.acquire_for_session("a")
    other, _ = await pool.acquire_for_session("b")
    assert await pool.release_for_session("a", other) is False
    assert await pool.acquire_for_session("a") == (held, DEDICATED)
    assert await pool.acquire_for_session("b") == (other, DEDICATED)
    await pool.shutdown()


async def test_row_17_counts_follow_an_expiry_at_once(make_pool: MakePool, clock: Clock) -> None:
    """Row 17: the metric kept counting sessions that had been found stale."""
    pool = make_pool()
    await pool.prepare()
    lease = await pool.allocate("a", ttl_seconds=5)
    clock.advance(5)
    with pytest.raises(LeaseNotFound):
        pool.lookup(lease.lease_id)
    assert pool.stats().leased_count == 0
    fresh = await pool.allocate("a")
    assert fresh.lease_id != lease.lease_id
    stats = pool.stats()
    assert (stats.leased_count, stats.discarded_counts) == (1, {"expired": 1})


# --------------------------------------------------------------------------- what the tests use


class Resource:
    """A client with what the seed's pools look for."""

    def __init__(self) -> None:
        self.is_ready = True
        self.in_use = False
        self.closes = 0
        self.closed = asyncio.Event()

    def close(self) -> None:
        self.closes += 1
        self.closed.set()


async def _fresh() -> Resource:
    return Resource()
