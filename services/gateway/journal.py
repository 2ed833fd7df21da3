"""What the gateway writes into the call's journal: what was heard, and the end.

Notes are gathered while an append is under way and go out together, so that nothing on the audio
path waits for the store. Event ids are derived, so a retry writes nothing twice.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from meshkit.errors import MeshError, Reason
from meshkit.fleet import Fleet
from meshkit.logging import get_logger
from voicemesh.session.v1 import journal_event_pb2 as event_pb
from voicemesh.session.v1 import journal_pb2
from voicemesh.session.v1.journal_pb2_grpc import JournalServiceStub

logger = get_logger("gateway.journal")

TIMEOUT_SECONDS = 2.0
RETRY_SECONDS = 0.5
MAX_BATCH = 100
MAX_NOTES = 5_000
"""Kept while the store is away; minutes of talk. The oldest go first, and it is logged."""


class Journal:
    """The notes of one call; `epoch` is set once the call is owned."""

    def __init__(self, fleet: Fleet, session: str) -> None:
        self.epoch = 0
        self._fleet = fleet
        self._session = session
        self._notes: deque[event_pb.JournalEvent] = deque()
        self._more = asyncio.Event()

    def heard(self, segment: str, samples: int, length: int, *, interrupted: bool) -> None:
        """A segment was played to its end, or cut."""
        heard = event_pb.SegmentHeard(
            segment=segment,
            heard_samples=samples,
            heard_text_length=length,
            interrupted=interrupted,
        )
        self._note(event_pb.JournalEvent(event_id=f"{segment}/heard", heard=heard))

    async def run(self, away: Callable[[MeshError], None]) -> None:
        """Append notes as they come; `away` is told when the store does not take them.

        Raises MeshError when another pod owns the call.
        """
        while True:
            await self._more.wait()
            if (refused := await self._append()) is not None:
                away(refused)
                await asyncio.sleep(RETRY_SECONDS)

    async def finish(self, reason: str) -> None:
        """Append what is left and the end of the session. Tries once; raises MeshError."""
        ended = event_pb.SessionEnded(reason=reason)
        self._note(event_pb.JournalEvent(event_id="ended", ended=ended))
        while self._notes and await self._append() is None:
            pass

    def _note(self, event: event_pb.JournalEvent) -> None:
        if len(self._notes) >= MAX_NOTES:
            self._notes.popleft()
            logger.warning("journal note dropped: the store was away for too long")
        self._notes.append(event)
        self._more.set()

    async def _append(self) -> MeshError | None:
        """Append a batch; why the store cannot take it now, or None."""
        batch = [self._notes[i] for i in range(min(MAX_BATCH, len(self._notes)))]
        request = journal_pb2.AppendEventsRequest(
            session=self._session, events=batch, owner_epoch=self.epoch
        )
        try:
            await self._fleet.unary(
                JournalServiceStub, "AppendEvents", request, timeout=TIMEOUT_SECONDS
            )
        except MeshError as error:
            if error.retryable or error.is_reason(Reason.STORE_FULL):
                logger.warning("journal not written", extra={"reason": error.reason})
                return error
            raise
        for event in batch:
            if self._notes and self._notes[0] is event:
                self._notes.popleft()
        if not self._notes:
            self._more.clear()
        return None
