"""The first walk through the pool's public interface."""

from __future__ import annotations

import asyncio

import pytest

from warmpool import AllocationTier, LeaseInUse, PoolExhausted, Reuse, WarmPool


class Counting:
    """Opens numbers; counts what is open."""

    def __init__(self, reuse: Reuse = Reuse.RESET) -> None:
        self.reuse = reuse
        self.made = 0
        self.open_now: set[int] = set()

    async def open(self) -> int:
        await asyncio.sleep(0)
        self.made += 1
        self.open_now.add(self.made)
        return self.made

    async def warm(self, client: int) -> bool:
        return True

    async def check(self, client: int) -> bool:
        return client in self.open_now

    async def reset(self, client: int) -> bool:
        return True

    async def close(self, client: int) -> None:
        self.open_now.discard(client)


async def test_tiers_follow_the_path_that_served_and_everything_is_closed() -> None:
    factory = Counting()
    async with WarmPool(factory, name="p", warm_target=1, max_size=3) as pool:
        first = await pool.allocate("a", request_id="r")
        again = await pool.allocate("a")
        retried = await pool.allocate("a", request_id="r")
        assert [x.tier for x in (first, again, retried)] == [
            AllocationTier.WARM,
            AllocationTier.DEDICATED,
            AllocationTier.WARM,
        ]
        assert first.lease_id == again.lease_id == retried.lease_id
        assert (await pool.allocate("b")).tier is AllocationTier.COLD
        await pool.allocate("c")
        with pytest.raises(PoolExhausted) as refusal:
            await pool.allocate("d", max_wait_seconds=0)
        assert refusal.value.retry_after_seconds > 0
    assert factory.open_now == set()


async def test_a_retired_client_is_replaced_under_the_same_lease() -> None:
    factory = Counting(Reuse.RETIRE)
    async with WarmPool(factory, name="p", warm_target=1, max_size=3) as pool:
        lease = await pool.allocate("a")
        async with pool.stream(lease.lease_id, session="a") as one:
            with pytest.raises(LeaseInUse):
                async with pool.stream(lease.lease_id):
                    pass
        async with pool.stream(lease.lease_id, session="a") as two:
            assert one != two
        await pool.release(lease.lease_id, session="a")
        await pool.release(lease.lease_id, session="a")
        assert pool.stats().leased_count == 0
    assert factory.open_now == set()
