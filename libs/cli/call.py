"""Place a call and have a conversation: say a line, wait for the answer, say the next, hang up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from acs_standin.caller import DialError, PlacedCall
from cli.events import EventsError, follow
from cli.progress import CallProgress

QUIET_SECONDS = 0.4
"""After an answer, so that a second part of it or of the caller's line is not missed."""
END_SECONDS = 10.0


class CallFailed(Exception):
    """The call went wrong. The message says where and why."""


@dataclass(frozen=True, slots=True)
class Line:
    """What the caller says."""

    label: str
    """For the terminal: the file's name or the text."""
    pcm: bytes
    """16 kHz mono."""


class Conversation:
    """One call, driven line by line. `on_event` sees each event as it comes."""

    def __init__(
        self, call: PlacedCall, on_event: Callable[[dict[str, Any]], None], turn_seconds: float
    ) -> None:
        self.call = call
        self.progress = CallProgress()
        self._on_event = on_event
        self._turn_seconds = turn_seconds
        self._moved = asyncio.Condition()

    async def run(self, lines: Sequence[Line], control_url: str, key: str = "") -> None:
        """The whole conversation. Raises CallFailed."""
        watching = asyncio.create_task(self.watch(control_url, key))
        talking = asyncio.create_task(self._talk(lines))
        try:
            await asyncio.wait({watching, talking}, return_when=asyncio.FIRST_COMPLETED)
            if not talking.done():
                await self._explain_end(watching)
            await talking
            await self._until_over(watching)
        finally:
            for task in (watching, talking):
                task.cancel()
            await asyncio.gather(watching, talking, return_exceptions=True)

    async def _talk(self, lines: Sequence[Line]) -> None:
        await self.until_answered("the greeting")
        for line in lines:
            self.progress.line_begins()
            try:
                await self.call.say(line.pcm)
            except DialError as error:
                raise CallFailed(f"while saying {line.label!r}: {error}") from None
            await self.until_answered(f"an answer to {line.label!r}")
        await self.call.hang_up()

    async def until_answered(self, what: str) -> None:
        """Wait until the agent has answered and is silent. Raises CallFailed, naming `what`."""
        try:
            async with asyncio.timeout(self._turn_seconds):
                while True:
                    async with self._moved:
                        await self._moved.wait_for(lambda: self.progress.answered)
                    await asyncio.sleep(QUIET_SECONDS)
                    if self.progress.answered:
                        return
        except TimeoutError:
            heard = self.progress.transcripts[-1][1] if self.progress.transcripts else "nothing"
            raise CallFailed(
                f"waited {self._turn_seconds:g} s for {what} in vain; last heard: {heard!r}"
            ) from None

    async def watch(self, control_url: str, key: str) -> None:
        """Follow the call's events to its end. Raises EventsError."""
        async for event in follow(control_url, self.call.call_connection_id, key):
            self.progress.take(event)
            self._on_event(event)
            async with self._moved:
                self._moved.notify_all()
            if self.progress.ended:
                return

    async def _explain_end(self, watching: asyncio.Task[None]) -> None:
        """The events ended before the caller was done."""
        try:
            await watching
        except EventsError as error:
            raise CallFailed(f"{error}; close code of the call: {self.call.close_code}") from None
        why = self.progress.error or self.progress.end_reason
        raise CallFailed(f"the gateway ended the call: {why}")

    async def _until_over(self, watching: asyncio.Task[None]) -> None:
        try:
            async with asyncio.timeout(END_SECONDS):
                await watching
        except TimeoutError:
            raise CallFailed(f"hung up, but the gateway went on for {END_SECONDS:g} s") from None
        except EventsError as error:
            raise CallFailed(str(error)) from None
