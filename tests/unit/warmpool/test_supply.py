"""What is opened and closed, and when: refill, demand, provider trouble, wear, stocks."""

from __future__ import annotations

import asyncio
import math

import pytest

from tests.support.pool_factory import Client, Clock, Factory, settle
from tests.unit.warmpool.conftest import MakePool
from warmpool import (
    AllocationTier,
    BreakerOpen,
    BreakerState,
    OpenThrottled,
    PoolExhausted,
    WarmPool,
)

DEDICATED, WARM, COLD = AllocationTier


async def hold(pool: WarmPool[Client], *sessions: str, stock: str | None = None) -> list[str]:
    return [(await pool.allocate(session, stock=stock)).lease_id for session in sessions]


# ---------------------------------------------------------------------- refill


async def test_prepare_opens_the_warm_set_in_parallel_under_the_cap(
    make_pool: MakePool, factory: Factory
) -> None:
    factory.gate = asyncio.Event()
    pool = make_pool(warm_target=6, max_size=8, max_opening=4)
    preparing = asyncio.create_task(pool.prepare())
    await settle()
    assert factory.opening_now == 4
    factory.gate.set()
    assert await preparing == 0
    assert factory.opening_peak == 4
    assert pool.stats().warm_count == 6


async def test_prepare_tells_what_is_missing(make_pool: MakePool, factory: Factory) -> None:
    factory.open_error = ConnectionRefusedError
    pool = make_pool(warm_target=3)
    assert await pool.prepare() == 3


async def test_prepare_twice_opens_once(make_pool: MakePool, factory: Factory) -> None:
    pool = make_pool(warm_target=2)
    assert set(await asyncio.gather(pool.prepare(), pool.prepare())) == {0}
    assert factory.attempts == 2


async def test_the_stock_is_refilled_when_a_client_is_taken(
    make_pool: MakePool, factory: Factory
) -> None:
    pool = make_pool(warm_target=2, max_size=6)
    await pool.prepare()
    for session in ("a", "b", "c"):
        assert (await pool.allocate(session)).tier is WARM
        await settle()
    assert pool.stats().warm_count == 2


async def test_refill_stays_under_the_maximum(make_pool: MakePool, factory: Factory) -> None:
    pool = make_pool(warm_target=3, max_size=3)
    await pool.prepare()
    await hold(pool, "a", "b")
    await settle()
    assert len(factory.made) == 3


async def test_a_client_given_back_satisfies_the_target(
    make_pool: MakePool, factory: Factory
) -> None:
    pool = make_pool(warm_target=1)
    await pool.prepare()
    lease = await pool.allocate("a")
    pool.borrow(lease.lease_id)
    await settle()
    assert len(factory.made) == 2
    await pool.release(lease.lease_id)
    await hold(pool, "b", "c")
    await settle()
    assert len(factory.made) == 3


async def test_the_target_can_be_set(make_pool: MakePool, factory: Factory) -> None:
    pool = make_pool()
    await pool.prepare()
    pool.set_warm_target(3)
    await settle()
    assert pool.stats().warm_count == 3
    with pytest.raises(ValueError, match="warm_target 5"):
        pool.set_warm_target(5)


async def test_the_target_follows_a_burst_so_that_the_next_one_is_warm(
    make_pool: MakePool, factory: Factory, clock: Clock
) -> None:
    pool = make_pool(warm_target=2, max_size=64, warm_ceiling=64)
    await pool.prepare()
    first = await asyncio.gather(*(pool.allocate(f"a{number}") for number in range(20)))
    assert [lease.tier for lease in first].count(WARM) == 2
    await settle()
    clock.advance(1)
    second = await asyncio.gather(*(pool.allocate(f"b{number}") for number in range(20)))
    assert {lease.tier for lease in second} == {WARM}


async def test_the_target_falls_again_and_surplus_idles_out(
    make_pool: MakePool, factory: Factory, clock: Clock
) -> None:
    pool = make_pool(warm_target=1, max_size=64, warm_ceiling=32, demand_half_life_seconds=60)
    await pool.prepare()
    for lease in await asyncio.gather(*(pool.allocate(f"a{number}") for number in range(20))):
        await pool.release(lease.lease_id)
    await settle()
    assert pool.stats().warm_target > 20
    for _ in range(30):
        clock.advance(60)
        pool.sweep()
        await settle()
    assert pool.stats().warm_target == 1
    assert pool.stats().warm_count == 1


