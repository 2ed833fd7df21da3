"""Runs calls that wait for native threads, each in a thread of its own that nothing waits for at exit.

Such a call may never return: the SDK was seen to hang when a socket broke while a session ended. A
pool of threads would fill with those and stall every other caller.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import Callable


class BlockingCalls:
    """Belongs to one event loop. What hangs is counted, and bounded by the bound on SDK threads."""

    def __init__(self) -> None:
        self.running = 0
        """Calls that have not returned."""

    async def run(self, call: Callable[[], None], seconds: float) -> None:
        """Run `call` and wait for it. Raises what it raises, TimeoutError where it does not return.

        Being cancelled, or the timeout, leaves the call to its thread.
        """
        loop = asyncio.get_running_loop()
        within = contextvars.copy_context()
        done: asyncio.Future[None] = loop.create_future()

        def finish(error: Exception | None) -> None:
            self.running -= 1
            if done.done():
                return
            if error is None:
                done.set_result(None)
            else:
                done.set_exception(error)

        def work() -> None:
            error: Exception | None = None
            try:
                within.run(call)
            except Exception as raised:  # handed to whoever waits
                error = raised
            # The loop may be gone while the process leaves.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(finish, error)

        threading.Thread(target=work, name="azure-speech", daemon=True).start()
        self.running += 1
        async with asyncio.timeout(seconds):
            await done
