"""The streams that run on leases now, so that releasing a lease ends its stream."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from meshkit.errors import MeshError, Reason


class RunningStreams:
    """At most one stream a lease; the pool refuses a second one before it comes here."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[object]] = {}
        self._released: set[str] = set()

    @contextmanager
    def on(self, lease: str) -> Iterator[None]:
        """Run a stream on a lease in this task. Raises LEASE_NOT_FOUND when the lease is released."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks[lease] = task
        try:
            yield
        except asyncio.CancelledError:
            if lease not in self._released:
                raise
            task.uncancel()
            raise MeshError(Reason.LEASE_NOT_FOUND, "the lease was released") from None
        finally:
            self._tasks.pop(lease, None)
            self._released.discard(lease)

    async def end(self, lease: str) -> None:
        """End the stream on a lease, if there is one, and wait until its handler is done."""
        task = self._tasks.get(lease)
        if task is None:
            return
        self._released.add(lease)
        task.cancel()
        await asyncio.wait([task], timeout=5.0)
