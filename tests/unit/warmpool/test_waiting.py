"""The line: first come, first served; acknowledged hand-over; deadlines; refusals with a hint."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.pool_factory import Clock, Factory, settle
from tests.unit.warmpool.conftest import MakePool
from warmpool import (
    AllocationTier,
    LeaseNotFound,
    OpenFailed,
    PoolClosed,
    PoolDraining,
    PoolExhausted,
    TierUnavailable,
)

DEDICATED, WARM, COLD = AllocationTier


async def test_those_who_wait_are_served_in_the_order_of_coming(make_pool: MakePool) -> None:
    pool = make_pool(max_size=1)
    await pool.prepare()
    held = await pool.allocate("first")
    served: list[str] = []

    async def ask(session: str) -> None:
        lease = await pool.allocate(session)
        served.append(session)
        assert lease.tier is WARM  # given back by another session, not opened for this one
        await pool.release(lease.lease_id)

    asks = [asyncio.create_task(ask(f"s{number}")) for number in range(5)]
    await settle()
    assert pool.stats().waiting_count == 5
    await pool.release(held.lease_id)
    await asyncio.gather(*asks)
    assert served == [f"s{number}" for number in range(5)]


async def test_a_newcomer_does_not_overtake_the_line(make_pool: MakePool) -> None:
    pool = make_pool(max_size=1)
    await pool.prepare()
    held = await pool.allocate("a")
    waiter = asyncio.create_task(pool.allocate("b"))
    await settle()
    await pool.release(held.lease_id)
    with pytest.raises(PoolExhausted):
        await pool.allocate("c", max_wait_seconds=0)
    assert (await waiter).session == "b"


async def test_a_client_is_not_handed_to_a_waiter_who_has_gone(make_pool: MakePool) -> None:
    """Cancelled in the very turn in which it was served: the client goes to the next in line."""
    pool = make_pool(max_size=1)
    await pool.prepare()
    held = await pool.allocate("a")
    gone = asyncio.create_task(pool.allocate("gone"))
    await settle()
    next_in_line = asyncio.create_task(pool.allocate("next"))
    await settle()
    await pool.release(held.lease_id)
    gone.cancel()
    assert (await next_in_line).session == "next"
    assert pool.stats().leased_count == 1
    assert gone.cancelled()


async def test_a_client_nobody_takes_any_more_goes_back_to_the_warm_set(
    make_pool: MakePool,
) -> None:
    pool = make_pool(max_size=1)
    await pool.prepare()
    held = await pool.allocate("a")
    gone = asyncio.create_task(pool.allocate("gone"))
    await settle()
    await pool.release(held.lease_id)
    gone.cancel()
    await settle()
    assert (pool.stats().leased_count, pool.stats().warm_count) == (0, 1)
    assert (await pool.allocate("b")).tier is WARM


async def test_a_wait_ends_at_its_bound_and_says_when_to_try_again(
    make_pool: MakePool, clock: Clock
) -> None:
    pool = make_pool(max_size=1)
    await pool.prepare()
    await pool.allocate("a", ttl_seconds=60)
    clock.advance(8)
    ask = asyncio.create_task(pool.allocate("b", max_wait_seconds=2))
    await settle()
    clock.advance(1.9)
    pool.sweep()
    await settle()
    assert not ask.done()
    clock.advance(0.1)
    pool.sweep()
    with pytest.raises(PoolExhausted, match=r"within 2\.000 s") as refusal:
        await ask
    assert refusal.value.retry_after_seconds == pytest.approx(10.0)  # the lease's age
    assert pool.stats().waiting_count == 0


async def test_the_deadline_bounds_an_open_too(
    make_pool: MakePool, factory: Factory, clock: Clock
) -> None:
    factory.gate = asyncio.Event()
    pool = make_pool()
    await pool.prepare()
    ask = asyncio.create_task(pool.allocate("a", deadline=clock.now + 3))
    patient = asyncio.create_task(pool.allocate("a", deadline=clock.now + 60))
    await settle()
    clock.advance(3)
    pool.sweep()
    with pytest.raises(PoolExhausted):
        await ask
    factory.gate.set()
    assert (await patient).tier is COLD


async def test_a_wait_bound_does_not_cut_short_an_open_for_this_request(
    make_pool: MakePool, factory: Factory, clock: Clock
) -> None:
    """`max_wait` is about clients that others hold."""
    factory.gate = asyncio.Event()
    pool = make_pool()
    await pool.prepare()
    ask = asyncio.create_task(pool.allocate("a", max_wait_seconds=0))
    await settle()
    clock.advance(5)
    pool.sweep()
    factory.gate.set()
    assert (await ask).tier is COLD


async def test_the_timer_ends_a_wait_by_itself(factory: Factory) -> None:
    from warmpool import WarmPool

    async with WarmPool(factory, name="p", warm_target=0, max_size=1) as pool:
        await pool.allocate("a")
        with pytest.raises(PoolExhausted):
            await asyncio.wait_for(pool.allocate("b", max_wait_seconds=0.01), 5)


async def test_a_failing_provider_is_named_when_the_wait_ends(
    make_pool: MakePool, factory: Factory, clock: Clock
) -> None:
    factory.open_error = ConnectionRefusedError
    pool = make_pool(breaker_failures=5)
    await pool.prepare()
    ask = asyncio.create_task(pool.allocate("a", deadline=clock.now + 1))
    await settle()
    clock.advance(1)
    pool.sweep()
    with pytest.raises(OpenFailed, match="ConnectionRefusedError") as refusal:
        await ask
    assert isinstance(refusal.value.__cause__, ConnectionRefusedError)


async def test_the_line_is_bounded(make_pool: MakePool) -> None:
    pool = make_pool(max_size=1, max_waiting=2)
    await pool.prepare()
    await pool.allocate("a")
    asks = [asyncio.create_task(pool.allocate(f"s{number}")) for number in range(2)]
    await settle()
    with pytest.raises(PoolExhausted, match="2 requests wait already"):
        await pool.allocate("late")
    for ask in asks:
        ask.cancel()
    await asyncio.wait(asks)
    assert pool.stats().waiting_count == 0


async def test_the_bound_of_the_line_does_not_count_those_for_whom_there_is_room(
    make_pool: MakePool, factory: Factory
) -> None:
    factory.gate = asyncio.Event()
    pool = make_pool(max_size=8, max_waiting=0)
    await pool.prepare()
    asks = [asyncio.create_task(pool.allocate(f"s{number}")) for number in range(8)]
    await settle()
    with pytest.raises(PoolExhausted):
        await pool.allocate("late")
    factory.gate.set()
    assert {lease.tier for lease in await asyncio.gather(*asks)} == {COLD}


async def test_who_takes_only_warm_ones_may_wait_for_one(make_pool: MakePool) -> None:
    pool = make_pool(max_size=2)
    await pool.prepare()
    held = await pool.allocate("a")
    ask = asyncio.create_task(pool.allocate("b", allowed_tiers={WARM}, max_wait_seconds=5))
    await settle()
    assert pool.stats().opening_count == 0
    await pool.release(held.lease_id)
    assert (await ask).tier is WARM


async def test_who_takes_only_warm_ones_gets_what_is_opened_for_the_stock(
    make_pool: MakePool, factory: Factory
) -> None:
    factory.gate = asyncio.Event()
    pool = make_pool(max_size=2)
    await pool.prepare()
    ask = asyncio.create_task(pool.allocate("b", allowed_tiers={WARM}, max_wait_seconds=5))
    await settle()
    pool.set_warm_target(1)
    factory.gate.set()
    assert (await ask).tier is WARM


async def test_who_takes_only_cold_ones_is_passed_over_by_warm_ones(
    make_pool: MakePool, factory: Factory
) -> None:
    pool = make_pool(max_size=2)
    await pool.prepare()
    one, two = [await pool.allocate(name) for name in ("a", "b")]
    picky = asyncio.create_task(pool.allocate("picky", allowed_tiers={COLD}))
    await settle()
    plain = asyncio.create_task(pool.allocate("plain"))
    await settle()
    await pool.release(one.lease_id)
    assert (await plain).tier is WARM
    await pool.release(two.lease_id)
    assert (await picky).tier is COLD


async def test_one_who_joined_may_refuse_what_the_other_takes(
    make_pool: MakePool, factory: Factory
) -> None:
    factory.gate = asyncio.Event()
    pool = make_pool()
    await pool.prepare()
    ask = asyncio.create_task(pool.allocate("a"))
    await settle()
    joined = asyncio.create_task(pool.allocate("a", allowed_tiers={WARM}))
    await settle()
    factory.gate.set()
    assert (await ask).tier is COLD
    with pytest.raises(TierUnavailable):
        await joined


async def test_closing_and_draining_refuse_those_who_wait(make_pool: MakePool) -> None:
    for end, refusal in (("drain", PoolDraining), ("close", PoolClosed)):
        pool = make_pool(max_size=1)
        await pool.prepare()
        await pool.allocate("a")
        ask = asyncio.create_task(pool.allocate("b"))
        await settle()
        if end == "drain":
            pool.drain()
        else:
            await pool.close()
        with pytest.raises(refusal):
            await ask


async def test_a_lease_handed_over_in_the_turn_of_closing_is_refused(make_pool: MakePool) -> None:
    pool = make_pool(max_size=1)
    await pool.prepare()
    held = await pool.allocate("a")
    ask = asyncio.create_task(pool.allocate("b"))
    await settle()
    await pool.release(held.lease_id)
    await pool.close()
    with pytest.raises(PoolClosed):
        await ask


async def test_a_wait_for_the_next_client_of_a_lease_is_bounded(
    make_pool: MakePool, factory: Factory, clock: Clock
) -> None:
    pool = make_pool()
    await pool.prepare()
    lease = await pool.allocate("a")
    with pytest.raises(ConnectionError):
        async with pool.stream(lease.lease_id):
            raise ConnectionError
    factory.gate = asyncio.Event()

    async def reopen() -> None:
        async with pool.stream(lease.lease_id, max_wait_seconds=2):
            pass

    reopening = asyncio.create_task(reopen())
    await settle()
    clock.advance(2)
    pool.sweep()
    with pytest.raises(PoolExhausted):
        await reopening
    factory.gate.set()
    await settle()
    async with pool.stream(lease.lease_id) as client:
        assert client.number == 2


async def test_a_time_to_live_does_not_run_before_the_holder_knows_of_it(
    make_pool: MakePool, clock: Clock
) -> None:
    pool = make_pool(max_size=1)
    await pool.prepare()
    held = await pool.allocate("a", ttl_seconds=600)
    ask = asyncio.create_task(pool.allocate("b", ttl_seconds=1, max_wait_seconds=500))
    await settle()
    await pool.release(held.lease_id)
    clock.advance(2)  # the loop was busy for two seconds
    pool.sweep()
    lease = await ask
    assert lease.expires_at == clock.now + 1
    clock.advance(1)
    with pytest.raises(LeaseNotFound):
        pool.lookup(lease.lease_id)


async def test_a_slow_check_is_waited_for_and_joined(make_pool: MakePool, factory: Factory) -> None:
    pool = make_pool(warm_target=1)
    await pool.prepare()
    pool.set_warm_target(0)
    factory.hook_gate = asyncio.Event()
    asks = [asyncio.create_task(pool.allocate("a", max_wait_seconds=0)) for _ in range(2)]
    await settle()
    assert pool.stats().waiting_count == 1
    factory.hook_gate.set()
    leases = await asyncio.gather(*asks)
    assert {lease.lease_id for lease in leases} == {leases[0].lease_id}
    assert leases[0].tier is WARM
    assert factory.made[0].checks == 1


async def test_cancelled_in_a_slow_check_the_other_who_asked_is_still_served(
    make_pool: MakePool, factory: Factory
) -> None:
    pool = make_pool(warm_target=1)
    await pool.prepare()
    pool.set_warm_target(0)
    factory.hook_gate = asyncio.Event()
    checking = asyncio.create_task(pool.allocate("a"))
    await settle()
    joined = asyncio.create_task(pool.allocate("a"))
    await settle()
    checking.cancel()
    factory.hook_gate.set()
    assert (await joined).tier is COLD
    await settle()
    assert factory.made[0].closes == 1
    assert pool.stats().discarded_counts == {"cancelled": 1}