# ---------------------------------------------------------------------- a provider in trouble


async def test_one_failed_open_is_not_noticed_by_the_caller(
    make_pool: MakePool, factory: Factory
) -> None:
    errors = [ConnectionResetError]

    def fail_once() -> BaseException:
        error = errors.pop()
        factory.open_error = None
        return error()

    factory.open_error = fail_once
    pool = make_pool()
    await pool.prepare()
    assert (await pool.allocate("a")).tier is COLD
    assert pool.stats().open_failures == 1


async def test_the_breaker_opens_and_refuses_at_once(
    make_pool: MakePool, factory: Factory, clock: Clock
) -> None:
    factory.open_error = ConnectionRefusedError
    pool = make_pool(breaker_failures=2)
    await pool.prepare()
    with pytest.raises(BreakerOpen, match="ConnectionRefusedError") as refusal:
        await pool.allocate("a")
    assert isinstance(refusal.value.__cause__, ConnectionRefusedError)
    assert 0.25 <= refusal.value.retry_after_seconds <= 0.5
    assert pool.stats().breaker_state is BreakerState.OPEN
    attempts = factory.attempts
    for number in range(50):
        with pytest.raises(BreakerOpen):
            await pool.allocate(f"s{number}")
    assert factory.attempts == attempts == 2


async def test_after_the_pause_one_probe_decides(
    make_pool: MakePool, factory: Factory, clock: Clock
) -> None:
    factory.open_error = ConnectionRefusedError
    pool = make_pool(breaker_failures=2)
    await pool.prepare()
    with pytest.raises(BreakerOpen):
        await pool.allocate("a")
    factory.open_error = None
    factory.gate = asyncio.Event()
    clock.advance(1)
    probe = asyncio.create_task(pool.allocate("probe"))
    await settle()
    assert pool.stats().breaker_state is BreakerState.HALF_OPEN
    with pytest.raises(BreakerOpen):
        await pool.allocate("other")
    assert factory.opening_now == 1
    factory.gate.set()
    assert (await probe).tier is COLD
    assert pool.stats().breaker_state is BreakerState.CLOSED
    assert (await pool.allocate("other")).tier is COLD


async def test_refill_probes_so_that_no_call_has_to(
    make_pool: MakePool, factory: Factory, clock: Clock
) -> None:
    factory.open_error = ConnectionRefusedError
    pool = make_pool(warm_target=2, breaker_failures=2)
    await pool.prepare()
    for _ in range(2):
        clock.advance(1)
        pool.sweep()
        await settle()
    assert pool.stats().breaker_state is BreakerState.OPEN
    factory.open_error = None
    clock.advance(3)
    pool.sweep()
    await settle()
    assert pool.stats().breaker_state is BreakerState.CLOSED
    assert pool.stats().warm_count == 2


async def test_a_provider_down_for_two_seconds_is_hardly_asked(
    make_pool: MakePool, factory: Factory, clock: Clock
) -> None:
    """A call each 50 ms."""
    pool = make_pool(warm_target=2)
    await pool.prepare()
    factory.open_error = ConnectionRefusedError
    attempts = factory.attempts
    asks = []
    for number in range(40):
        asks.append(asyncio.create_task(pool.allocate(f"s{number}", deadline=clock.now + 8)))
        clock.advance(0.05)
        pool.sweep()
        await settle()
    assert factory.attempts - attempts < 10
    assert sum(ask.done() for ask in asks) >= 35  # served warm, or refused at once
    factory.open_error = None
    clock.advance(2)
    assert (await pool.allocate("after")).tier is COLD
    await asyncio.gather(*asks, return_exceptions=True)


async def test_the_breaker_leaves_warm_and_leased_clients_alone(
    make_pool: MakePool, factory: Factory
) -> None:
    pool = make_pool(warm_target=2, max_size=4, breaker_failures=1)
    await pool.prepare()
    factory.open_error = ConnectionRefusedError
    (held,) = await hold(pool, "a")
    await settle()
    assert pool.stats().breaker_state is BreakerState.OPEN
    assert (await pool.allocate("b")).tier is WARM
    assert (await pool.allocate("a")).tier is DEDICATED
    async with pool.stream(held):
        pass


