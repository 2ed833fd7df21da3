"""Wire doubles of the gateway's peers: an orchestrator that answers by script, a session-store in
memory. Real gRPC servers; the speech-pool beside them is the real one on the scripted engine."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from meshkit.errors import MeshError, Reason
from meshkit.streams import ServerStream
from voicemesh.orchestrator.v1 import orchestrator_pb2 as pb
from voicemesh.orchestrator.v1.orchestrator_pb2_grpc import OrchestratorServiceServicer
from voicemesh.session.v1 import journal_event_pb2, journal_pb2, ownership_pb2, session_store_pb2
from voicemesh.session.v1.journal_pb2_grpc import JournalServiceServicer
from voicemesh.session.v1.ownership_pb2_grpc import CallOwnershipServiceServicer
from voicemesh.session.v1.session_store_pb2_grpc import SessionStoreServiceServicer

GREETING = "Hello."
CONVERSE = "voicemesh.orchestrator.v1.OrchestratorService"
STORE = (
    "voicemesh.session.v1.SessionStoreService",
    "voicemesh.session.v1.JournalService",
    "voicemesh.session.v1.CallOwnershipService",
)


def echo(text: str) -> list[str]:
    """An answer that shows what was heard."""
    return [f"You said {text}"]


@dataclass
class OrchestratorScript:
    """How the orchestrator answers. `heartbeat` is the interval of its side."""

    greeting: str = GREETING
    reply: Callable[[str], list[str]] = echo
    tool: str = ""
    voice: str = ""
    refuse: MeshError | None = None
    falls_silent_on: str = ""
    """An utterance after which the stream says nothing any more, not even a heartbeat."""
    ends_on: str = ""
    """An utterance upon which the stream is ended with an error."""
    heartbeat: float = 0.25


class ScriptedOrchestrator(OrchestratorServiceServicer):
    """Records what the gateway says; `said` holds the requests in order."""

    def __init__(self, script: OrchestratorScript | None = None) -> None:
        self.script = script or OrchestratorScript()
        """`accepted` is told of each utterance, so that a store can have it journalled."""
        self.said: list[pb.ConverseRequest] = []
        self.changed = asyncio.Condition()
        self.conversations = 0
        self.accepted: Callable[[pb.UserUtterance], None] = lambda _: None

    async def Converse(self, _: object, context: Any) -> None:
        """One conversation."""
        self.conversations += 1
        numbers = itertools.count(0 if self.script.greeting else 1)
        async with ServerStream[pb.ConverseResponse, pb.ConverseRequest](
            context, pb.ConverseResponse, interval=self.script.heartbeat
        ) as stream:
            await self._record(await stream.receive())
            if self.script.refuse is not None:
                raise self.script.refuse
            await stream.send(pb.ConverseResponse(ready=pb.ConversationReady(agent="agents/a")))
            if self.script.greeting:
                await self._answer(stream, numbers, "greeting", [self.script.greeting])
            while (request := await stream.receive()) is not None:
                await self._record(request)
                if request.HasField("call_ended"):
                    return
                if request.HasField("utterance"):
                    await self._utterance(stream, numbers, request.utterance)

    async def until(self, kind: str, count: int = 1) -> pb.ConverseRequest:
        """Wait for the `count`-th request of a kind."""
        async with self.changed:
            await self.changed.wait_for(lambda: len(self.all(kind)) >= count)
        return self.all(kind)[count - 1]

    def all(self, kind: str) -> list[pb.ConverseRequest]:
        """Requests of a kind so far."""
        return [request for request in self.said if request.HasField(kind)]

    async def _record(self, request: pb.ConverseRequest | None) -> None:
        assert request is not None
        async with self.changed:
            if request.HasField("utterance"):
                self.accepted(request.utterance)
            self.said.append(request)
            self.changed.notify_all()

    async def _utterance(
        self, stream: Any, numbers: Iterator[int], utterance: pb.UserUtterance
    ) -> None:
        if utterance.transcript == self.script.falls_silent_on:
            stream._beat.cancel()
            await asyncio.Event().wait()
        if utterance.transcript == self.script.ends_on:
            raise MeshError(Reason.POD_DRAINING, "told to end")
        ack = pb.UtteranceAck(utterance=utterance.utterance)
        await stream.send(pb.ConverseResponse(utterance_ack=ack))
        texts = self.script.reply(utterance.transcript)
        await self._answer(stream, numbers, utterance.utterance, texts)

    async def _answer(
        self, stream: Any, numbers: Iterator[int], cause: str, texts: list[str]
    ) -> None:
        turn = f"t{next(numbers)}"
        started = pb.TurnStarted(turn=turn, cause=cause, agent="agents/a")
        if self.script.voice:
            started.voice.name = self.script.voice
        await stream.send(pb.ConverseResponse(turn_started=started))
        if self.script.tool and cause != "greeting":
            call = pb.ToolCallStarted(
                request_id=f"sessions/s/{turn}/0/0", tool=f"tools/{self.script.tool}"
            )
            await stream.send(pb.ConverseResponse(tool_call_started=call))
        for ordinal, text in enumerate(texts):
            segment = pb.SpeechSegment(segment=f"{turn}/s{ordinal}", text=text)
            await stream.send(pb.ConverseResponse(segment=segment))
        completed = pb.TurnCompleted(turn=turn, outcome=pb.TurnCompleted.OUTCOME_COMPLETED)
        completed.model_duration.FromMilliseconds(5)
        completed.tool_duration.FromMilliseconds(2)
        completed.first_token_latency.FromMilliseconds(4)
        await stream.send(pb.ConverseResponse(turn_completed=completed))


@dataclass
class StoredSession:
    """A session as the double keeps it."""

    scenario: str
    tenant: str = ""
    epoch: int = 0
    events: list[journal_event_pb2.JournalEvent] = field(default_factory=list)

    def ids(self) -> list[str]:
        """Ids of its journal, in order."""
        return [event.event_id for event in self.events]


class StoreDouble(
    SessionStoreServiceServicer, JournalServiceServicer, CallOwnershipServiceServicer
):
    """Sessions, journal and epochs in memory. `fail` makes every request fail."""

    def __init__(self) -> None:
        self.sessions: dict[str, StoredSession] = {}
        self.fail: MeshError | None = None
        self.changed = asyncio.Condition()
        self.released: list[str] = []
        self.renewals = 0

    async def CreateSession(self, request: Any, _: Any) -> Any:
        """Make a session."""
        name = f"sessions/{request.session_id}"
        self._check()
        if name in self.sessions:
            raise MeshError(Reason.SESSION_EXISTS, name)
        self.sessions[name] = StoredSession(request.session.scenario, request.session.tenant)
        return session_store_pb2.CreateSessionResponse(session=session_store_pb2.Session(name=name))

    async def GetSession(self, request: Any, _: Any) -> Any:
        """Read a session."""
        tenant = self._get(request.name).tenant
        return session_store_pb2.GetSessionResponse(
            session=session_store_pb2.Session(name=request.name, tenant=tenant)
        )

    async def AcquireCall(self, request: Any, _: Any) -> Any:
        """The next epoch."""
        session = self._get(request.session)
        session.epoch += 1
        owner = ownership_pb2.CallOwner(address=request.address, epoch=session.epoch)
        return ownership_pb2.AcquireCallResponse(owner=owner)

    async def RenewCall(self, request: Any, _: Any) -> Any:
        """Fenced by the epoch."""
        self._fenced(request.session, request.owner_epoch)
        self.renewals += 1
        await self._notify()
        return ownership_pb2.RenewCallResponse()

    async def ReleaseCall(self, request: Any, _: Any) -> Any:
        """Give up."""
        self.released.append(request.session)
        await self._notify()
        return ownership_pb2.ReleaseCallResponse()

    async def AppendEvents(self, request: Any, _: Any) -> Any:
        """Append, idempotent by id."""
        session = self._fenced(request.session, request.owner_epoch)
        known = set(session.ids())
        session.events += [event for event in request.events if event.event_id not in known]
        await self._notify()
        return journal_pb2.AppendEventsResponse(last_sequence=len(session.events))

    async def ListEvents(self, request: Any, _: Any) -> Any:
        """The whole journal, in pages of one to try paging."""
        events = self._get(request.parent).events
        start = int(request.page_token or 0)
        token = str(start + 1) if start + 1 < len(events) else ""
        return journal_pb2.ListEventsResponse(
            events=events[start : start + 1], next_page_token=token
        )

    def accept(self, utterance: pb.UserUtterance) -> None:
        """Journal an utterance, as a real orchestrator does, in the only session there is."""
        accepted = journal_event_pb2.UtteranceAccepted(utterance=utterance.utterance)
        event = journal_event_pb2.JournalEvent(event_id=utterance.utterance, utterance=accepted)
        for session in self.sessions.values():
            session.events.append(event)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for something that a request brings about."""
        async with self.changed:
            await self.changed.wait_for(condition)

    def journal(self, session: str) -> dict[str, journal_event_pb2.JournalEvent]:
        """A session's journal by event id."""
        stored = self.sessions.get(f"sessions/{session}")
        return {event.event_id: event for event in stored.events} if stored else {}

    async def _notify(self) -> None:
        async with self.changed:
            self.changed.notify_all()

    def _check(self) -> None:
        if self.fail is not None:
            raise self.fail

    def _get(self, name: str) -> StoredSession:
        self._check()
        if name not in self.sessions:
            raise MeshError(Reason.SESSION_NOT_FOUND, name)
        return self.sessions[name]

    def _fenced(self, name: str, epoch: int) -> StoredSession:
        session = self._get(name)
        if epoch < session.epoch:
            raise MeshError(Reason.CALL_OWNER_SUPERSEDED, name)
        return session
