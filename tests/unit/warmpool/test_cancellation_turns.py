"""Cancelling at every await and after every turn of the loop: the pool stays whole and serves on.

Each scenario is one coroutine. It is run again and again, cancelled at its first suspension, at its
second, and so on (then after one turn of the loop, after two, ...), until it ends uncancelled. After
each run the pool must be whole, and serve to its full size. `test_cancellation` does the like with
holders who know what they hold, and with hooks that fail, hang, or are cancelled by strangers.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine, Generator
from dataclasses import dataclass, field
from types import coroutine
from typing import Any

import pytest

from tests.support.pool_factory import Client, Clock, Factory, settle
from warmpool import AllocationTier, PoolDraining, PoolError, PoolOptions, Reuse, WarmPool

COLD = AllocationTier.COLD
TURNS = 2
"""Loop turns that each hook takes."""
MOST_SUSPENSIONS = 200
"""A scenario has fewer; more means that it hangs."""


@dataclass
class Stage:
    """A fresh pool for one run, and who was seen with which client."""

    factory: Factory
    pool: WarmPool[Client]
    clock: Clock
    users: dict[int, str] = field(default_factory=dict)

    async def use(self, session: str) -> None:
        """Allocate, stream, release: the whole life of a lease."""
        lease = await self.pool.allocate(session)
        try:
            async with self.pool.stream(lease.lease_id, session=session) as client:
                await self.alone_with(client, session)
        finally:
            await self.pool.release(lease.lease_id)

    async def alone_with(self, client: Client, session: str) -> None:
        """Use the client for a turn; nobody else may, and it must be alive and open."""
        assert client.number not in self.users
        assert (client.alive, client.closes) == (True, 0)
        self.users[client.number] = session
        try:
            await asyncio.sleep(0)
        finally:
            del self.users[client.number]


Scenario = Callable[[Stage], Coroutine[Any, Any, None]]


# --------------------------------------------------------------------------- scenarios


async def allocates_warm(stage: Stage) -> None:
    await stage.pool.allocate("a")


async def allocates_cold(stage: Stage) -> None:
    await stage.pool.allocate("a", allowed_tiers=[COLD])


async def allocates_while_dead_clients_are_found(stage: Stage) -> None:
    for client in stage.factory.made:
        client.alive = False
    await stage.pool.allocate("a")


async def waits_at_the_maximum(stage: Stage) -> None:
    held = [await stage.pool.allocate(f"held-{n}") for n in range(3)]
    waiting = asyncio.create_task(stage.use("waits"))
    try:
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await stage.pool.release(held[0].lease_id)
        await waiting
    finally:
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)


async def is_served_at_the_maximum(stage: Stage) -> None:
    """The scenario itself waits; others give back."""
    held = [await stage.pool.allocate(f"held-{n}") for n in range(3)]
    pool = stage.pool
    giving = asyncio.create_task(_after_turns(3, lambda: pool.release(held[1].lease_id)))
    try:
        await stage.use("waits")
    finally:
        await giving


async def joins_an_ask_of_its_session(stage: Stage) -> None:
    other = asyncio.create_task(stage.pool.allocate("a", allowed_tiers=[COLD]))
    try:
        await asyncio.sleep(0)
        mine = await stage.pool.allocate("a", allowed_tiers=[COLD])
        assert (await other).lease_id == mine.lease_id
    finally:
        await asyncio.gather(other, return_exceptions=True)


async def streams_twice(stage: Stage) -> None:
    lease = await stage.pool.allocate("a")
    for _ in range(2):
        async with stage.pool.stream(lease.lease_id) as client:
            await stage.alone_with(client, "a")


async def streams_on_after_an_error(stage: Stage) -> None:
    lease = await stage.pool.allocate("a")
    with pytest.raises(ConnectionError):
        async with stage.pool.stream(lease.lease_id):
            raise ConnectionError("the socket broke")
    async with stage.pool.stream(lease.lease_id) as client:
        await stage.alone_with(client, "a")


async def uses_and_gives_back(stage: Stage) -> None:
    await stage.use("a")


async def gives_back_to_be_discarded(stage: Stage) -> None:
    lease = await stage.pool.allocate("a")
    await stage.pool.release(lease.lease_id, discard=True)


async def ends_a_lease_under_its_stream(stage: Stage) -> None:
    lease = await stage.pool.allocate("a")
    async with stage.pool.stream(lease.lease_id):
        await stage.pool.release(lease.lease_id)
        await asyncio.sleep(0)


async def lets_a_lease_expire(stage: Stage) -> None:
    await stage.pool.allocate("a", ttl_seconds=1)
    stage.clock.advance(1)
    stage.pool.sweep()
    await stage.pool.allocate("a")


async def rotates_and_allocates(stage: Stage) -> None:
    stage.pool.rotate(drop=True)
    await stage.use("a")


async def opens_fail(stage: Stage) -> None:
    stage.factory.open_error = lambda: ConnectionError("down")
    stage.pool.rotate(drop=True)
    with pytest.raises(PoolError):
        await stage.pool.allocate("a")


async def closes(stage: Stage) -> None:
    lease = await stage.pool.allocate("a")
    stage.pool.borrow(lease.lease_id)
    await stage.pool.close()


async def closes_while_opening(stage: Stage) -> None:
    asking = asyncio.create_task(stage.pool.allocate("a", allowed_tiers=[COLD]))
    try:
        await asyncio.sleep(0)
        await stage.pool.close()
    finally:
        await asyncio.gather(asking, return_exceptions=True)


async def begins_again(stage: Stage) -> None:
    await stage.pool.close()
    await stage.pool.prepare()
    await stage.use("a")


async def drains_and_streams(stage: Stage) -> None:
    lease = await stage.pool.allocate("a")
    stage.pool.drain()
    async with stage.pool.stream(lease.lease_id) as client:
        await stage.alone_with(client, "a")
    await stage.pool.release(lease.lease_id)


SCENARIOS = [
    allocates_warm,
    allocates_cold,
    allocates_while_dead_clients_are_found,
    waits_at_the_maximum,
    is_served_at_the_maximum,
    joins_an_ask_of_its_session,
    streams_twice,
    streams_on_after_an_error,
    uses_and_gives_back,
    gives_back_to_be_discarded,
    ends_a_lease_under_its_stream,
    lets_a_lease_expire,
    rotates_and_allocates,
    opens_fail,
    closes,
    closes_while_opening,
    begins_again,
    drains_and_streams,
]


# --------------------------------------------------------------------------- the tests


@pytest.mark.parametrize("reuse", Reuse)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
async def test_cancelled_at_every_await(scenario: Scenario, reuse: Reuse) -> None:
    for nth in range(1, MOST_SUSPENSIONS):
        stage = _stage(reuse)
        await stage.pool.prepare()
        if not await _cancelled_at(nth, scenario(stage)):
            await _must_be_whole(stage)
            assert nth > 1  # it had something to be cancelled at
            return
        await _must_be_whole(stage)
    pytest.fail(f"{scenario.__name__} does not end")


@pytest.mark.parametrize("reuse", Reuse)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
async def test_cancelled_after_every_turn_of_the_loop(scenario: Scenario, reuse: Reuse) -> None:
    """One await may last many turns, in which the pool's own tasks open, hand over and close."""
    for turn in range(MOST_SUSPENSIONS):
        stage = _stage(reuse)
        await stage.pool.prepare()
        running = asyncio.create_task(scenario(stage))
        ended = not await _cancelled_after(turn, running)
        await _must_be_whole(stage)
        if ended:
            return
    pytest.fail(f"{scenario.__name__} does not end")


