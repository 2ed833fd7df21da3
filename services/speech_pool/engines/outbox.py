"""The events of one stream on their way to its one reader, in order and bounded.

A final result takes its place before its words are known, so that what is heard later cannot
overtake it. A reader that stays away too long ends the stream instead of filling the memory.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator

from speech_pool.ports import ProviderError, RecognitionEvent, Transcript

MAX_UNREAD_EVENTS = 512
"""Events that wait for the reader; far more than a minute of talk makes."""
MAX_UNREAD_INTERIMS = 8
"""Above this many unread events interims are left out: they are of no use to a late reader."""

LaterTranscript = asyncio.Task[Transcript | None]


class Outbox:
    """One writer side, one reader. Belongs to one event loop."""

    def __init__(self) -> None:
        self._unread: deque[RecognitionEvent | LaterTranscript] = deque()
        self._changed = asyncio.Event()
        self._ended = False
        self._failure: ProviderError | None = None
        self._closed = False

    @property
    def is_closed(self) -> bool:
        """Whether nothing that is put in will be read."""
        return self._closed or self._failure is not None

    def put(self, event: RecognitionEvent) -> None:
        """Add an event that must arrive."""
        self._add(event)

    def put_interim(self, event: Transcript) -> None:
        """Add an event that a slow reader does not miss."""
        if len(self._unread) < MAX_UNREAD_INTERIMS:
            self._add(event)

    def put_later(self, event: LaterTranscript) -> None:
        """Keep the place of a final; None in the end: it had no words."""
        self._add(event)

    def end(self) -> None:
        """Nothing more comes; the reader ends after what is unread."""
        self._ended = True
        self._changed.set()

    def fail(self, error: ProviderError) -> None:
        """The reader gets what is unread, then `error`. The first error counts."""
        self._failure = self._failure or error
        self._changed.set()

    def close(self) -> None:
        """The reader ends at once."""
        self._closed = True
        self._unread.clear()
        self._changed.set()

    # An iterator of its own rather than a generator: a reader may give up waiting for the next
    # event and ask again, and none is lost; a cancelled generator would be at its end.

    def __aiter__(self) -> AsyncIterator[RecognitionEvent]:
        return self

    async def __anext__(self) -> RecognitionEvent:
        """What was put in. Raises ProviderError after `fail`."""
        while not self._closed:
            if self._unread:
                event = await self._first_unread()
                if event is not None:
                    return event
            elif self._failure or self._ended:
                self._stop()
            else:
                self._changed.clear()
                await self._changed.wait()
        raise StopAsyncIteration

    async def _first_unread(self) -> RecognitionEvent | None:
        """Take the first event; None where its final had no words."""
        event = self._unread[0]
        if isinstance(event, asyncio.Task):
            await asyncio.wait([event])
        if self._closed:
            return None
        self._unread.popleft()
        if not isinstance(event, asyncio.Task):
            return event
        if event.cancelled():
            return None
        if isinstance(error := event.exception(), ProviderError):
            self.fail(error)
            self._stop()
        return event.result()

    def _stop(self) -> None:
        self._closed = True
        if self._failure:
            raise self._failure

    def _add(self, event: RecognitionEvent | LaterTranscript) -> None:
        if self.is_closed:
            return
        if len(self._unread) >= MAX_UNREAD_EVENTS:
            self.fail(ProviderError(f"{MAX_UNREAD_EVENTS} events were not read in time"))
            return
        self._unread.append(event)
        self._changed.set()
