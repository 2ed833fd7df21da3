"""Warm-pool behaviour over real loopback WebSockets whose handshake takes 200 ms.

Every figure that the pool reports (its tiers) is checked against what the provider saw. Beside the pool
runs its anchor, no pool at all: a handshake for each call. Each scenario prints what it measured and
what it must be.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import uvloop

from tests.load.measure import machine, percentile
from tests.load.speech_socket import LiveSocket, SocketFactory, SocketProvider
from warmpool import PoolError, PoolOptions, WarmPool

HANDSHAKE = 0.2
STOCK = 3
BURST = 20
Socket = LiveSocket


@dataclass
class Taken:
    """One allocation: what came of it, in milliseconds."""

    milliseconds: float
    lease: Any = None
    error: str = ""

    @property
    def tier(self) -> str:
        return self.lease.tier.value if self.lease else ""


@dataclass
class Verdicts:
    """What was measured, and whether it is what it must be."""

    failed: list[str] = field(default_factory=list)

    def say(self, scenario: str, what: str, measured: object, wanted: str, ok: bool) -> None:
        print(f"{scenario:11} {what:52} {measured!s:>12}   {wanted}{'' if ok else '   <-- MISSED'}")
        if not ok:
            self.failed.append(f"{scenario}: {what}")


@asynccontextmanager
async def rig(
    *, max_size: int = 64, **provider: Any
) -> AsyncIterator[tuple[SocketProvider, WarmPool[Socket]]]:
    """A provider and a prepared pool of `STOCK` sockets on it."""
    async with SocketProvider(HANDSHAKE, **provider) as seen:
        options = PoolOptions(warm_ceiling=max_size, max_idle_seconds=60.0)
        pool = WarmPool(
            SocketFactory(seen), name="bench", warm_target=STOCK, max_size=max_size, options=options
        )
        await pool.prepare()
        try:
            yield seen, pool
        finally:
            await pool.close()


async def take(pool: WarmPool[Socket], session: str, wait: float = 8.0) -> Taken:
    began = time.perf_counter()
    try:
        lease = await pool.allocate(session, max_wait_seconds=wait)
    except PoolError as error:
        return Taken((time.perf_counter() - began) * 1e3, error=type(error).__name__)
    return Taken((time.perf_counter() - began) * 1e3, lease)


async def speak_twice(pool: WarmPool[Socket], taken: Taken) -> bool:
    async with pool.stream(taken.lease.lease_id) as socket:
        return await socket.speaks() and await socket.speaks()


async def in_a_row(verdicts: Verdicts) -> None:
    """Thirty calls, one after the other."""
    async with rig() as (seen, pool):
        before = seen.handshakes
        calls = []
        for n in range(30):
            calls.append(await take(pool, f"s{n}"))
            assert await speak_twice(pool, calls[-1])
            await pool.release(calls[-1].lease.lease_id)
        tiers = [call.tier for call in calls]
        verdicts.say("in a row", "first tier", tiers[0], "warm", tiers[0] == "warm")
        verdicts.say("in a row", "COLD of 30", tiers.count("cold"), "0", "cold" not in tiers)
        shown = round(percentile([c.milliseconds for c in calls], 0.5), 3)
        verdicts.say("in a row", "acquire p50, ms (no pool: 200)", shown, "", True)
        more = seen.handshakes - before
        verdicts.say("in a row", "handshakes meanwhile: the stock follows demand", more, "", True)


async def burst(verdicts: Verdicts) -> None:
    """Twenty at once over a stock of three, and again a second later, the first still up."""
    async with rig() as (_seen, pool):
        first = await asyncio.gather(*(take(pool, f"a{n}") for n in range(BURST)))
        slowest = percentile([one.milliseconds for one in first], 0.99) / (HANDSHAKE * 1e3)
        verdicts.say("burst", "p99, handshakes", round(slowest, 2), "at most 1.1", slowest <= 1.1)
        wrong = sum((one.tier == "warm") != (one.milliseconds < HANDSHAKE * 500) for one in first)
        verdicts.say("burst", "tier wrong", wrong, "0", wrong == 0)
        await asyncio.sleep(1.0)
        again = await asyncio.gather(*(take(pool, f"b{n}") for n in range(BURST)))
        warm = sum(one.tier == "warm" for one in again)
        verdicts.say("burst", "WARM of 20 one second later", warm, "20", warm == BURST)
        for one in (*first, *again):
            await pool.release(one.lease.lease_id)


async def leaves_nothing(verdicts: Verdicts) -> None:
    """Sockets that are open after the pool was closed."""
    async with SocketProvider(HANDSHAKE) as seen:
        pool = WarmPool(SocketFactory(seen), name="bench", warm_target=STOCK, max_size=64)
        await pool.prepare()
        taken = await asyncio.gather(*(take(pool, f"x{n}") for n in range(BURST)))
        assert all(one.lease for one in taken)
        await pool.close()
        await asyncio.sleep(0.2)
        verdicts.say("close", "sockets open after close()", seen.open, "0", seen.open == 0)


async def race(verdicts: Verdicts) -> None:
    """Two acquires of one new session at the same time, ten times."""
    async with rig() as (_seen, pool):
        same = 0
        for n in range(10):
            one, two = await asyncio.gather(take(pool, f"r{n}"), take(pool, f"r{n}"))
            same += one.lease.lease_id == two.lease.lease_id
            await pool.release(one.lease.lease_id)
        verdicts.say("race", "sessions with one socket, of 10", same, "10", same == 10)


async def stale(verdicts: Verdicts) -> None:
    """The provider closes what was idle for a second; the pool then hands out its stock."""
    async with rig(idle_close=1.0) as (_seen, pool):
        await asyncio.sleep(2.5)
        dead = 0
        for n in range(STOCK):
            taken = await take(pool, f"d{n}")
            dead += not await speak_twice(pool, taken)
            await pool.release(taken.lease.lease_id)
        verdicts.say("stale", "dead sockets handed out, of 3", dead, "0", dead == 0)


async def cap(verdicts: Verdicts) -> None:
    """The provider takes ten, twenty want one; each speaks for half a second."""
    async with rig(max_open=BURST // 2) as (_seen, pool):

        async def call(number: int) -> Taken:
            taken = await take(pool, f"c{number}", wait=8.0)
            if taken.lease:
                await asyncio.sleep(0.5)
                await pool.release(taken.lease.lease_id)
            return taken

        calls = await asyncio.gather(*(call(n) for n in range(BURST)))
        served = sum(bool(one.lease) for one in calls)
        errors = sorted({one.error for one in calls if one.error})
        verdicts.say(
            "cap", f"served of 20 at a cap of 10 {errors or ''}", served, "20", served == BURST
        )


async def outage(verdicts: Verdicts) -> None:
    """The provider is down for two seconds while a call comes every 50 ms."""
    async with rig() as (seen, pool):
        for n in range(STOCK):
            await take(pool, f"w{n}")
        seen.down, hits = True, seen.rejected
        until = time.perf_counter() + 2.0
        waits = []
        while time.perf_counter() < until:
            waits.append((await take(pool, f"o{time.perf_counter()}", wait=0.0)).milliseconds)
            await asyncio.sleep(0.05)
        seen.down = False
        hits = seen.rejected - hits
        verdicts.say(
            "outage",
            f"hits on the provider in 2 s ({len(waits)} calls)",
            hits,
            "under 10",
            hits < 10,
        )
        began = time.perf_counter()
        while not (await take(pool, f"p{time.perf_counter()}", wait=2.0)).lease:
            await asyncio.sleep(0.05)
        shown = round((time.perf_counter() - began) * 1e3)
        verdicts.say("outage", "first success after it is back, ms", shown, "", True)


SCENARIOS: tuple[Callable[[Verdicts], Coroutine[Any, Any, None]], ...] = (
    in_a_row,
    burst,
    leaves_nothing,
    race,
    stale,
    cap,
    outage,
)


async def main() -> None:
    print(f"pool over real sockets, handshake {HANDSHAKE * 1e3:.0f} ms, stock {STOCK}; {machine()}")
    verdicts = Verdicts()
    for scenario in SCENARIOS:
        await asyncio.wait_for(scenario(verdicts), 60)
    if verdicts.failed:
        raise SystemExit(f"missed: {', '.join(verdicts.failed)}")


if __name__ == "__main__":
    uvloop.run(main())