async def test_prepare_cancelled_after_every_turn_closes_what_it_opened() -> None:
    for turn in range(MOST_SUSPENSIONS):
        stage = _stage(Reuse.RESET)
        cancelled = await _cancelled_after(turn, asyncio.create_task(_prepares(stage)))
        assert (stage.factory.open_clients == []) is cancelled
        assert await stage.pool.prepare() == 0
        await _must_be_whole(stage)
        if not cancelled:
            assert turn > TURNS
            return
    pytest.fail("prepare does not end")


async def test_close_cancelled_after_every_turn_can_be_called_again() -> None:
    """Cancelling `close` interrupts the waiting, not the closing; the next `close` waits again."""
    for turn in range(MOST_SUSPENSIONS):
        stage = _stage(Reuse.RESET)
        await stage.pool.prepare()
        await stage.pool.allocate("a")
        cancelled = await _cancelled_after(turn, asyncio.create_task(stage.pool.close()))
        await stage.pool.close()
        assert [client.closes for client in stage.factory.made] == [1] * len(stage.factory.made)
        if not cancelled:
            assert turn > TURNS
            return
    pytest.fail("close does not end")


# --------------------------------------------------------------------------- how


def _stage(reuse: Reuse) -> Stage:
    factory, clock = Factory(reuse=reuse, hook_turns=TURNS), Clock()
    pool = WarmPool(
        factory,
        name="p",
        warm_target=2,
        max_size=3,
        clock=clock,
        rng=random.Random(7),
        options=PoolOptions(breaker_failures=1),
    )
    return Stage(factory, pool, clock)


