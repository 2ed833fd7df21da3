"""Tasks that belong together, failing as one exception; and blocking work that may be left behind."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress


@asynccontextmanager
async def task_group() -> AsyncIterator[asyncio.TaskGroup]:
    """A TaskGroup whose failure is the first exception of its tasks, not an exception group.

    Whoever handles the failure wants the MeshError; the tasks that were cancelled for it say
    nothing of their own.
    """
    try:
        async with asyncio.TaskGroup() as group:
            yield group
    except BaseExceptionGroup as failures:
        raise _first(failures) from None


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


async def off_the_loop(work: Callable[[], object], seconds: float) -> bool:
    """Run blocking work in a thread that nobody waits for past `seconds`. Whether it ended in time.

    The loop's own threads are waited for when a process ends, however long they take; this one is
    a daemon. Raises nothing of what the work raises: it is for what ends anyway.
    """
    loop, done = asyncio.get_running_loop(), asyncio.Event()

    def run() -> None:
        try:
            work()
        finally:
            with suppress(RuntimeError):  # the loop was closed meanwhile
                loop.call_soon_threadsafe(done.set)

    threading.Thread(target=run, daemon=True).start()
    try:
        async with asyncio.timeout(seconds):
            await done.wait()
    except TimeoutError:
        return False
    return True
