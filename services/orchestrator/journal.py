"""The conversation's pen: events go to the session-store in order, batched while a write is under way.

`add` never waits; its future is done once the event is journalled, for what must not happen before.
While the store cannot be reached events stay here and are written again, up to a bound.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

import grpc

from meshkit.errors import MeshError, Reason
from meshkit.fleet import Fleet
from meshkit.logging import get_logger
from meshkit.rpc import Retry
from voicemesh.session.v1 import journal_pb2 as pb
from voicemesh.session.v1.journal_event_pb2 import JournalEvent
from voicemesh.session.v1.journal_pb2_grpc import JournalServiceStub

logger = get_logger("orchestrator.journal")

APPEND_SECONDS = 2.0
MAX_WAITING_EVENTS = 2000
"""Kept while the store is away; past this the conversation cannot go on."""
MAX_BATCH_EVENTS = 64
_RETRY = Retry(attempts=3, first_seconds=0.05)
_AGAIN_SECONDS = 0.5
_MOST_SECONDS = 2.0
_AWAY = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
)


class Journal:
    """Writes the events of one session under one epoch, from `start` to `close`."""

    def __init__(self, fleet: Fleet, session: str, epoch: int) -> None:
        self._fleet = fleet
        self._session = session
        self._epoch = epoch
        self._waiting: deque[tuple[JournalEvent, asyncio.Future[None]]] = deque()
        self._changed = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._writing: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to write."""
        self._writing = asyncio.create_task(self._write())

    async def lost(self) -> None:
        """Wait until nothing can be written any more. Raises the MeshError that says why."""
        if self._writing is not None:
            await asyncio.shield(self._writing)

    async def close(self, timeout: float) -> None:
        """Write what waits, for at most `timeout` seconds, and stop."""
        if self._writing is None:
            return
        idle = asyncio.create_task(self._idle.wait())
        await asyncio.wait(
            {idle, self._writing}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED
        )
        if self._waiting:
            logger.warning("events not journalled", extra={"events": len(self._waiting)})
        for task in (idle, self._writing):
            task.cancel()
        await asyncio.gather(idle, self._writing, return_exceptions=True)

    def add(self, event: JournalEvent) -> asyncio.Future[None]:
        """Write an event after those before it. The future fails with the MeshError that ends it."""
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        written.add_done_callback(_retrieved)
        if len(self._waiting) >= MAX_WAITING_EVENTS:
            reason = Reason.STORE_UNAVAILABLE
            written.set_exception(MeshError(reason, "too many events wait for the session-store"))
            return written
        self._waiting.append((event, written))
        self._idle.clear()
        self._changed.set()
        return written

    async def _write(self) -> None:
        """Write until cancelled. Raises MeshError when the call is no longer ours to write for."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            # What the same event causes elsewhere comes within this turn of the loop: an utterance
            # and the turn that answers it are one write.
            await asyncio.sleep(0)
            while self._waiting:
                await self._write_some()
            self._idle.set()

    async def _write_some(self) -> None:
        batch = [self._waiting[i] for i in range(min(len(self._waiting), MAX_BATCH_EVENTS))]
        events = [event for event, _ in batch]
        request = pb.AppendEventsRequest(
            session=self._session, events=events, owner_epoch=self._epoch
        )
        try:
            await self._fleet.unary(
                JournalServiceStub, "AppendEvents", request, timeout=APPEND_SECONDS, retry=_RETRY
            )
        except MeshError as error:
            await self._not_written(error)
            return
        for _, written in batch:
            self._waiting.popleft()
            _settle(written, lambda future: future.set_result(None))

    async def _not_written(self, error: MeshError) -> None:
        """Wait and write again if the store is away; otherwise fail all that waits."""
        if error.code in _AWAY:
            waiting = {"reason": error.reason, "events": len(self._waiting)}
            logger.warning("journal waits", extra=waiting)
            await asyncio.sleep(min(error.retry_after_seconds or _AGAIN_SECONDS, _MOST_SECONDS))
            return
        while self._waiting:
            _, written = self._waiting.popleft()
            _settle(written, lambda future: future.set_exception(error))
        raise error


def _settle(future: asyncio.Future[None], how: Callable[[asyncio.Future[None]], None]) -> None:
    if not future.done():
        how(future)


def _retrieved(future: asyncio.Future[None]) -> None:
    """Not everyone waits for an event; a failure is told by `lost` as well."""
    if not future.cancelled():
        future.exception()
