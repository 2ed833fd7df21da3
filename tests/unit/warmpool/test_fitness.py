"""A factory whose clients know at once whether they are fit is asked on the way, without a coroutine."""

from __future__ import annotations

import asyncio
import logging

import pytest

from tests.support.pool_factory import Clock, TellingFactory, settle
from tests.unit.warmpool.conftest import MakePool
from warmpool import AllocationTier, DiscardCause, Reuse

WARM, COLD = AllocationTier.WARM, AllocationTier.COLD


async def test_it_is_asked_in_the_place_of_the_check_each_time(make_pool: MakePool) -> None:
    factory = TellingFactory()
    pool = make_pool(factory, warm_target=1)
    await pool.prepare()
    for number in range(3):
        lease = await pool.allocate(f"s{number}")
        await pool.release(lease.lease_id)
    assert [(client.asked, client.checks) for client in factory.made[:1]] == [(3, 0)]


async def test_a_dead_client_is_passed_over_without_the_callers_noticing(
    make_pool: MakePool,
) -> None:
    factory = TellingFactory()
    pool = make_pool(factory, warm_target=2)
    await pool.prepare()
    factory.made[1].alive = False
    lease = await pool.allocate("s")
    assert (lease.tier, pool.borrow(lease.lease_id)) == (WARM, factory.made[0])
    await settle()
    assert factory.made[1].closes == 1
    assert pool.stats().discarded_counts == {DiscardCause.FAILED_CHECK: 1}
    assert pool.stats().warm_count == 2  # both were replaced


async def test_where_all_are_dead_a_new_one_is_opened(make_pool: MakePool) -> None:
    factory = TellingFactory()
    pool = make_pool(factory, warm_target=2)
    await pool.prepare()
    for client in factory.made:
        client.alive = False
    lease = await pool.allocate("s")
    assert lease.tier is COLD
    assert pool.borrow(lease.lease_id).alive


async def test_one_that_raises_is_closed_and_told_by_its_type(
    make_pool: MakePool, caplog: pytest.LogCaptureFixture
) -> None:
    factory = TellingFactory(fit_error=OSError("what the provider says"))
    pool = make_pool(factory, warm_target=1)
    await pool.prepare()
    with caplog.at_level(logging.WARNING, "warmpool"):
        lease = await pool.allocate("s")
    assert lease.tier is COLD
    assert {record.__dict__["error_type"] for record in caplog.records} == {"OSError"}
    assert "provider says" not in caplog.text
    await settle()
    assert factory.made[0].closes == 1


@pytest.mark.parametrize("fit_error", [None, OSError()])
async def test_a_leases_next_client_is_asked_too(
    make_pool: MakePool, fit_error: Exception | None
) -> None:
    factory = TellingFactory(Reuse.RETIRE)
    pool = make_pool(factory, warm_target=2, max_size=3)
    await pool.prepare()
    lease = await pool.allocate("s")
    async with pool.stream(lease.lease_id):
        pass
    await settle()
    for client in factory.open_clients:
        client.alive = fit_error is not None
    factory.fit_error = fit_error
    known = len(factory.made)
    async with pool.stream(lease.lease_id) as client:
        assert client.number > known  # of those that were idle none would do


async def test_the_check_goes_on_in_the_background(make_pool: MakePool, clock: Clock) -> None:
    factory = TellingFactory()
    pool = make_pool(factory, warm_target=1, check_interval_seconds=15.0)
    await pool.prepare()
    clock.advance(15.0)
    pool.sweep()
    await settle()
    assert [(client.asked, client.checks) for client in factory.made] == [(0, 1)]


async def test_a_client_verified_just_now_is_not_asked(make_pool: MakePool, clock: Clock) -> None:
    factory = TellingFactory()
    pool = make_pool(factory, warm_target=1, check_bypass_seconds=1.0)
    await pool.prepare()
    lease = await pool.allocate("s")
    await pool.release(lease.lease_id)
    assert factory.made[0].asked == 0
    clock.advance(1.0)
    await pool.allocate("s")
    assert factory.made[0].asked == 1


async def test_allocating_an_idle_client_never_waits(make_pool: MakePool) -> None:
    """So nothing else runs between the asking and the lease."""
    pool = make_pool(TellingFactory(), warm_target=1)
    await pool.prepare()
    allocating = pool.allocate("s")
    with pytest.raises(StopIteration) as done:
        allocating.send(None)
    assert done.value.value.tier is WARM
    await asyncio.sleep(0)
