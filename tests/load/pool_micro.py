"""What the pool itself costs in process, as ratios to a bare dict hit plus an await in the same run.

DEDICATED: a session asks again for what it holds. WARM: a new session takes an idle client and gives it
back. Each figure is the median of nine repeats; the anchor is measured between them.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Awaitable, Callable
from itertools import cycle

import uvloop

from tests.load.measure import machine
from warmpool import PoolOptions, Reuse, WarmableResourcePool, WarmPool

ROUNDS = 20_000
REPEATS = 9
GOALS = {"DEDICATED": 10.0, "WARM": 15.0}
NAMES = cycle([f"session-{number}" for number in range(1000)])
"""Made beforehand: naming a session is not the pool's work."""


class Trivial:
    """Clients that cost nothing, so that only the pool is measured."""

    reuse = Reuse.RESET

    async def open(self) -> object:
        return object()

    async def warm(self, client: object) -> bool:
        return True

    async def check(self, client: object) -> bool:
        return True

    async def reset(self, client: object) -> bool:
        return True

    async def close(self, client: object) -> None:
        return


async def microseconds(work: Callable[[], Awaitable[object]]) -> float:
    """One piece of work, averaged over many."""
    began = time.perf_counter()
    for _ in range(ROUNDS):
        await work()
    return (time.perf_counter() - began) / ROUNDS * 1e6


async def main() -> None:
    print(f"{ROUNDS} rounds, median of {REPEATS}; {machine()}")
    held = {"session": object()}

    async def anchor() -> object:
        return held["session"]

    bypass = PoolOptions(check_bypass_seconds=1.0)
    async with WarmPool(
        Trivial(), name="micro", warm_target=8, max_size=64, options=bypass
    ) as pool:
        await pool.allocate("session")

        async def dedicated() -> object:
            return await pool.allocate("session")

        async def warm() -> None:
            lease = await pool.allocate(next(NAMES))
            await pool.release(lease.lease_id)

        print("a client verified within the last second is handed out as it is:")
        await compare({"DEDICATED": dedicated, "WARM": warm}, anchor)
    async with WarmPool(Trivial(), name="micro", warm_target=8, max_size=64) as pool:
        print("every client is checked by its factory before it is handed out:")
        await compare({"WARM": warm}, anchor)
    await seed_pool(anchor)


async def seed_pool(anchor: Callable[[], Awaitable[object]]) -> None:
    """The same through the seed's door."""

    async def make() -> object:
        return object()

    pool = WarmableResourcePool(factory=make, name="seed", warm_pool_size=8, session_awareness=True)
    await pool.prepare()
    await pool.acquire_for_session("session")

    async def dedicated() -> object:
        return await pool.acquire_for_session("session")

    async def warm() -> None:
        name = next(NAMES)
        await pool.acquire_for_session(name)
        await pool.release_for_session(name)

    print("through WarmableResourcePool:")
    await compare({"DEDICATED": dedicated, "WARM": warm}, anchor)
    await pool.shutdown()


async def compare(
    works: dict[str, Callable[[], Awaitable[object]]], anchor: Callable[[], Awaitable[object]]
) -> None:
    """Each work beside the anchor of its own repeats."""
    for name, work in works.items():
        await microseconds(work)
        pairs = [(await microseconds(anchor), await microseconds(work)) for _ in range(REPEATS)]
        base = statistics.median(a for a, _ in pairs)
        mine = statistics.median(m for _, m in pairs)
        goal = GOALS[name]
        shown = f"{mine:6.3f} us = {mine / base:5.1f} x {base:.3f} us   (goal {goal:.0f} x)"
        print(f"{name:10} {shown}{'' if mine / base <= goal else '   <-- MISSED'}")


if __name__ == "__main__":
    uvloop.run(main())
