"""Clients lent by session in one step, where that takes no wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.support.pool_factory import Client, Clock, Factory, settle
from warmpool import AllocationTier, PoolClosed, PoolDraining, PoolOptions
from warmpool.lending import LendingPool

DEDICATED, WARM, COLD = AllocationTier


@pytest.fixture
async def pool(factory: Factory, clock: Clock) -> AsyncIterator[LendingPool[Client]]:
    options = PoolOptions(check_bypass_seconds=5.0)
    pool = LendingPool(
        factory, name="p", warm_target=1, max_size=2, clock=clock, options=options
    )  # fmt: skip
    await pool.prepare()
    pool.set_warm_target(0)
    yield pool
    await pool.close()
    assert [client.closes for client in factory.made] == [1] * len(factory.made)


async def test_an_idle_client_is_lent_and_kept_for_its_session(
    pool: LendingPool[Client], factory: Factory
) -> None:
    assert pool.grab("a") == (factory.made[0], WARM)
    assert pool.grab("a") == (factory.made[0], DEDICATED)
    assert pool.grab("b") is None
    assert pool.stats().tier_counts == {DEDICATED: 1, WARM: 1, COLD: 0}


async def test_it_is_given_back_by_session_and_minded_which_one_it_is(
    pool: LendingPool[Client], factory: Factory
) -> None:
    pool.grab("a")
    assert await pool.release_held("b") is False
    assert await pool.release_held("a", Client(99)) is False
    assert await pool.release_held("a", factory.made[0]) is True
    assert factory.made[0].resets == 1
    assert await pool.release_held("a") is False


async def test_one_that_must_be_checked_stays_where_it_is(
    pool: LendingPool[Client], factory: Factory, clock: Clock
) -> None:
    clock.advance(5)
    assert pool.grab("a") is None
    assert pool.stats().warm_count == 1
    assert (await pool.allocate("a")).tier is WARM
    assert factory.made[0].checks == 1


async def test_a_session_in_line_or_in_a_stream_is_told_to_ask(
    pool: LendingPool[Client], factory: Factory
) -> None:
    lease = await pool.allocate("a")
    async with pool.stream(lease.lease_id):
        assert pool.grab("a") is None
    factory.gate = asyncio.Event()
    ask = asyncio.create_task(pool.allocate("b"))
    await settle()
    assert pool.grab("b") is None
    factory.gate.set()
    await ask
    assert pool.stats().tier_counts[DEDICATED] == 0


async def test_an_expired_entry_is_replaced(
    pool: LendingPool[Client], factory: Factory, clock: Clock
) -> None:
    pool.grab("a")
    clock.advance(30)
    assert pool.grab("a") is None
    await settle()
    assert factory.made[0].closes == 1


async def test_it_lends_only_while_it_is_open(pool: LendingPool[Client]) -> None:
    pool.grab("a")
    pool.drain()
    assert pool.grab("a") is not None
    with pytest.raises(PoolDraining):
        pool.grab("b")
    await pool.close()
    with pytest.raises(PoolClosed):
        pool.grab("a")
