"""What the pool itself costs in process, as ratios to a bare dict hit plus an await in the same run.

DEDICATED: a session asks again for what it holds. WARM: a session takes an idle client, which is asked
whether it is fit, and gives it back. Each loop is timed whole, with nothing but the calls in it, and its
anchor right before it, by the CPU time of the thread: the loops never wait, and what else the machine
does is not theirs. A ratio is the median over the repeats. Sessions are named beforehand.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import uvloop

from tests.load.measure import machine
from warmpool import Reuse, WarmableResourcePool, WarmPool

ROUNDS = 4_000
REPEATS = 75
NAMES = [f"session-{number % 1000}" for number in range(ROUNDS)]
Loop = Callable[[], Awaitable[None]]


class Trivial:
    """Clients that cost nothing, so that only the pool is measured. Their check is a coroutine."""

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


class Telling(Trivial):
    """The same, whose fitness is known at once, as that of the service's clients is."""

    def is_fit(self, client: object) -> bool:
        return True


@dataclass(frozen=True)
class Row:
    """One loop to time, and what its ratio should not pass."""

    name: str
    loop: Loop
    goal: float | None = None


async def microseconds(loop: Loop) -> float:
    began = time.thread_time()
    await loop()
    return (time.thread_time() - began) / ROUNDS * 1e6


HELD = dict.fromkeys(NAMES, object())


async def hit(session: str) -> object:
    return HELD[session]


async def anchor() -> None:
    """The least that any answer by session can cost."""
    for name in NAMES:
        await hit(name)


async def compare(row: Row) -> bool:
    """Print the row; False if it missed its goal."""
    await row.loop()
    pairs = [(await microseconds(anchor), await microseconds(row.loop)) for _ in range(REPEATS)]
    mine = statistics.median(loop for _, loop in pairs)
    ratio = statistics.median(loop / base for base, loop in pairs)
    goal = "" if row.goal is None else f"   goal {row.goal:g} x"
    missed = row.goal is not None and ratio > row.goal
    print(f"  {row.name:52} {mine:6.3f} us {ratio:6.1f} x{goal}{'   <-- MISSED' if missed else ''}")
    return not missed


async def refilled(pool: WarmPool[object]) -> None:
    """The loops never give way, so a refill that has begun would stay under way through all of them."""
    lease = await pool.allocate("first")
    await pool.release(lease.lease_id)
    while pool.stats().opening_count or pool.stats().warm_count < pool.stats().warm_target:
        await asyncio.sleep(0)


def rows_of(pool: WarmPool[object], *, goals: bool) -> list[Row]:
    async def dedicated() -> None:
        for _ in NAMES:
            await pool.allocate("held")

    async def warm() -> None:
        for name in NAMES:
            lease = await pool.allocate(name)
            await pool.release(lease.lease_id)

    async def warm_and_used() -> None:
        for name in NAMES:
            lease = await pool.allocate(name)
            pool.borrow(lease.lease_id)
            await pool.release(lease.lease_id)

    return [
        Row("DEDICATED: allocate", dedicated, 10.0 if goals else None),
        Row("WARM: allocate, release", warm, 15.0 if goals else None),
        Row("WARM: allocate, borrow, release with its reset", warm_and_used),
    ]


def rows_of_seed(pool: WarmableResourcePool[object]) -> list[Row]:
    async def dedicated() -> None:
        for _ in NAMES:
            await pool.acquire_for_session("held")

    async def warm() -> None:
        for name in NAMES:
            await pool.acquire_for_session(name)
            await pool.release_for_session(name)

    return [
        Row("DEDICATED: acquire_for_session", dedicated),
        Row("WARM: acquire_for_session, release_for_session, reset", warm),
    ]


async def main() -> None:
    print(f"{ROUNDS} rounds, median of {REPEATS}; {machine()}")
    met = []
    for factory, title in (
        (Telling(), "WarmPool; each client is asked before it is handed out, and knows at once"),
        (Trivial(), "WarmPool; each client is asked before it is handed out, by a coroutine"),
    ):
        async with WarmPool(factory, name="micro", warm_target=8, max_size=64) as pool:
            await pool.allocate("held")
            await refilled(pool)
            print(title)
            goals = isinstance(factory, Telling)
            met += [await compare(row) for row in rows_of(pool, goals=goals)]
    print("WarmableResourcePool, the seed's door to the same pool")
    met += await seed_pool()
    if not all(met):
        raise SystemExit("a goal was missed")


async def seed_pool() -> list[bool]:
    async def make() -> object:
        return object()

    pool = WarmableResourcePool(factory=make, name="seed", warm_pool_size=8, session_awareness=True)
    await pool.prepare()
    await pool.acquire_for_session("held")
    met = [await compare(row) for row in rows_of_seed(pool)]
    await pool.shutdown()
    return met


if __name__ == "__main__":
    uvloop.run(main())
