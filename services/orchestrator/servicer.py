"""OrchestratorService: opens conversations, one a session, and refuses what cannot be one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agentkit import Catalog
from agentkit.documents import suggestion
from meshkit.context import call_context
from meshkit.errors import MeshError, PeerUnreachable, Reason, invalid
from meshkit.fleet import Fleet
from meshkit.names import resource_id, session_id, session_name
from meshkit.rpc import Retry
from meshkit.streams import ServerStream
from orchestrator.conversation import Conversation, Surroundings
from orchestrator.journal import Journal
from orchestrator.tools import Caller
from voicemesh.orchestrator.v1 import orchestrator_pb2 as pb
from voicemesh.orchestrator.v1 import orchestrator_pb2_grpc
from voicemesh.session.v1 import session_store_pb2 as store_pb
from voicemesh.session.v1.session_store_pb2_grpc import SessionStoreServiceStub

if TYPE_CHECKING:
    import grpc

    Context = grpc.aio.ServicerContext[Any, Any]

STORE_SECONDS = 2.0
_RETRY = Retry(attempts=3, first_seconds=0.05)

Stream = ServerStream[pb.ConverseResponse, pb.ConverseRequest]


@dataclass(frozen=True, slots=True)
class _Open:
    """A conversation that this pod has."""

    epoch: int
    task: asyncio.Task[Any]


class OrchestratorServicer(orchestrator_pb2_grpc.OrchestratorServiceServicer):
    """The conversations of this pod."""

    def __init__(
        self,
        catalog: Catalog,
        store: Fleet,
        around: Surroundings,
        *,
        heartbeat: float,
        max_conversations: int,
    ) -> None:
        self._catalog = catalog
        self._store = store
        self._around = around
        self._heartbeat = heartbeat
        self._max = max_conversations
        self._open: dict[str, _Open] = {}
        self._superseded: set[asyncio.Task[Any]] = set()
        self._draining = False

    async def drain(self) -> None:
        """Open no more conversations; those open go on."""
        self._draining = True

    async def Converse(self, _: object, context: Context) -> None:
        """One conversation, from `start` to the end of the call."""
        async with Stream(context, pb.ConverseResponse, interval=self._heartbeat) as stream:
            start = _start(await stream.receive())
            session = session_id(start.session, "start.session")
            with call_context(session=session):
                async with self._sole(session, start.owner_epoch):
                    await self._converse(stream, start, session)

    async def _converse(self, stream: Stream, start: pb.ConversationStart, session: str) -> None:
        agent, variables = self._starting_point(start)
        known = await self._session_context(session)
        context = {**known, **_context(start)}
        ready = pb.ConversationReady(agent=f"agents/{agent.name}")
        await stream.send(pb.ConverseResponse(ready=ready))
        caller = Caller(session_name(session), f"agents/{agent.name}", start.owner_epoch)
        journal = Journal(self._store, caller.session, start.owner_epoch)
        values = {**variables, "context": context}
        await Conversation(stream, journal, caller, agent, values, self._around).run()

    def _starting_point(self, start: pb.ConversationStart) -> tuple[Any, Mapping[str, Any]]:
        """The agent that answers, and the scenario's variables. Raises SCENARIO_NOT_FOUND."""
        name = resource_id("scenarios", start.scenario, "start.scenario")
        scenario = self._catalog.scenarios.get(name)
        if scenario is None:
            near = suggestion(name, self._catalog.scenarios)
            raise MeshError(Reason.SCENARIO_NOT_FOUND, f"there is no scenario {name!r}{near}")
        return self._catalog.agents[scenario.start_agent], scenario.template_vars

    async def _session_context(self, session: str) -> dict[str, Any]:
        """What the session knows already. Raises SESSION_NOT_FOUND, STORE_UNAVAILABLE."""
        request = store_pb.GetSessionRequest(name=session_name(session))
        try:
            answer = await self._store.unary(
                SessionStoreServiceStub, "GetSession", request, timeout=STORE_SECONDS, retry=_RETRY
            )
        except PeerUnreachable as error:
            raise MeshError(Reason.STORE_UNAVAILABLE, str(error), retry_after_seconds=1.0) from None
        return {key: _json(text) for key, text in answer.session.context_json.items()}

    @asynccontextmanager
    async def _sole(self, session: str, epoch: int) -> AsyncIterator[None]:
        """The block is the session's only conversation here; a higher epoch ends the older one."""
        self._admit(session, epoch)
        task = asyncio.current_task()
        assert task is not None
        mine = self._open[session] = _Open(epoch, task)
        try:
            yield
        except asyncio.CancelledError:
            if task not in self._superseded:
                raise
            task.uncancel()
            raise MeshError(Reason.CALL_OWNER_SUPERSEDED, "a higher epoch took over") from None
        finally:
            self._superseded.discard(task)
            if self._open.get(session) is mine:
                del self._open[session]

    def _admit(self, session: str, epoch: int) -> None:
        if self._draining or len(self._open) >= self._max:
            raise MeshError(Reason.POD_DRAINING, "this pod takes no new conversations")
        before = self._open.get(session)
        if before is None:
            return
        if epoch == before.epoch:
            raise MeshError(
                Reason.CONVERSATION_ALREADY_OPEN, "this pod has one for the session and epoch"
            )
        if epoch < before.epoch:
            raise MeshError(Reason.CALL_OWNER_SUPERSEDED, "a higher epoch has a conversation here")
        self._superseded.add(before.task)
        before.task.cancel()


def _start(first: pb.ConverseRequest | None) -> pb.ConversationStart:
    if first is None or not first.HasField("start"):
        raise MeshError(Reason.STREAM_START_MISSING, "the first message must be `start`")
    if first.start.owner_epoch < 0:
        raise invalid("start.owner_epoch", "must not be negative")
    return first.start


def _context(start: pb.ConversationStart) -> dict[str, Any]:
    try:
        return {key: json.loads(text) for key, text in start.context_json.items()}
    except ValueError as error:
        raise invalid("start.context_json", f"must hold JSON text: {error}") from None


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
