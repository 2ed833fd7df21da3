"""Where a turn's time went until its first segment, on a clock that is given."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from typing import TypeVar, cast

E = TypeVar("E")


class TurnClock:
    """Measures one turn; `now` gives monotonic seconds. None: it has not happened."""

    def __init__(self, now: Callable[[], float], began: float | None = None) -> None:
        self._now = now
        self._began = now() if began is None else began
        self.first_token: float | None = None
        """Seconds from the utterance's arrival to the model's first token."""
        self.first_segment: float | None = None
        """Seconds from the utterance's arrival to the first segment."""
        self.model = 0.0
        """Of those, spent waiting for the model."""
        self.tools = 0.0
        """Of those, spent in tool bodies; of tools that ran together, the longest."""

    async def waiting_for_model(self, events: AsyncIterator[E]) -> AsyncGenerator[E, None]:
        """The events, with the waits between them counted."""
        async with aclosing(cast(AsyncGenerator[E, None], events)) as source:
            while True:
                asked = self._now()
                try:
                    event = await anext(source)
                except StopAsyncIteration:
                    return
                self._waited(asked)
                yield event

    def segment_sent(self) -> None:
        """A segment went out."""
        if self.first_segment is None:
            self.first_segment = self._now() - self._began

    def tools_ran(self, bodies: Sequence[float]) -> None:
        """Tools ran together, their bodies this many seconds each."""
        if self.first_segment is None:
            self.tools += max(bodies, default=0.0)

    def _waited(self, asked: float) -> None:
        now = self._now()
        if self.first_token is None:
            self.first_token = now - self._began
        if self.first_segment is None:
            self.model += now - asked