async def _prepares(stage: Stage) -> None:
    await stage.pool.prepare()


async def _after_turns(turns: int, act: Callable[[], Awaitable[None]]) -> None:
    await settle(turns)
    await act()


async def _cancelled_at(nth: int, scenario: Coroutine[Any, Any, None]) -> bool:
    """Run a scenario; throw a cancellation into it at its nth suspension, where it then awaits.

    False: it ended without having suspended so often.
    """
    suspensions = 0

    @coroutine
    def stepped() -> Generator[Any, Any, None]:
        nonlocal suspensions
        try:
            waits_for = scenario.send(None)
            while True:
                suspensions += 1
                if suspensions == nth:
                    task.cancel()
                try:
                    sent = yield waits_for
                except BaseException as error:
                    waits_for = scenario.throw(error)
                else:
                    waits_for = scenario.send(sent)
        except StopIteration:
            return

    async def run() -> None:
        await stepped()

    task = asyncio.create_task(run())
    (outcome,) = await asyncio.gather(task, return_exceptions=True)
    if isinstance(outcome, BaseException) and not isinstance(outcome, asyncio.CancelledError):
        raise outcome
    return suspensions >= nth


async def _cancelled_after(turns: int, task: asyncio.Task[None]) -> bool:
    """Cancel a task after some turns of the loop, and wait for it. False: it had ended."""
    await settle(turns)
    task.cancel()
    (outcome,) = await asyncio.gather(task, return_exceptions=True)
    if isinstance(outcome, BaseException) and not isinstance(outcome, asyncio.CancelledError):
        raise outcome
    return outcome is not None


async def _must_be_whole(stage: Stage) -> None:
    """No client lost or held twice, the pool serves to its full size, and closes all it opened."""
    stage.factory.open_error = None
    stage.factory.hook_turns = 0
    for _ in range(4):  # a failed provider is probed again after its pause
        stage.clock.advance(0.5)
        stage.pool.sweep()
        await settle()
    assert stage.users == {}
    stats = stage.pool.stats()
    assert (stats.opening_count, stats.closing_count, stats.waiting_count) == (0, 0, 0)
    assert len(stage.factory.open_clients) == stats.warm_count + _clients_leased(stage)
    assert len(stage.factory.open_clients) <= stats.max_size
    await _must_serve(stage)
    await stage.pool.close()
    assert [client.closes for client in stage.factory.made] == [1] * len(stage.factory.made)


def _clients_leased(stage: Stage) -> int:
    """Clients under a lease; each under one."""
    leases = [stage.pool.lease_of(client) for client in stage.factory.made]
    ids = [lease.lease_id for lease in leases if lease is not None]
    assert len(set(ids)) == len(ids)
    return len(ids)


async def _must_serve(stage: Stage) -> None:
    """Once what is held has expired, as many sessions as `max_size` get a client at a time."""
    pool = stage.pool
    await pool.prepare()
    stage.clock.advance(30)
    pool.sweep()
    await settle()
    assert pool.stats().leased_count == 0
    try:
        leases = await asyncio.gather(*(pool.allocate(f"after-{n}") for n in range(3)))
    except PoolDraining:
        return
    assert len({pool.borrow(lease.lease_id).number for lease in leases}) == 3
