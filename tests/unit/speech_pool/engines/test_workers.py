"""Workers: what is urgent goes first, interims give way, nothing grows without end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

import pytest

from speech_pool.engines.workers import Priority, Workers, WorkersBusy
from speech_pool.ports import ProviderError


class Gate:
    """A job that runs until it is let go."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self._open = threading.Event()

    def __call__(self) -> str:
        self.entered.set()
        assert self._open.wait(20)
        return "done"

    def let_go(self) -> None:
        self._open.set()


@asynccontextmanager
async def held(workers: Workers, threads: int = 1) -> AsyncIterator[Callable[[], None]]:
    """All threads of `workers` are busy; what is yielded frees them."""
    gates = [Gate() for _ in range(threads)]
    jobs = [asyncio.create_task(workers.run(gate, Priority.CONTINUE)) for gate in gates]
    for gate in gates:
        await asyncio.to_thread(gate.entered.wait, 20)

    def free() -> None:
        for gate in gates:
            gate.let_go()

    try:
        yield free
    finally:
        free()
        await asyncio.gather(*jobs)
        await workers.aclose()


async def settle() -> None:
    """Let tasks that were just created run up to their first wait."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_job_runs_off_the_event_loop_and_its_result_comes_back() -> None:
    workers = Workers(1, 10)

    thread = await workers.run(threading.get_ident, Priority.ANSWER)

    assert thread != threading.get_ident()
    await workers.aclose()


async def test_what_a_job_raises_is_raised_and_the_thread_serves_on() -> None:
    workers = Workers(1, 10)

    with pytest.raises(ZeroDivisionError):
        await workers.run(lambda: 1 // 0, Priority.ANSWER)

    assert await workers.run(lambda: "next", Priority.ANSWER) == "next"
    await workers.aclose()


async def test_the_most_urgent_job_goes_first_and_equals_in_order() -> None:
    workers, ran = Workers(1, 10), list[str]()
    async with held(workers) as free:
        jobs = []
        for name, priority in [
            ("audio 1", Priority.CONTINUE),
            ("audio 2", Priority.CONTINUE),
            ("final", Priority.ANSWER),
            ("activity", Priority.LISTEN),
        ]:
            jobs.append(asyncio.create_task(workers.run(partial(ran.append, name), priority)))
            await settle()
        free()
        await asyncio.gather(*jobs)

    assert ran == ["activity", "final", "audio 1", "audio 2"]


async def test_interims_leave_one_thread_for_what_is_urgent() -> None:
    workers, gate = Workers(2, 10), Gate()
    interim = asyncio.create_task(workers.run(gate, Priority.INTERIM))
    await asyncio.to_thread(gate.entered.wait, 20)

    with pytest.raises(WorkersBusy):
        await workers.run(lambda: None, Priority.INTERIM)
    assert await workers.run(lambda: "final", Priority.ANSWER) == "final"

    gate.let_go()
    assert await interim == "done"
    assert await workers.run(lambda: "next", Priority.INTERIM) == "next"
    await workers.aclose()


async def test_an_interim_waits_for_what_is_short_and_goes_last() -> None:
    workers, ran = Workers(1, 10), list[str]()
    async with held(workers) as free:
        interim = asyncio.create_task(workers.run(partial(ran.append, "i"), Priority.INTERIM))
        await settle()
        final = asyncio.create_task(workers.run(partial(ran.append, "f"), Priority.ANSWER))
        await settle()
        free()
        await asyncio.gather(interim, final)

    assert ran == ["f", "i"]


async def test_an_interim_that_gives_up_waiting_makes_room_for_another() -> None:
    workers = Workers(1, 10)
    async with held(workers) as free:
        given_up = asyncio.create_task(workers.run(lambda: None, Priority.INTERIM))
        await settle()
        given_up.cancel()
        await asyncio.gather(given_up, return_exceptions=True)
        other = asyncio.create_task(workers.run(lambda: "other", Priority.INTERIM))
        await settle()
        free()
        assert await other == "other"


async def test_beyond_the_bound_jobs_are_refused_by_name_of_the_bound() -> None:
    workers = Workers(1, max_waiting=1)
    async with held(workers) as free:
        waiting = asyncio.create_task(workers.run(lambda: "waited", Priority.ANSWER))
        await settle()
        with pytest.raises(ProviderError, match="max_waiting_jobs 1"):
            await workers.run(lambda: None, Priority.ANSWER)
        free()
        assert await waiting == "waited"


async def test_a_cancelled_wait_runs_nothing_and_leaves_its_place() -> None:
    workers, ran = Workers(1, max_waiting=1), list[str]()
    async with held(workers) as free:
        given_up = asyncio.create_task(workers.run(lambda: ran.append("no"), Priority.ANSWER))
        await settle()
        given_up.cancel()
        await settle()
        other = asyncio.create_task(workers.run(lambda: ran.append("yes"), Priority.ANSWER))
        await settle()
        free()
        await other

    assert ran == ["yes"]


async def test_cancelling_a_running_job_keeps_its_thread_taken_until_it_ends() -> None:
    workers, gate = Workers(1, 10), Gate()
    running = asyncio.create_task(workers.run(gate, Priority.ANSWER))
    await asyncio.to_thread(gate.entered.wait, 20)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)

    following = asyncio.create_task(workers.run(lambda: "next", Priority.ANSWER))
    await settle()
    assert len(workers._waiting) == 1
    gate.let_go()

    assert await following == "next"
    await workers.aclose()


async def test_a_waiter_cancelled_as_its_turn_comes_passes_the_thread_on() -> None:
    workers = Workers(1, 10)
    async with held(workers) as free:
        waiting = asyncio.create_task(workers.run(lambda: None, Priority.ANSWER))
        await settle()
        free()
        # The only thread is through with the job: the turn is about to be given on the loop.
        workers._executor.submit(lambda: None).result(20)
        asyncio.get_running_loop().call_soon(waiting.cancel)
        await asyncio.gather(waiting, return_exceptions=True)

        assert waiting.cancelled()
        assert await workers.run(lambda: "free", Priority.ANSWER) == "free"


async def test_closing_drops_what_waits_and_refuses_more() -> None:
    workers, gate = Workers(1, 10), Gate()
    running = asyncio.create_task(workers.run(gate, Priority.ANSWER))
    await asyncio.to_thread(gate.entered.wait, 20)
    waiting = asyncio.create_task(workers.run(lambda: None, Priority.ANSWER))
    await settle()

    closing = asyncio.create_task(workers.aclose())
    await settle()
    gate.let_go()
    await closing

    assert await running == "done"
    assert waiting.cancelled()
    with pytest.raises(ProviderError, match="closed"):
        await workers.run(lambda: None, Priority.LISTEN)


@pytest.mark.parametrize(("threads", "waiting"), [(0, 1), (1, 0)])
def test_workers_need_a_thread_and_a_place_to_wait(threads: int, waiting: int) -> None:
    with pytest.raises(ValueError, match="at least one"):
        Workers(threads, waiting)
