"""Ten thousand sessions through a pool over real sockets: does anything grow?

Printed before and after: resident memory, tasks, threads, open sockets, leases and clients. Each session
allocates, speaks through its socket and releases, a hundred at a time.
"""

from __future__ import annotations

import asyncio
import gc
import os
import threading
from pathlib import Path

import uvloop

from tests.load.measure import machine, resident_mb
from tests.load.speech_socket import LiveSocket, SocketFactory, SocketProvider
from warmpool import WarmPool

SESSIONS = 10_000
AT_ONCE = 100
SIZE = 32


def state(pool: WarmPool[LiveSocket], provider: SocketProvider) -> dict[str, float]:
    """What could grow."""
    gc.collect()
    stats = pool.stats()
    return {
        "resident MB": round(resident_mb(os.getpid()), 1),
        "tasks": len(asyncio.all_tasks()),
        "threads": threading.active_count(),
        "file descriptors": len(list(Path("/proc/self/fd").iterdir())),
        "provider's open sockets": provider.open,
        "leased": stats.leased_count,
        "warm": stats.warm_count,
        "waiting": stats.waiting_count,
    }


async def session(pool: WarmPool[LiveSocket], name: str) -> None:
    lease = await pool.allocate(name)
    async with pool.stream(lease.lease_id, session=name) as socket:
        assert await socket.speaks()
    await pool.release(lease.lease_id, session=name)


async def sessions(pool: WarmPool[LiveSocket], first: int, number: int) -> None:
    names = iter(range(first, first + number))

    async def worker() -> None:
        for n in names:
            await session(pool, f"s{n}")

    await asyncio.gather(*(worker() for _ in range(AT_ONCE)))


async def main() -> None:
    print(f"{SESSIONS} sessions, {AT_ONCE} at once, {SIZE} clients; {machine()}")
    async with SocketProvider(0.0) as provider:
        async with WarmPool(
            SocketFactory(provider),
            name="growth",
            warm_target=SIZE,
            max_size=SIZE,
            max_waiting=AT_ONCE,
        ) as pool:
            await sessions(pool, 0, 1000)  # what any first use takes once
            before = state(pool, provider)
            await sessions(pool, 1000, SESSIONS)
            after = state(pool, provider)
        await asyncio.sleep(0.2)
        open_after_close = provider.open
    for name, value in before.items():
        print(f"{name:24} {value:8} {after[name]:8}")
    print(f"open sockets after close {open_after_close:8}")
    steady = [name for name in before if name != "resident MB" and after[name] > before[name]]
    grown = after["resident MB"] - before["resident MB"]
    if steady or grown > 5 or open_after_close:
        raise SystemExit(f"grew: {steady or ''} {grown:+.1f} MB")


if __name__ == "__main__":
    uvloop.run(main())
