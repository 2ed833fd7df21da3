"""One conversation: what the gateway says goes into the journal and to the agent, in order.

An utterance is acknowledged once it is journalled; the agent begins to answer it at once. One that
comes again, after a move or a retry, is acknowledged and dropped.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Protocol

from meshkit.errors import MeshError, Reason, invalid
from meshkit.logging import get_logger
from meshkit.tasks import task_group
from orchestrator import records
from orchestrator.answering import Answering, Said
from orchestrator.journal import Journal
from voicemesh.orchestrator.v1 import orchestrator_pb2 as pb

logger = get_logger("orchestrator.conversation")

OUTAGE_SECONDS = 30.0
"""After the end of a call, for a store that is away; then what is left of the journal is lost."""
MAX_TRANSCRIPT = 8_000
"""Code points of an utterance; more is cut off."""
_UTTERANCE = re.compile(r"u\d{1,9}")


class Stream(Protocol):
    """The gateway's end, as far as a conversation needs it."""

    async def send(self, message: pb.ConverseResponse) -> None:
        """Write one message. Raises MeshError."""
        ...

    async def receive(self) -> pb.ConverseRequest | None:
        """The next message; None when no more will come. Raises MeshError."""
        ...


class Conversation:
    """Joins the stream, the journal and the agent's answers. `known`: utterances journalled before."""

    def __init__(
        self,
        stream: Stream,
        journal: Journal,
        answering: Answering,
        now: Callable[[], float],
        known: frozenset[str] = frozenset(),
    ) -> None:
        self._stream, self._journal, self._answering = stream, journal, answering
        self._now = now
        self._written: dict[str, asyncio.Future[None] | None] = dict.fromkeys(known)
        self._acknowledging: set[asyncio.Task[None]] = set()
        self._superseded = asyncio.Event()

    def supersede(self) -> None:
        """A conversation with a higher epoch has opened: this one must end."""
        self._superseded.set()

    async def run(self, greeting: str = "") -> None:
        """Until the call ends or the gateway leaves. Raises MeshError."""
        self._journal.start()
        async with task_group() as group:
            background = (
                group.create_task(self._answering.run(greeting)),
                group.create_task(self._until_superseded()),
                group.create_task(self._journal.lost()),
            )
            await self._read(group)
            for task in (*background, *self._acknowledging):
                task.cancel()

    async def finish(self) -> None:
        """Journal what is not journalled yet. To be awaited by what outlives the stream."""
        await self._journal.close(OUTAGE_SECONDS)

    async def _read(self, group: asyncio.TaskGroup) -> None:
        while (request := await self._stream.receive()) is not None:
            match request.WhichOneof("event"):
                case "utterance":
                    self._utterance(request.utterance, group)
                case "interruption":
                    self._answering.interrupted(request.interruption.turn)
                case "heard":
                    heard = request.heard
                    self._answering.heard(heard.segment, heard.heard_text_length)
                case "call_ended":
                    logger.info("call ended", extra={"reason": request.call_ended.reason})
                    return
                case "start":
                    raise MeshError(
                        Reason.CONVERSATION_ALREADY_OPEN, "the conversation has started already"
                    )

    def _utterance(self, said: pb.UserUtterance, group: asyncio.TaskGroup) -> None:
        name = said.utterance
        if not _UTTERANCE.fullmatch(name):
            raise invalid("utterance", "must have the form u{n}", Reason.NAME_MALFORMED)
        if name not in self._written:
            arrived = self._now()
            said.transcript = said.transcript[:MAX_TRANSCRIPT]
            self._written[name] = self._journal.add(records.utterance_event(said))
            if text := said.transcript.strip():
                self._answering.said(Said(name, text, arrived))
        task = group.create_task(self._acknowledge(name, self._written[name]))
        self._acknowledging.add(task)
        task.add_done_callback(self._acknowledging.discard)

    async def _acknowledge(self, name: str, written: Awaitable[None] | None) -> None:
        if written is not None:
            await asyncio.shield(asyncio.ensure_future(written))
        ack = pb.UtteranceAck(utterance=name)
        await self._stream.send(pb.ConverseResponse(utterance_ack=ack))

    async def _until_superseded(self) -> None:
        await self._superseded.wait()
        raise MeshError(Reason.CALL_OWNER_SUPERSEDED, "a newer owner opened the conversation")