async def test_at_the_maximum_the_breaker_refuses_nobody_who_waits_for_a_lease_to_end(
    make_pool: MakePool, factory: Factory, clock: Clock
) -> None:
    factory.gate = asyncio.Event()
    pool = make_pool(max_size=2, slow_open_seconds=2.0, breaker_failures=2)
    await pool.prepare()
    asks = [asyncio.create_task(pool.allocate(f"s{number}")) for number in range(3)]
    await settle()
    clock.advance(3)
    factory.gate.set()
    held = await asks[0]
    await settle()
    assert pool.stats().breaker_state is BreakerState.OPEN
    assert not asks[2].done()
    await pool.release(held.lease_id)
    assert (await asks[2]).tier is WARM


async def test_with_room_but_a_failing_provider_all_who_wait_are_refused(
    make_pool: MakePool, factory: Factory
) -> None:
    pool = make_pool(max_size=2, breaker_failures=1)
    await pool.prepare()
    one, _ = await hold(pool, "a", "b")
    asks = [asyncio.create_task(pool.allocate(name)) for name in ("c", "d")]
    await settle()
    factory.open_error = ConnectionRefusedError
    await pool.release(one, discard=True)  # its place is free, but nothing can be opened in it
    for ask in asks:
        with pytest.raises(BreakerOpen):
            await ask


async def test_a_closed_pool_leaves_no_timer_behind(make_pool: MakePool, factory: Factory) -> None:
    factory.open_error = ConnectionRefusedError
    pool = make_pool(warm_target=1, breaker_failures=1)
    await pool.prepare()
    assert pool.stats().breaker_state is BreakerState.OPEN
    await pool.close()
    pool.sweep()
    assert pool._crew._timer is None


async def test_slow_opens_open_the_breaker_too(
    make_pool: MakePool, factory: Factory, clock: Clock
) -> None:
    factory.gate = asyncio.Event()
    pool = make_pool(max_size=8, slow_open_seconds=2.0, breaker_failures=3)
    await pool.prepare()
    asks = [asyncio.create_task(pool.allocate(f"s{number}")) for number in range(3)]
    await settle()
    clock.advance(3)
    factory.gate.set()
    await asyncio.gather(*asks)
    assert pool.stats().breaker_state is BreakerState.OPEN
    assert pool.stats().leased_count == 3


async def test_an_open_that_takes_too_long_is_given_up(factory: Factory) -> None:
    from warmpool import PoolOptions

    factory.gate = asyncio.Event()
    options = PoolOptions(open_seconds=0.01, breaker_failures=1)
    async with WarmPool(factory, name="p", warm_target=0, max_size=1, options=options) as pool:
        with pytest.raises(BreakerOpen) as refusal:
            await pool.allocate("a")
    assert isinstance(refusal.value.__cause__, TimeoutError)


@pytest.mark.parametrize("answer", [False, RuntimeError("no network")])
async def test_a_client_that_cannot_be_warmed_is_closed_and_never_handed_out(
    make_pool: MakePool, factory: Factory, answer: bool | Exception
) -> None:
    factory.warm_answer = answer
    pool = make_pool(warm_target=1, breaker_failures=2)
    assert await pool.prepare() == 1
    await settle()
    assert factory.open_clients == []
    with pytest.raises(BreakerOpen):
        await pool.allocate("a")
    assert pool.stats().discarded_counts == {"failed_warm": len(factory.made)}


async def test_a_throttling_provider_makes_requests_wait_for_a_client_to_come_back(
    make_pool: MakePool, factory: Factory, clock: Clock
) -> None:
    """The provider gives ten at most, the pool was told twenty: ten wait, none fails."""

    def refuse_beyond_ten() -> None:
        if len(factory.open_clients) >= 10:
            raise OpenThrottled("429", retry_after_seconds=5)

    class Capped(Factory):
        async def open(self) -> Client:
            refuse_beyond_ten()
            return await super().open()

    factory = Capped()
    pool = make_pool(factory, max_size=20)
    await pool.prepare()
    asks = [asyncio.create_task(pool.allocate(f"s{number}")) for number in range(20)]
    await settle(60)
    assert sum(ask.done() for ask in asks) == 10
    assert pool.stats().breaker_state is BreakerState.CLOSED
    for ask in asks[:10]:
        await pool.release((await ask).lease_id)
    assert len(await asyncio.gather(*asks)) == 20
    with pytest.raises(PoolExhausted):
        await pool.allocate("late", max_wait_seconds=0)


