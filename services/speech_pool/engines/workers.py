"""Runs blocking model work on a few threads, the most urgent first, without queueing without end.

A thread pool of its own kind: `ThreadPoolExecutor` serves in order of arrival and never refuses.
Here a job waits on the event loop until a thread is free, so that what a caller is waiting for
overtakes the rest, and a job whose waiter was cancelled never runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import heapq
import itertools
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from speech_pool.ports import ProviderError

T = TypeVar("T")


class Priority(enum.IntEnum):
    """What goes first when threads are short."""

    LISTEN = 0
    """Voice activity: small, and every other decision waits for it."""
    ANSWER = 1
    """Someone is waiting in silence: final results, the first words of an answer."""
    CONTINUE = 2
    """Audio that follows audio."""
    INTERIM = 3
    """Nice to have; refused at once when others of its kind keep the threads busy."""


class WorkersBusy(Exception):
    """There is no room for another interim result; leave it out."""


class Workers:
    """A bounded set of threads. Belongs to one event loop."""

    def __init__(self, threads: int, max_waiting: int) -> None:
        """`max_waiting`: jobs that may wait for a thread before more are refused."""
        if threads < 1 or max_waiting < 1:
            raise ValueError("workers need at least one thread and one waiting place")
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="speech-engine")
        self._free = threads
        # An interim result in every thread would let a final wait for one of them.
        self._free_for_interims = max(1, threads - 1)
        self._max_waiting = max_waiting
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._arrivals = itertools.count()
        self._closed = False

    async def run(self, job: Callable[[], T], priority: Priority) -> T:
        """Run `job` in a thread and return what it returns.

        Raises WorkersBusy for an interim job without room, ProviderError when too many wait or
        after `aclose`. Cancelling the wait leaves a running job to its end and drops a waiting one.
        """
        if priority is Priority.INTERIM:
            return await self._run_interim(job)
        return await asyncio.wrap_future(await self._start(job, priority, self._give_back))

    async def aclose(self) -> None:
        """Refuse new work, drop what waits, and wait for what runs."""
        self._closed = True
        for _, _, turn in self._waiting:
            turn.cancel()
        self._waiting.clear()
        await asyncio.to_thread(self._executor.shutdown)

    async def _run_interim(self, job: Callable[[], T]) -> T:
        if not self._free_for_interims:
            raise WorkersBusy
        self._free_for_interims -= 1
        try:
            work = await self._start(job, Priority.INTERIM, self._give_back_from_interim)
        except BaseException:
            self._free_for_interims += 1
            raise
        return await asyncio.wrap_future(work)

    async def _start(
        self, job: Callable[[], T], priority: Priority, give_back: Callable[[], None]
    ) -> Future[T]:
        """Hand the job to a thread as soon as one is free; `give_back` is called when it is done."""
        await self._take_thread(priority)
        loop = asyncio.get_running_loop()
        try:
            work = self._executor.submit(job)
        except BaseException:
            self._give_back()
            raise

        def finished(_: Future[T]) -> None:
            # Called in the worker's thread; the loop may be gone if the process is leaving.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(give_back)

        work.add_done_callback(finished)
        return work

    async def _take_thread(self, priority: Priority) -> None:
        if self._closed:
            raise ProviderError("the engine is closed")
        if self._free and not self._waiting:
            self._free -= 1
            return
        await self._wait_turn(priority)

    async def _wait_turn(self, priority: Priority) -> None:
        self._waiting = [entry for entry in self._waiting if not entry[2].done()]
        heapq.heapify(self._waiting)
        if len(self._waiting) >= self._max_waiting:
            raise ProviderError(
                f"the engine is overloaded: max_waiting_jobs {self._max_waiting} reached"
            )
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (priority, next(self._arrivals), turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._give_back()  # the thread came at the moment the waiter left
            raise

    def _give_back(self) -> None:
        while self._waiting:
            turn = heapq.heappop(self._waiting)[2]
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1

    def _give_back_from_interim(self) -> None:
        self._free_for_interims += 1
        self._give_back()
