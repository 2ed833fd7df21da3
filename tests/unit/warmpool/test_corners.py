"""Where two rules meet: expiry found by a request, hooks that end oddly, old clients that come home."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.pool_factory import Client, Clock, Factory, settle
from tests.unit.warmpool.conftest import MakePool
from warmpool import AllocationTier, LeaseNotFound, Reuse, WarmableResourcePool, WarmPool

DEDICATED, WARM, COLD = AllocationTier


async def test_a_request_finds_its_own_lease_expired_and_gets_a_new_one(
    make_pool: MakePool, factory: Factory, clock: Clock
) -> None:
    pool = make_pool()
    await pool.prepare()
    first = await pool.allocate("a", request_id="r", ttl_seconds=5)
    clock.advance(5)
    second = await pool.allocate("a", request_id="r")
    assert (second.tier, second.lease_id == first.lease_id) == (COLD, False)
    await settle()
    assert factory.made[0].closes == 1


async def test_an_expired_lease_found_by_its_holder_is_seen_to_at_once(
    make_pool: MakePool, factory: Factory, clock: Clock
) -> None:
    pool = make_pool()
    await pool.prepare()
    lease = await pool.allocate("a", ttl_seconds=5)
    clock.advance(5)
    with pytest.raises(LeaseNotFound):
        pool.borrow(lease.lease_id)
    await settle()
    assert factory.made[0].closes == 1


async def test_a_repeated_request_id_is_known_on_the_shortest_path_too(
    make_pool: MakePool,
) -> None:
    pool = make_pool(warm_target=1, check_bypass_seconds=10)
    await pool.prepare()
    tries = [await pool.allocate("a", request_id="r") for _ in range(2)]
    assert [lease.tier for lease in tries] == [WARM, WARM]
    assert tries[0].lease_id == tries[1].lease_id


async def test_a_borrowed_client_that_cannot_be_reused_is_closed_on_release(
    make_pool: MakePool, factory: Factory
) -> None:
    factory.reuse = Reuse.RETIRE
    pool = make_pool()
    await pool.prepare()
    lease = await pool.allocate("a")
    pool.borrow(lease.lease_id)
    await pool.release(lease.lease_id)
    await settle()
    assert pool.stats().discarded_counts == {"retired": 1}


async def test_a_leased_client_of_a_dropped_generation_is_closed_when_it_comes_home(
    make_pool: MakePool, factory: Factory
) -> None:
    pool = make_pool()
    await pool.prepare()
    for touched in (True, False):
        lease = await pool.allocate("a")
        if touched:
            pool.borrow(lease.lease_id)
        pool.rotate(drop=True)
        await pool.release(lease.lease_id)
        await settle()
        assert factory.open_clients == [] or not touched
    assert (await pool.allocate("b")).tier is COLD


async def test_a_check_cancelled_before_its_first_step_loses_no_client(
    make_pool: MakePool, factory: Factory, clock: Clock
) -> None:
    pool = make_pool(warm_target=2, check_interval_seconds=10)
    await pool.prepare()
    before = asyncio.all_tasks()
    clock.advance(10)
    pool.sweep()
    for task in asyncio.all_tasks() - before:
        task.cancel()
    await settle()
    assert pool.stats().closing_count == 0
    assert pool.stats().warm_count == 2
    assert pool.stats().discarded_counts == {"cancelled": 1}


class Abort(BaseException):
    """What is no Exception, such as KeyboardInterrupt."""


@pytest.mark.parametrize("waits", [False, True])
async def test_a_hook_that_ends_by_no_exception_passes_it_on_and_loses_no_client(
    make_pool: MakePool, waits: bool
) -> None:
    class Aborting(Factory):
        async def reset(self, client: Client) -> bool:
            if waits:
                await asyncio.sleep(0)
            raise Abort

    factory = Aborting()
    pool = make_pool(factory)
    await pool.prepare()
    lease = await pool.allocate("a")
    pool.borrow(lease.lease_id)
    with pytest.raises(Abort):
        await pool.release(lease.lease_id)
    await settle()
    assert factory.open_clients == []
    assert pool.stats().discarded_counts == {"cancelled": 1}


async def test_a_hook_may_answer_with_anything_true(make_pool: MakePool) -> None:
    class Wordy(Factory):
        async def check(self, client: Client) -> bool:
            return "yes"  # type: ignore[return-value]

    pool = make_pool(Wordy(), warm_target=1)
    await pool.prepare()
    assert (await pool.allocate("a")).tier is WARM


async def test_a_hook_that_is_no_coroutine_costs_its_client_not_the_pool(
    make_pool: MakePool,
) -> None:
    class Plain(Factory):
        def check(self, client: Client) -> bool:  # type: ignore[override]
            return True

    factory = Plain()
    pool = make_pool(factory, warm_target=1)
    await pool.prepare()
    assert (await pool.allocate("a")).tier is COLD
    assert factory.made[0].closes == 1


async def test_the_pool_serves_again_after_its_whole_stock_has_died(
    make_pool: MakePool, factory: Factory
) -> None:
    """A network outage: every idle socket is dead, and so is the next one that is opened."""
    pool = make_pool(warm_target=3, max_size=3)
    await pool.prepare()
    for client in factory.made:
        client.alive = False
    assert (await pool.allocate("a")).tier is COLD
    await settle(40)
    assert all(client.alive for client in factory.open_clients)
    assert pool.stats().discarded_counts == {"failed_check": 3}


async def test_ten_thousand_sessions_leave_nothing_in_the_books() -> None:
    factory = Factory()
    pool: WarmPool[Client] = WarmPool(
        factory, name="p", warm_target=4, max_size=8, max_waiting=100
    )  # fmt: skip
    await pool.prepare()
    numbers = iter(range(10_000))

    async def worker() -> None:
        for number in numbers:
            lease = await pool.allocate(f"s{number}")
            async with pool.stream(lease.lease_id):
                await asyncio.sleep(0)
            await pool.release(lease.lease_id)

    await asyncio.gather(*(worker() for _ in range(40)))
    ledger = pool._ledger
    assert not ledger.grants
    assert all(not stock.held and not stock.line for stock in ledger.stocks.values())
    assert len(ledger.slots) == len(factory.open_clients) <= 8
    assert not ledger.doomed
    assert not ledger.woken
    await settle()
    assert len(pool._crew._tasks) == 0
    await pool.close()


async def test_an_unready_resource_is_not_lent_without_a_session_either() -> None:
    class Resource:
        is_ready = True

    async def make() -> Resource:
        return Resource()

    pool = WarmableResourcePool(factory=make, name="p", warm_pool_size=1)
    await pool.prepare()
    await pool.prepare()
    first = await pool.acquire()
    await pool.release(first)
    first.is_ready = False
    assert await pool.acquire() is not first
    await pool.release(None)
    await pool.shutdown()