async def test_a_factory_that_opens_nothing_is_told_so(
    make_pool: MakePool, factory: Factory
) -> None:
    class Empty(Factory):
        async def open(self) -> Client:
            return None  # type: ignore[return-value]

    pool = make_pool(Empty(), breaker_failures=1)
    await pool.prepare()
    with pytest.raises(BreakerOpen) as refusal:
        await pool.allocate("a")
    assert "returned None" in str(refusal.value.__cause__)


# ---------------------------------------------------------------------- wear


async def test_a_dead_client_is_replaced_without_the_caller_noticing(
    make_pool: MakePool, factory: Factory
) -> None:
    pool = make_pool(warm_target=2)
    await pool.prepare()
    factory.made[-1].alive = False
    lease = await pool.allocate("a")
    assert lease.tier is WARM
    assert pool.borrow(lease.lease_id).alive
    await settle()
    assert pool.stats().discarded_counts == {"failed_check": 1}


async def test_idle_clients_are_checked_in_the_background(
    make_pool: MakePool, factory: Factory, clock: Clock
) -> None:
    pool = make_pool(warm_target=3, check_interval_seconds=10)
    await pool.prepare()
    factory.made[0].alive = False
    for _ in range(4):
        clock.advance(5)
        pool.sweep()
        await settle()
    assert factory.made[0].closes == 1
    assert pool.stats().warm_count == 3
    assert all(client.alive for client in factory.open_clients)


async def test_a_background_check_never_takes_the_last_warm_client_away_for_long(
    make_pool: MakePool, factory: Factory, clock: Clock
) -> None:
    pool = make_pool(warm_target=4, check_interval_seconds=10)
    await pool.prepare()
    factory.hook_gate = asyncio.Event()
    clock.advance(10)
    pool.sweep()
    await settle()
    assert pool.stats().warm_count == 2
    factory.hook_gate.set()
    await settle()
    assert pool.stats().warm_count == 4


async def test_a_client_verified_a_moment_ago_may_be_handed_out_unchecked(
    make_pool: MakePool, factory: Factory, clock: Clock
) -> None:
    pool = make_pool(warm_target=1, check_bypass_seconds=0.5)
    await pool.prepare()
    lease = await pool.allocate("a")
    assert pool.borrow(lease.lease_id).checks == 0
    await pool.release(lease.lease_id)
    clock.advance(0.5)
    await pool.allocate("b")
    assert sum(client.checks for client in factory.made) == 1


async def test_clients_age_out_but_not_all_at_once(
    make_pool: MakePool, factory: Factory, clock: Clock
) -> None:
    pool = make_pool(warm_target=8, max_size=16, max_age_seconds=100, max_idle_seconds=math.inf)
    await pool.prepare()
    originals = set(factory.made)
    clock.advance(95)
    pool.sweep()
    await settle()
    left = originals & set(factory.open_clients)
    assert 0 < len(left) < 8
    clock.advance(5)
    pool.sweep()
    await settle()
    assert not originals & set(factory.open_clients)
    assert pool.stats().warm_count == 8
    assert set(pool.stats().discarded_counts) == {"max_age"}


async def test_an_old_client_is_not_handed_out_even_before_the_sweep(
    make_pool: MakePool, factory: Factory, clock: Clock
) -> None:
    pool = make_pool(warm_target=1, max_age_seconds=100)
    await pool.prepare()
    clock.advance(100)
    lease = await pool.allocate("a")
    assert pool.borrow(lease.lease_id) is not factory.made[0]


async def test_a_client_is_closed_after_its_uses(make_pool: MakePool, factory: Factory) -> None:
    pool = make_pool(max_uses=3)
    await pool.prepare()
    for number in range(6):
        lease = await pool.allocate(f"s{number}")
        pool.borrow(lease.lease_id)
        await pool.release(lease.lease_id)
        await settle()
    assert len(factory.made) == 2
    assert pool.stats().discarded_counts == {"max_uses": 2}


async def test_an_idle_client_is_closed_in_time_and_a_check_does_not_save_it(
    make_pool: MakePool, factory: Factory, clock: Clock
) -> None:
    pool = make_pool(max_idle_seconds=60, check_interval_seconds=10)
    await pool.prepare()
    (lease,) = await hold(pool, "a")
    await pool.release(lease)
    for _ in range(12):
        clock.advance(5)
        pool.sweep()
        await settle()
    assert factory.made[0].checks > 1
    assert factory.made[0].closes == 1
    assert pool.stats().discarded_counts == {"max_idle": 1}


