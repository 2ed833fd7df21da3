"""What a lease is: whose, for how long, found how; what a second request of its session gets."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.pool_factory import Clock, Factory, settle
from tests.unit.warmpool.conftest import MakePool
from warmpool import (
    AllocationTier,
    LeaseInUse,
    LeaseNotFound,
    LeaseNotOwned,
    PoolClosed,
    PoolDraining,
    Reuse,
    TierUnavailable,
)

DEDICATED, WARM, COLD = AllocationTier


async def test_the_tier_is_that_of_the_path_that_served(make_pool: MakePool) -> None:
    pool = make_pool(warm_target=1)
    assert await pool.prepare() == 0
    pool.set_warm_target(0)
    assert (await pool.allocate("a")).tier is WARM
    assert (await pool.allocate("a")).tier is DEDICATED
    assert (await pool.allocate("b")).tier is COLD
    counts = pool.stats().tier_counts
    assert counts == {DEDICATED: 1, WARM: 1, COLD: 1}


async def test_a_session_keeps_its_lease_and_its_client(make_pool: MakePool, clock: Clock) -> None:
    pool = make_pool(warm_target=1)
    await pool.prepare()
    first = await pool.allocate("a", ttl_seconds=10)
    clock.advance(4)
    again = await pool.allocate("a", ttl_seconds=10)
    assert again.lease_id == first.lease_id
    assert again.expires_at == clock.now + 10
    shorter = await pool.allocate("a", ttl_seconds=1)
    assert shorter.expires_at == again.expires_at
    assert pool.borrow(first.lease_id) is pool.borrow(again.lease_id, session="a")


async def test_a_repeated_request_id_gets_the_answer_of_the_first_try(make_pool: MakePool) -> None:
    pool = make_pool(warm_target=1)
    await pool.prepare()
    first = await pool.allocate("a", request_id="r1")
    retried = await pool.allocate("a", request_id="r1")
    assert (retried.lease_id, retried.tier) == (first.lease_id, WARM)
    assert (await pool.allocate("a", request_id="r2")).tier is DEDICATED
    assert pool.stats().tier_counts[WARM] == 1


async def test_a_retry_that_overtakes_its_first_try_joins_it(
    make_pool: MakePool, factory: Factory
) -> None:
    factory.gate = asyncio.Event()
    pool = make_pool()
    await pool.prepare()
    tries = [asyncio.create_task(pool.allocate("a", request_id="r")) for _ in range(2)]
    await settle()
    tries[0].cancel()  # its caller has given up; the retry goes on
    factory.gate.set()
    assert (await tries[1]).tier is COLD
    assert len(factory.made) == 1


async def test_many_requests_of_one_new_session_open_one_client(
    make_pool: MakePool, factory: Factory
) -> None:
    factory.gate = asyncio.Event()
    pool = make_pool()
    await pool.prepare()
    asks = [asyncio.create_task(pool.allocate("a")) for _ in range(5)]
    await settle()
    factory.gate.set()
    leases = await asyncio.gather(*asks)
    assert len({lease.lease_id for lease in leases}) == 1
    assert {lease.tier for lease in leases} == {COLD}
    assert factory.attempts == 1


async def test_a_lease_ends_when_its_time_is_over_and_its_client_is_closed(
    make_pool: MakePool, factory: Factory, clock: Clock
) -> None:
    pool = make_pool()
    await pool.prepare()
    lease = await pool.allocate("a", ttl_seconds=5)
    clock.advance(4.9)
    pool.sweep()
    assert pool.stats().leased_count == 1
    clock.advance(0.1)
    pool.sweep()
    await settle()
    assert pool.stats().leased_count == 0
    assert pool.stats().discarded_counts == {"expired": 1}
    assert factory.open_clients == []
    with pytest.raises(LeaseNotFound):
        pool.renew(lease.lease_id)


async def test_an_expired_lease_is_not_found_even_before_the_sweep(
    make_pool: MakePool, clock: Clock
) -> None:
    pool = make_pool()
    await pool.prepare()
    lease = await pool.allocate("a", ttl_seconds=5)
    clock.advance(5)
    with pytest.raises(LeaseNotFound):
        pool.lookup(lease.lease_id)
    fresh = await pool.allocate("a")
    assert (fresh.tier, fresh.lease_id != lease.lease_id) == (COLD, True)


async def test_renewal_counts_from_now(make_pool: MakePool, clock: Clock) -> None:
    pool = make_pool()
    await pool.prepare()
    lease = await pool.allocate("a", ttl_seconds=5)
    clock.advance(4)
    renewed = pool.renew(lease.lease_id, 20, session="a")
    assert renewed.expires_at == clock.now + 20
    clock.advance(19)
    pool.sweep()
    assert pool.lookup(lease.lease_id).expires_at == renewed.expires_at


async def test_an_open_stream_keeps_its_lease_and_leaves_it_a_full_term(
    make_pool: MakePool, clock: Clock
) -> None:
    pool = make_pool()
    await pool.prepare()
    lease = await pool.allocate("a", ttl_seconds=5)
    async with pool.stream(lease.lease_id):
        clock.advance(3600)
        pool.sweep()
        assert (await pool.allocate("a")).tier is DEDICATED
    assert pool.lookup(lease.lease_id).expires_at == clock.now + 30
    clock.advance(31)
    pool.sweep()
    assert pool.stats().leased_count == 0


async def test_one_stream_at_a_time(make_pool: MakePool) -> None:
    pool = make_pool()
    await pool.prepare()
    lease = await pool.allocate("a")
    async with pool.stream(lease.lease_id):
        with pytest.raises(LeaseInUse):
            async with pool.stream(lease.lease_id):
                pass
        with pytest.raises(LeaseInUse):
            pool.borrow(lease.lease_id)
    async with pool.stream(lease.lease_id):
        pass


async def test_another_session_can_do_nothing_with_a_lease(make_pool: MakePool) -> None:
    pool = make_pool()
    await pool.prepare()
    lease = await pool.allocate("a")
    with pytest.raises(LeaseNotOwned) as refusal:
        pool.renew(lease.lease_id, session="b")
    assert refusal.value.lease_id == lease.lease_id
    with pytest.raises(LeaseNotOwned):
        await pool.release(lease.lease_id, session="b")
    with pytest.raises(LeaseNotOwned):
        async with pool.stream(lease.lease_id, session="b"):
            pass
    with pytest.raises(LeaseNotOwned):
        pool.borrow(lease.lease_id, session="b")
    assert pool.stats().leased_count == 1


async def test_a_released_client_is_reset_and_reused(make_pool: MakePool, factory: Factory) -> None:
    pool = make_pool()
    await pool.prepare()
    lease = await pool.allocate("a")
    async with pool.stream(lease.lease_id) as client:
        pass
    await pool.release(lease.lease_id, session="a")
    await pool.release(lease.lease_id, session="a")
    assert client.resets == 1
    other = await pool.allocate("b")
    assert other.tier is WARM
    assert pool.borrow(other.lease_id) is client


async def test_a_client_that_nobody_touched_goes_back_without_a_reset(
    make_pool: MakePool, factory: Factory
) -> None:
    factory.reuse = Reuse.RETIRE
    pool = make_pool()
    await pool.prepare()
    lease = await pool.allocate("a")
    await pool.release(lease.lease_id)
    assert (await pool.allocate("b")).tier is WARM
    assert len(factory.made) == 1


@pytest.mark.parametrize("answer", [False, RuntimeError("no"), TimeoutError()])
async def test_a_client_whose_reset_fails_is_closed(
    make_pool: MakePool, factory: Factory, answer: bool | Exception
) -> None:
    factory.reset_answer = answer
    pool = make_pool()
    await pool.prepare()
    lease = await pool.allocate("a")
    pool.borrow(lease.lease_id)
    await pool.release(lease.lease_id)
    await settle()
    assert factory.made[0].closes == 1
    assert pool.stats().discarded_counts == {"failed_reset": 1}
    assert (await pool.allocate("b")).tier is COLD


async def test_discard_closes_the_client(make_pool: MakePool, factory: Factory) -> None:
    pool = make_pool()
    await pool.prepare()
    lease = await pool.allocate("a")
    await pool.release(lease.lease_id, discard=True)
    await settle()
    assert factory.made[0].closes == 1
    assert pool.stats().discarded_counts == {"discard": 1}


async def test_release_under_an_open_stream_takes_the_client_from_it(
    make_pool: MakePool, factory: Factory
) -> None:
    pool = make_pool()
    await pool.prepare()
    lease = await pool.allocate("a")
    async with pool.stream(lease.lease_id) as client:
        await pool.release(lease.lease_id)
        await settle()
        assert client.closes == 1
        other = await pool.allocate("a")
        assert pool.borrow(other.lease_id) is not client
    assert pool.lookup(other.lease_id).session == "a"


async def test_an_error_in_a_stream_closes_its_client_and_the_lease_gets_another(
    make_pool: MakePool, factory: Factory
) -> None:
    pool = make_pool(warm_target=1)
    await pool.prepare()
    lease = await pool.allocate("a")
    with pytest.raises(ConnectionError):
        async with pool.stream(lease.lease_id) as broken:
            raise ConnectionError("socket died")
    await settle()
    assert broken.closes == 1
    async with pool.stream(lease.lease_id) as fresh:
        assert fresh is not broken
    assert (await pool.allocate("a")).tier is DEDICATED


async def test_errors_that_are_not_the_clients_leave_it_alone(
    make_pool: MakePool, factory: Factory
) -> None:
    pool = make_pool(discard_on=(ConnectionError,))
    await pool.prepare()
    lease = await pool.allocate("a")
    with pytest.raises(ValueError, match="no such voice"):
        async with pool.stream(lease.lease_id) as client:
            raise ValueError("no such voice")
    async with pool.stream(lease.lease_id) as same:
        assert same is client


async def test_cancelling_a_stream_keeps_its_client(make_pool: MakePool, factory: Factory) -> None:
    pool = make_pool()
    await pool.prepare()
    lease = await pool.allocate("a")

    async def speak() -> None:
        async with pool.stream(lease.lease_id):
            await asyncio.Event().wait()

    speech = asyncio.create_task(speak())
    await settle()
    speech.cancel()
    await asyncio.wait([speech])
    async with pool.stream(lease.lease_id) as client:
        assert client is factory.made[0]
        assert client.closes == 0


async def test_a_retired_client_is_replaced_by_a_warm_one_under_the_same_lease(
    make_pool: MakePool, factory: Factory
) -> None:
    factory.reuse = Reuse.RETIRE
    pool = make_pool(warm_target=1)
    await pool.prepare()
    lease = await pool.allocate("a")
    used = set()
    for _ in range(3):
        async with pool.stream(lease.lease_id) as client:
            assert client not in used
            used.add(client)
        await settle()
    assert all(client.closes for client in used)
    assert pool.stats().discarded_counts == {"retired": 3}
    assert pool.stats().warm_count == 1


async def test_a_lease_is_promised_its_next_client_even_at_the_maximum(
    make_pool: MakePool, factory: Factory
) -> None:
    factory.reuse = Reuse.RETIRE
    pool = make_pool(max_size=1)
    await pool.prepare()
    lease = await pool.allocate("a")
    async with pool.stream(lease.lease_id):
        pass
    waiting = asyncio.create_task(pool.allocate("b"))
    await settle()
    async with pool.stream(lease.lease_id) as client:
        assert client.number == 2
    assert not waiting.done()
    await pool.release(lease.lease_id)
    assert (await waiting).session == "b"


async def test_a_lease_released_while_it_waits_for_its_next_client_is_not_found(
    make_pool: MakePool, factory: Factory
) -> None:
    factory.reuse = Reuse.RETIRE
    pool = make_pool()
    await pool.prepare()
    lease = await pool.allocate("a")
    async with pool.stream(lease.lease_id):
        pass
    factory.gate = asyncio.Event()

    async def reopen() -> None:
        async with pool.stream(lease.lease_id):
            pass

    reopening = asyncio.create_task(reopen())
    await settle()
    await pool.release(lease.lease_id)
    with pytest.raises(LeaseNotFound):
        await reopening


async def test_a_factory_that_sees_its_client_in_use_keeps_the_lease(
    make_pool: MakePool, factory: Factory, clock: Clock
) -> None:
    pool = make_pool()
    await pool.prepare()
    lease = await pool.allocate("a")
    pool.borrow(lease.lease_id).busy = True
    clock.advance(100)
    pool.sweep()
    assert (await pool.allocate("a")).tier is DEDICATED
    factory.made[0].busy = False
    clock.advance(100)
    pool.sweep()
    assert pool.stats().leased_count == 0


async def test_lease_ids_differ_between_starts(make_pool: MakePool) -> None:
    pool = make_pool()
    await pool.prepare()
    first = await pool.allocate("a")
    await pool.close()
    await pool.prepare()
    second = await pool.allocate("a")
    assert first.lease_id[:16] != second.lease_id[:16]
    with pytest.raises(LeaseNotFound):
        pool.renew(first.lease_id)


async def test_allowed_tiers_are_kept_to(make_pool: MakePool, factory: Factory) -> None:
    pool = make_pool(warm_target=1)
    await pool.prepare()
    pool.set_warm_target(0)
    assert (await pool.allocate("a", allowed_tiers={COLD})).tier is COLD
    with pytest.raises(TierUnavailable, match=r"WARM"):
        await pool.allocate("a", allowed_tiers={WARM})
    assert (await pool.allocate("b", allowed_tiers={WARM})).tier is WARM
    with pytest.raises(TierUnavailable) as refusal:
        await pool.allocate("c", allowed_tiers=[DEDICATED])
    assert refusal.value.allowed_tiers == (DEDICATED,)
    with pytest.raises(TierUnavailable):
        await pool.allocate("c", allowed_tiers={WARM}, max_wait_seconds=0)
    assert pool.stats().refused_count == 3


async def test_draining_grants_nothing_new_and_lets_the_rest_go_on(
    make_pool: MakePool, factory: Factory
) -> None:
    factory.reuse = Reuse.RETIRE
    pool = make_pool(warm_target=2)
    await pool.prepare()
    lease = await pool.allocate("a")
    pool.drain()
    await settle()
    assert pool.stats().warm_count == 0
    with pytest.raises(PoolDraining):
        await pool.allocate("b")
    assert (await pool.allocate("a")).tier is DEDICATED
    for _ in range(2):
        async with pool.stream(lease.lease_id):
            pass
    await pool.release(lease.lease_id)
    await settle()
    assert factory.open_clients == []


async def test_a_pool_serves_only_between_prepare_and_close(make_pool: MakePool) -> None:
    pool = make_pool()
    with pytest.raises(PoolClosed):
        await pool.allocate("a")
    await pool.prepare()
    lease = await pool.allocate("a")
    await pool.close()
    with pytest.raises(PoolClosed):
        await pool.allocate("a")
    with pytest.raises(LeaseNotFound):
        pool.renew(lease.lease_id)
    await pool.release(lease.lease_id)


@pytest.mark.parametrize("ttl", [0, -1, 601, float("nan")])
async def test_a_ttl_out_of_range_is_refused(make_pool: MakePool, ttl: float) -> None:
    pool = make_pool()
    await pool.prepare()
    with pytest.raises(ValueError, match="ttl_seconds"):
        await pool.allocate("a", ttl_seconds=ttl)
    lease = await pool.allocate("a")
    with pytest.raises(ValueError, match="ttl_seconds"):
        pool.renew(lease.lease_id, ttl)


async def test_an_empty_session_and_an_unknown_stock_are_refused(make_pool: MakePool) -> None:
    pool = make_pool()
    await pool.prepare()
    with pytest.raises(ValueError, match="session"):
        await pool.allocate("")
    with pytest.raises(ValueError, match="no stock 'mars'"):
        await pool.allocate("a", stock="mars")
