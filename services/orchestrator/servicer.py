"""OrchestratorService over the wire: opens conversations and knows which are open on this pod."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agentkit import Catalog
from meshkit.context import call_context
from meshkit.errors import MeshError, Reason
from meshkit.fleet import Fleet
from meshkit.logging import get_logger
from meshkit.names import session_id
from meshkit.streams import ServerStream
from orchestrator.answering import Answering, Said, Speaker
from orchestrator.conversation import Conversation
from orchestrator.journal import Journal
from orchestrator.llm import LanguageModel
from orchestrator.opening import Opened, open_session
from orchestrator.resume import read_past
from orchestrator.settings import OrchestratorSettings
from orchestrator.tools import Caller, Tools
from voicemesh.orchestrator.v1 import orchestrator_pb2 as pb
from voicemesh.orchestrator.v1.orchestrator_pb2_grpc import OrchestratorServiceServicer

if TYPE_CHECKING:
    import grpc

    Context = grpc.aio.ServicerContext[Any, Any]

logger = get_logger("orchestrator.servicer")

FLUSH_SECONDS = 0.8
"""How long the end of a stream waits for its journal; the gateway waits a second for that end."""

Stream = ServerStream[pb.ConverseResponse, pb.ConverseRequest]


@dataclass(frozen=True, slots=True)
class Deployment:
    """What all conversations of a pod share."""

    settings: OrchestratorSettings
    catalog: Catalog
    model: LanguageModel
    tools: Tools
    store: Fleet
    now: Callable[[], float] = time.monotonic


class OrchestratorServicer(OrchestratorServiceServicer):
    """Serves conversations."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._open: dict[str, tuple[int, Conversation]] = {}
        self._opening = 0
        self._draining = False
        self._finishing: set[asyncio.Task[None]] = set()

    @property
    def open_conversations(self) -> int:
        """Conversations on this pod now."""
        return len(self._open)

    async def refuse_new(self) -> None:
        """Open no further conversation; those that are open go on."""
        self._draining = True

    async def finished(self, timeout: float) -> None:
        """Wait for the journals of conversations that are over; after `timeout` they are dropped."""
        rest = set(self._finishing)
        if rest:
            await asyncio.wait(rest, timeout=timeout)
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    async def Converse(self, _: object, context: Context) -> None:
        """One conversation, from its start to the end of the call."""
        heartbeat = self._deployment.settings.heartbeat_seconds
        async with Stream(context, pb.ConverseResponse, interval=heartbeat) as stream:
            start = _start(await stream.receive())
            with call_context(session=session_id(start.session)), self._admitted():
                self._check_epoch(start)
                opened = await open_session(start, self._deployment.catalog, self._deployment.store)
                await self._converse(opened, stream)

    async def _converse(self, opened: Opened, stream: Stream) -> None:
        conversation = self._conversation(opened, stream)
        with self._registered(opened, conversation):
            ready = pb.ConversationReady(agent=f"agents/{opened.agent.name}")
            await stream.send(pb.ConverseResponse(ready=ready))
            logger.info("conversation open", extra={"agent": opened.agent.name})
            try:
                opened.memory.persist_background()
                await conversation.run(opened.greeting)
            finally:
                await self._finish(conversation, opened)

    async def _finish(self, conversation: Conversation, opened: Opened) -> None:
        """Journal the rest: the stream waits a little for it, and being cut off does not end it."""
        finishing = asyncio.create_task(_finished(conversation, opened))
        self._finishing.add(finishing)
        finishing.add_done_callback(self._finishing.discard)
        await asyncio.wait({finishing}, timeout=FLUSH_SECONDS)

    def _conversation(self, opened: Opened, stream: Stream) -> Conversation:
        deployment = self._deployment
        journal = Journal(deployment.store, opened.session, opened.epoch)
        speaker = Speaker(
            caller=Caller(opened.session, f"agents/{opened.agent.name}", opened.epoch),
            agent=opened.agent,
            prompt=opened.prompt,
            model=deployment.model,
            tools=deployment.tools,
            max_rounds=deployment.settings.max_rounds,
        )
        past = read_past(opened.past, deployment.settings.max_history_turns)
        answering = Answering(speaker, past, journal, stream.post, deployment.now)
        for utterance, text in past.unanswered:
            answering.said(Said(utterance, text, deployment.now()))
        known = frozenset(past.known)
        return Conversation(stream, journal, answering, deployment.now, known)

    @contextmanager
    def _admitted(self) -> Iterator[None]:
        """Count a conversation from before its session is read. Raises MeshError."""
        if self._draining:
            raise MeshError(Reason.POD_DRAINING, "this pod is shutting down")
        if self._opening >= self._deployment.settings.now("max_conversations"):
            raise MeshError(
                Reason.POOL_EXHAUSTED, "too many conversations here", retry_after_seconds=1.0
            )
        self._opening += 1
        try:
            yield
        finally:
            self._opening -= 1

    def _check_epoch(self, start: pb.ConversationStart) -> None:
        """One conversation a session: the newest owner's. Raises MeshError."""
        if start.session not in self._open:
            return
        epoch, _ = self._open[start.session]
        if start.owner_epoch == epoch:
            raise MeshError(
                Reason.CONVERSATION_ALREADY_OPEN, f"{start.session} is open with epoch {epoch}"
            )
        if start.owner_epoch < epoch:
            raise MeshError(Reason.CALL_OWNER_SUPERSEDED, f"epoch {epoch} owns the call")

    @contextmanager
    def _registered(self, opened: Opened, conversation: Conversation) -> Iterator[None]:
        """Be the session's conversation, in the place of an older owner's."""
        self._check_epoch(pb.ConversationStart(session=opened.session, owner_epoch=opened.epoch))
        if older := self._open.get(opened.session):
            older[1].supersede()
        mine = self._open[opened.session] = (opened.epoch, conversation)
        try:
            yield
        finally:
            if self._open.get(opened.session) is mine:
                del self._open[opened.session]


async def _finished(conversation: Conversation, opened: Opened) -> None:
    await asyncio.gather(conversation.finish(), opened.memory.persisted())


def _start(first: pb.ConverseRequest | None) -> pb.ConversationStart:
    if first is None or not first.HasField("start"):
        raise MeshError(Reason.STREAM_START_MISSING, "the first message must be `start`")
    return first.start