async def test_rotation_replaces_idle_clients_as_new_ones_are_ready(
    make_pool: MakePool, factory: Factory
) -> None:
    pool = make_pool(warm_target=2, max_size=6)
    await pool.prepare()
    (held,) = await hold(pool, "a")
    await settle()
    old = set(factory.made)
    factory.gate = asyncio.Event()
    pool.rotate()
    await settle()
    assert pool.stats().warm_count == 2  # the old ones serve until the new ones are there
    factory.gate.set()
    await settle()
    assert set(factory.open_clients) & old == {pool.borrow(held)}
    await pool.release(held)
    await settle()
    assert not set(factory.open_clients) & old
    assert set(pool.stats().discarded_counts) == {"generation"}


async def test_rotation_works_at_the_maximum(make_pool: MakePool, factory: Factory) -> None:
    pool = make_pool(warm_target=3, max_size=3)
    await pool.prepare()
    old = set(factory.made)
    pool.rotate()
    await settle(60)
    assert not set(factory.open_clients) & old
    assert pool.stats().warm_count == 3


async def test_rotation_with_drop_hands_out_no_old_client_any_more(
    make_pool: MakePool, factory: Factory
) -> None:
    pool = make_pool(warm_target=2)
    await pool.prepare()
    old = set(factory.made)
    factory.gate = asyncio.Event()
    pool.rotate(drop=True)
    assert pool.stats().warm_count == 0
    ask = asyncio.create_task(pool.allocate("a"))
    factory.gate.set()
    assert pool.borrow((await ask).lease_id) not in old


# ---------------------------------------------------------------------- stocks


async def test_stocks_are_apart_and_share_one_bound(make_pool: MakePool) -> None:
    here, there = Factory(), Factory()
    pool = make_pool(
        {"here": here, "there": there}, warm_target={"here": 1, "there": 1}, max_size=3
    )
    await pool.prepare()
    pool.set_warm_target(0, stock="here")
    pool.set_warm_target(0, stock="there")
    one = await pool.allocate("a", stock="here")
    two = await pool.allocate("a", stock="there")
    assert one.lease_id != two.lease_id
    assert pool.borrow(one.lease_id) in here.made
    assert pool.borrow(two.lease_id) in there.made
    await pool.allocate("b", stock="here")
    with pytest.raises(PoolExhausted):
        await pool.allocate("b", stock="there", max_wait_seconds=0)
    stats = pool.stats()
    assert {name: stock.leased_count for name, stock in stats.stocks.items()} == {
        "here": 2,
        "there": 1,
    }
    with pytest.raises(ValueError, match="it has: here, there"):
        await pool.allocate("c")


async def test_at_the_maximum_an_idle_client_of_one_stock_makes_room_for_another(
    make_pool: MakePool,
) -> None:
    here, there = Factory(), Factory()
    pool = make_pool({"here": here, "there": there}, warm_target={"here": 2}, max_size=2)
    await pool.prepare()
    pool.set_warm_target(0, stock="here")
    assert (await pool.allocate("a", stock="there")).tier is COLD
    assert len(here.open_clients) + len(there.open_clients) == 2
    assert pool.stats().discarded_counts == {"displaced": 1}


async def test_the_oldest_request_gets_a_freed_place_whatever_its_stock(
    make_pool: MakePool,
) -> None:
    here, there = Factory(), Factory()
    pool = make_pool({"here": here, "there": there}, warm_target={}, max_size=1)
    await pool.prepare()
    held = await pool.allocate("a", stock="here")
    elder = asyncio.create_task(pool.allocate("elder", stock="there"))
    await settle()
    younger = asyncio.create_task(pool.allocate("younger", stock="there"))
    await settle()
    await pool.release(held.lease_id)
    assert (await elder).tier is COLD
    assert not younger.done()
    younger.cancel()


async def test_one_stocks_failing_provider_does_not_touch_another(make_pool: MakePool) -> None:
    here, there = Factory(), Factory()
    here.open_error = ConnectionRefusedError
    pool = make_pool({"here": here, "there": there}, warm_target={}, breaker_failures=1)
    await pool.prepare()
    with pytest.raises(BreakerOpen):
        await pool.allocate("a", stock="here")
    assert (await pool.allocate("a", stock="there")).tier is COLD
    assert pool.stats().breaker_state is BreakerState.OPEN
    assert pool.stats().stocks["there"].breaker_state is BreakerState.CLOSED
