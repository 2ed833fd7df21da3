"""Cancelled at any await, nothing is lost: no client, no lease, no place in the line.

Each scenario is run again and again and cancelled at its first, second, third, ... suspension, until
a run ends without having been cancelled. It is done in both ways in which asyncio cancels: while the
scenario waits, and in the very turn in which what it waits for has come about. Every hook of the
factory suspends, so that each of its steps is such a point.
"""

from __future__ import annotations

import asyncio
import types
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextlib import suppress
from typing import Any

import pytest

from tests.support.pool_factory import Client, Factory, settle
from warmpool import PoolError, PoolOptions, Reuse, WarmPool

Pool = WarmPool[Client]


class Holder:
    """Asks for leases, and knows which ones it was told of and has not given back."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self.told: set[str] = set()

    async def ask(self, session: str) -> str:
        lease_id = (await self.pool.allocate(session)).lease_id
        self.told.add(lease_id)
        return lease_id

    async def give_back(self, lease_id: str, *, discard: bool = False) -> None:
        await self.pool.release(lease_id, discard=discard)
        self.told.discard(lease_id)


Scenario = Callable[[Holder], Coroutine[Any, Any, None]]


class CancelledAt:
    """Runs a coroutine and cancels its task at the given suspension."""

    def __init__(self, work: Coroutine[Any, Any, None], at: int, *, late: bool) -> None:
        self.reached = False
        self._work = work
        self._at = at
        self._late = late

    async def run(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        await self._drive(task)

    @types.coroutine
    def _drive(self, task: asyncio.Task[None]) -> Generator[Any, Any, None]:
        step = 0
        send: Callable[[], Any] = lambda: self._work.send(None)  # noqa: E731
        while True:
            try:
                awaited = send()
            except StopIteration:
                return
            due = step == self._at
            step += 1
            if due:
                self.reached = True
                if self._late and isinstance(awaited, asyncio.Future):
                    awaited.add_done_callback(lambda _: task.cancel())
                else:
                    asyncio.get_running_loop().call_soon(task.cancel)
            try:
                yield awaited
            except BaseException as error:
                send = _throwing(self._work, error)
            else:
                send = lambda: self._work.send(None)  # noqa: E731


def _throwing(work: Coroutine[Any, Any, None], error: BaseException) -> Callable[[], Any]:
    return lambda: work.throw(error)


# ---------------------------------------------------------------------- scenarios


async def ask_and_give_back(holder: Holder) -> None:
    lease = await holder.ask("x")
    async with holder.pool.stream(lease):
        await asyncio.sleep(0)
    await holder.give_back(lease)


async def stream_twice(holder: Holder) -> None:
    lease = await holder.ask("x")
    for _ in range(2):
        async with holder.pool.stream(lease):
            await asyncio.sleep(0)
    await holder.give_back(lease, discard=True)


async def break_a_stream_and_open_another(holder: Holder) -> None:
    lease = await holder.ask("x")
    with suppress(ConnectionError):
        async with holder.pool.stream(lease):
            raise ConnectionError
    async with holder.pool.stream(lease):
        await asyncio.sleep(0)
    await holder.give_back(lease)


async def wait_for_another_session(holder: Holder) -> None:
    """Fills the pool, waits in line, and is served when a lease ends."""
    held = [await holder.ask(f"held-{number}") for number in range(3)]
    loop = asyncio.get_running_loop()
    giving_back = loop.create_task(_after(5, lambda: holder.give_back(held[0])))
    try:
        await holder.give_back(await holder.ask("x"))
    finally:
        await asyncio.wait([giving_back])


async def _after(turns: int, then: Callable[[], Awaitable[None]]) -> None:
    await settle(turns)
    await then()


async def ask_side_by_side(holder: Holder) -> None:
    async def one(session: str) -> None:
        await holder.give_back(await holder.ask(session))

    async with asyncio.TaskGroup() as group:
        for session in ("x", "x", "y", "z", "w"):
            group.create_task(one(session))


SCENARIOS = [
    ask_and_give_back,
    stream_twice,
    break_a_stream_and_open_another,
    wait_for_another_session,
    ask_side_by_side,
]


@pytest.mark.parametrize("late", [False, True], ids=["while-waiting", "when-served"])
@pytest.mark.parametrize("warm_target", [0, 1])
@pytest.mark.parametrize("reuse", list(Reuse))
@pytest.mark.parametrize("scenario", SCENARIOS)
async def test_a_holder_cancelled_at_any_await_loses_nothing(
    scenario: Scenario, reuse: Reuse, warm_target: int, late: bool
) -> None:
    at = 0
    reached = True
    while reached:
        factory = Factory(reuse, hook_turns=1)
        pool: Pool = WarmPool(factory, name="p", warm_target=warm_target, max_size=3)
        await pool.prepare()
        holder = Holder(pool)
        cancelled = CancelledAt(scenario(holder), at, late=late)
        task = asyncio.create_task(cancelled.run())
        await asyncio.wait([task])
        if not task.cancelled() and task.exception() is not None:
            raise AssertionError(f"at {at}") from task.exception()
        reached = cancelled.reached
        await settle()
        await everything_is_in_its_place(holder, factory, at)
        at += 1
    assert at > 1


async def everything_is_in_its_place(holder: Holder, factory: Factory, at: int) -> None:
    """A lease that its holder knew of, and could not give back, is left until its time is over.
    None is left that nobody was told of, and nothing else is."""
    pool = holder.pool
    stats = pool.stats()
    assert stats.waiting_count == 0, at
    assert stats.opening_count == stats.closing_count == 0, at
    assert set(pool._ledger.grants) <= holder.told, at
    assert len(factory.open_clients) == stats.warm_count + _with_client(pool), at
    for lease_id in list(holder.told):
        await pool.release(lease_id)
    for number in range(3):
        assert (await pool.allocate(f"someone else {number}")).session, at
    await pool.close()
    assert [client.closes for client in factory.made] == [1] * len(factory.made), at


def _with_client(pool: Pool) -> int:
    return sum(pool.lease_of(client) is not None for client in _clients(pool))


def _clients(pool: Pool) -> list[Client]:
    return [slot.client for slot in pool._ledger.slots if slot.client is not None]


@pytest.mark.parametrize("late", [False, True], ids=["while-waiting", "when-served"])
async def test_prepare_cancelled_at_any_await_leaves_nothing_open(late: bool) -> None:
    at = 0
    reached = True
    while reached:
        factory = Factory(hook_turns=1)
        pool: Pool = WarmPool(factory, name="p", warm_target=2, max_size=3)

        async def prepare(pool: Pool = pool) -> None:
            await pool.prepare()

        cancelled = CancelledAt(prepare(), at, late=late)
        task = asyncio.create_task(cancelled.run())
        await asyncio.wait([task])
        reached = cancelled.reached
        if task.cancelled():
            assert factory.open_clients == []
            assert await pool.prepare() == 0
        await pool.close()
        assert [client.closes for client in factory.made] == [1] * len(factory.made)
        at += 1
    assert at > 1


@pytest.mark.parametrize("late", [False, True], ids=["while-waiting", "when-served"])
async def test_close_cancelled_at_any_await_can_be_called_again(late: bool) -> None:
    at = 0
    reached = True
    while reached:
        factory = Factory(hook_turns=2)
        pool: Pool = WarmPool(factory, name="p", warm_target=2, max_size=4)
        await pool.prepare()
        lease = await pool.allocate("a")
        waiting = [asyncio.create_task(pool.allocate(f"s{number}")) for number in range(5)]
        await asyncio.sleep(0)
        async with pool.stream(lease.lease_id):
            cancelled = CancelledAt(pool.close(), at, late=late)
            task = asyncio.create_task(cancelled.run())
            await asyncio.wait([task])
        reached = cancelled.reached
        await pool.close()
        assert [client.closes for client in factory.made] == [1] * len(factory.made)
        answers = await asyncio.gather(*waiting, return_exceptions=True)
        assert all(isinstance(answer, PoolError | tuple) for answer in answers)
        at += 1
    assert at > 1


async def test_opens_cancelled_in_any_turn_are_closed() -> None:
    """Close comes while clients are being opened and warmed, at every stage."""
    for turns in range(1, 14):
        factory = Factory(hook_turns=2)
        pool: Pool = WarmPool(factory, name="p", warm_target=3, max_size=3)
        preparing = asyncio.create_task(pool.prepare())
        await settle(turns)
        await pool.close()
        await asyncio.wait([preparing])
        assert [client.closes for client in factory.made] == [1] * len(factory.made)
        assert pool.stats().opening_count == 0


async def test_everything_in_the_middle_of_everything_is_closed() -> None:
    """Warm, leased, in a stream, being reset, checked, opened, waited for: all closed, once."""
    factory = Factory()
    options = PoolOptions(check_interval_seconds=0.001)
    pool: Pool = WarmPool(factory, name="p", warm_target=2, max_size=6, options=options)
    await pool.prepare()
    streaming, resetting = await pool.allocate("streaming"), await pool.allocate("resetting")
    await pool.allocate("idle holder")
    await settle()
    pool.borrow(resetting.lease_id)
    factory.hook_gate = asyncio.Event()
    reset = asyncio.create_task(pool.release(resetting.lease_id))
    async with pool.stream(streaming.lease_id):
        pool.sweep()
        factory.gate = asyncio.Event()
        pool.set_warm_target(6)
        await settle()
        closing = asyncio.create_task(pool.close())
        await settle()
        assert not closing.done()
        factory.hook_gate.set()
        await closing
    await reset
    assert [client.closes for client in factory.made] == [1] * len(factory.made)


@pytest.mark.parametrize("error", [RuntimeError("no"), TimeoutError()])
async def test_a_close_that_fails_frees_its_place_all_the_same(error: Exception) -> None:
    factory = Factory(close_error=error)
    pool: Pool = WarmPool(factory, name="p", warm_target=0, max_size=1)
    await pool.prepare()
    for number in range(3):
        lease = await pool.allocate(f"s{number}")
        await pool.release(lease.lease_id, discard=True)
    await pool.close()
    assert len(factory.made) == 3


async def test_hooks_that_never_end_are_given_up() -> None:
    class Stuck(Factory):
        async def close(self, client: Client) -> None:
            await super().close(client)
            await asyncio.Event().wait()

    factory = Stuck()
    options = PoolOptions(hook_seconds=0.01)
    pool: Pool = WarmPool(factory, name="p", warm_target=0, max_size=1, options=options)
    await pool.prepare()
    lease = await pool.allocate("a")
    pool.borrow(lease.lease_id)
    factory.hook_gate = asyncio.Event()
    await pool.release(lease.lease_id)  # the reset never ends either
    assert pool.stats().discarded_counts == {"failed_reset": 1}
    assert (await pool.allocate("b")).session == "b"
    await pool.close()
    assert [client.closes for client in factory.made] == [1, 1]


async def test_a_task_cancelled_by_a_stranger_before_its_first_step_loses_no_client() -> None:
    factory = Factory()
    pool: Pool = WarmPool(factory, name="p", warm_target=2, max_size=3)
    await pool.prepare()
    mine = asyncio.all_tasks()
    lease = await pool.allocate("a")  # begins a refill
    await pool.release(lease.lease_id, discard=True)  # begins a close
    for task in asyncio.all_tasks() - mine:
        task.cancel()
    await settle()
    assert factory.made[1].closes == 1
    await pool.close()
    assert [client.closes for client in factory.made] == [1] * len(factory.made)
