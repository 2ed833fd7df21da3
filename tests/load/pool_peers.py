"""Our pool beside a peer's and beside none, in one run, over the sockets of `speech_socket`.

The peer is livekit-agents' ConnectionPool as its plugins use it (one per object that speaks; here it is
asked for what a shared pool is asked for). It lives in an environment of its own:

    python3.11 -m venv .venv-peers
    .venv-peers/bin/pip install livekit-agents==1.8.9 aiohttp
    PYTHONPATH=.:libs .venv-peers/bin/python -m tests.load.pool_peers

Where the peer is missing, its column is left out.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import statistics
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Protocol

from tests.load.speech_socket import LiveSocket, SocketFactory, SocketProvider
from warmpool import PoolOptions, WarmPool

HANDSHAKE = 0.2
STOCK = 3
BURST = 20
PATIENCE = 8.0


class Pool(Protocol):
    """What a pool under test implements."""

    async def start(self) -> None: ...
    async def acquire(self, session: str) -> LiveSocket: ...
    async def release(self, session: str, socket: LiveSocket, *, fine: bool = True) -> None: ...
    async def close(self) -> None: ...


class NoPool:
    """A handshake for each call."""

    def __init__(self, provider: SocketProvider) -> None:
        self._provider = provider

    async def start(self) -> None:
        return

    async def acquire(self, session: str) -> LiveSocket:
        return await self._provider.connect()

    async def release(self, session: str, socket: LiveSocket, *, fine: bool = True) -> None:
        await socket.close()

    async def close(self) -> None:
        return


class OurPool:
    """WarmPool, with a stock that follows demand."""

    def __init__(self, provider: SocketProvider) -> None:
        self._pool = WarmPool(
            SocketFactory(provider),
            name="ours",
            warm_target=STOCK,
            max_size=64,
            options=PoolOptions(warm_ceiling=64),
        )
        self._leases: dict[str, str] = {}

    async def start(self) -> None:
        await self._pool.prepare()

    async def acquire(self, session: str) -> LiveSocket:
        lease = await self._pool.allocate(session, max_wait_seconds=PATIENCE)
        self._leases[session] = lease.lease_id
        return self._pool.borrow(lease.lease_id)

    async def release(self, session: str, socket: LiveSocket, *, fine: bool = True) -> None:
        await self._pool.release(self._leases.pop(session), discard=not fine)

    async def close(self) -> None:
        await self._pool.close()


class LiveKitPool:
    """livekit.agents.utils.ConnectionPool; `prewarm` opens one."""

    def __init__(self, provider: SocketProvider) -> None:
        self._provider = provider

    async def start(self) -> None:
        peer = importlib.import_module("livekit.agents.utils")

        async def connect(timeout: float) -> LiveSocket:
            return await self._provider.connect()

        async def close(socket: LiveSocket) -> None:
            await socket.close()

        self._pool: Any = peer.ConnectionPool(
            connect_cb=connect, close_cb=close, max_session_duration=300
        )
        self._pool.prewarm()
        await asyncio.sleep(HANDSHAKE * 3)

    async def acquire(self, session: str) -> LiveSocket:
        socket: LiveSocket = await self._pool.get(timeout=PATIENCE)
        return socket

    async def release(self, session: str, socket: LiveSocket, *, fine: bool = True) -> None:
        if fine:
            self._pool.put(socket)
        else:
            self._pool.remove(socket)

    async def close(self) -> None:
        await self._pool.aclose()


KINDS: dict[str, Callable[[SocketProvider], Pool]] = {
    "no pool": NoPool,
    "ours": OurPool,
    "livekit": LiveKitPool,
}


@asynccontextmanager
async def rig(kind: str, **provider: Any) -> AsyncIterator[tuple[Pool, SocketProvider]]:
    """A started pool of the kind, and its provider."""
    async with SocketProvider(HANDSHAKE, **provider) as seen:
        pool = KINDS[kind](seen)
        await pool.start()
        try:
            yield pool, seen
        finally:
            with suppress(Exception):
                await asyncio.wait_for(pool.close(), 5)


async def take(pool: Pool, session: str) -> tuple[LiveSocket | None, float]:
    """A socket, or None if it was refused, and the milliseconds it took."""
    began = time.perf_counter()
    try:
        socket: LiveSocket | None = await asyncio.wait_for(pool.acquire(session), PATIENCE)
    except Exception:
        socket = None
    return socket, (time.perf_counter() - began) * 1e3


def middle(values: list[float]) -> float:
    return round(statistics.median(values), 2)


async def in_a_row(kind: str) -> dict[str, object]:
    """Thirty calls, one after another."""
    async with rig(kind) as (pool, seen):
        before, waits = seen.handshakes, []
        for n in range(30):
            socket, wait = await take(pool, f"s{n}")
            waits.append(wait)
            assert socket is not None
            assert await socket.speaks()
            await pool.release(f"s{n}", socket)
        return {"p50, ms": middle(waits), "handshakes": seen.handshakes - before}


async def burst(kind: str) -> dict[str, object]:
    """Twenty calls at once; again one second later, the first still up."""
    async with rig(kind) as (pool, seen):
        said: dict[str, object] = {}
        held: list[tuple[str, LiveSocket]] = []
        for name in ("first", "second"):
            sessions = [f"{name}-{n}" for n in range(BURST)]
            got = await asyncio.gather(*(take(pool, session) for session in sessions))
            waits = sorted(wait for _, wait in got)
            said[f"{name}: p50, ms"] = middle(waits)
            said[f"{name}: slowest, ms"] = round(waits[-1], 1)
            held += [(s, socket) for s, (socket, _) in zip(sessions, got, strict=True) if socket]
            await asyncio.sleep(1.0)
        for session, socket in held:
            await pool.release(session, socket)
        await pool.close()
        await asyncio.sleep(0.3)
        said["open after close"] = seen.open
        return said


async def stale(kind: str) -> dict[str, object]:
    """The provider closes what idles for a second, then the stock is handed out."""
    async with rig(kind, idle_close=1.0) as (pool, _):
        await asyncio.sleep(2.5)
        dead = 0
        for n in range(STOCK):
            socket, _ = await take(pool, f"s{n}")
            fine = socket is not None and await socket.speaks(1.0)
            dead += not fine
            if socket is not None:
                await pool.release(f"s{n}", socket, fine=fine)
        return {f"dead of {STOCK}": dead}


async def cap(kind: str) -> dict[str, object]:
    """Twenty calls at a provider that takes ten; each ends after half a second."""
    async with rig(kind, max_open=BURST // 2) as (pool, _):

        async def call(session: str) -> bool:
            socket, _ = await take(pool, session)
            if socket is not None:
                await asyncio.sleep(0.5)
                await pool.release(session, socket)
            return socket is not None

        served = await asyncio.gather(*(call(f"s{n}") for n in range(BURST)))
        return {f"served of {BURST}": sum(served)}


async def outage(kind: str) -> dict[str, object]:
    """The provider is down for two seconds, a call each 50 ms, the stock already out."""
    async with rig(kind) as (pool, seen):
        for n in range(STOCK):
            await take(pool, f"w{n}")
        seen.down, before = True, seen.rejected
        asking = []
        for n in range(40):
            asking.append(asyncio.create_task(take(pool, f"o{n}")))
            await asyncio.sleep(0.05)
        hits = seen.rejected - before
        seen.down = False
        await asyncio.gather(*asking)
        return {"provider asked in vain": hits}


SCENARIOS = (in_a_row, burst, stale, cap, outage)


async def main() -> None:
    kinds = [kind for kind in KINDS if kind != "livekit" or importlib.util.find_spec("livekit")]
    if "livekit" not in kinds:
        print("livekit-agents is not installed here; the module says how to run beside it")
    print(f"handshake {HANDSHAKE * 1e3:.0f} ms, stock {STOCK}, burst {BURST}")
    print(f"{'':34}" + "".join(f"{kind:>12}" for kind in kinds))
    for scenario in SCENARIOS:
        answers = [await asyncio.wait_for(scenario(kind), 60) for kind in kinds]
        for what in answers[0]:
            shown = "".join(f"{answer[what]!s:>12}" for answer in answers)
            print(f"{scenario.__name__:10} {what:23}{shown}", flush=True)


if __name__ == "__main__":
    asyncio.run(main())
