"""One call: a task group that joins media, recogniser, conversation, synthesiser and ownership.

The group ends with the call. It is ended by `end` (the caller hung up, the pod drains, another
socket took over) or by the failure of a service, after which the caller is told, if a synthesiser
is left to tell it. Then everything is given back, within `FAREWELL_SECONDS`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from gateway import endings, notices
from gateway.answering import Answering
from gateway.caller_audio import CallerAudio
from gateway.conversation_client import Conversation
from gateway.dtmf import DtmfBuffer
from gateway.endings import CallEnding, Ending, Failure
from gateway.events import CallEvents
from gateway.hearing import Hearing
from gateway.journal import Journal
from gateway.leases import ClientKind, Granted, SpeechLeases
from gateway.listening import Listening
from gateway.ownership import Ownership
from gateway.peers import Peers
from gateway.player import MediaSocket, Player
from gateway.settings import GatewaySettings
from gateway.speaking import Speaking
from gateway.turn_taking import BargeIn, TurnTaking
from gateway.turns import Turn, Turns
from meshkit.context import call_context, new_trace
from meshkit.errors import MeshError
from meshkit.logging import get_logger
from meshkit.tasks import task_group

logger = get_logger("gateway.call")

FAREWELL_SECONDS = 5.0
TAKEOVER_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class CallSpec:
    """Which call this is."""

    session: str
    """The id, without `sessions/`."""
    scenario: str
    address: str
    """This pod's, for the owner record."""


class Call:
    """One call. `hear`, `press` and `end` are plain and may be called at any time."""

    def __init__(
        self,
        spec: CallSpec,
        socket: MediaSocket,
        peers: Peers,
        settings: GatewaySettings,
        previous: Call | None = None,
    ) -> None:
        self.spec = spec
        self.began = datetime.now(UTC)
        self.done = asyncio.Event()
        self.socket = socket
        self._settings = settings
        self._previous = previous
        loop = asyncio.get_running_loop()
        self._clock = time.monotonic
        self._began_at = self._ended_at = self._clock()
        self._ended: asyncio.Future[Ending] = loop.create_future()
        self._failed: asyncio.Future[Failure] = loop.create_future()
        self._hearing_decided = asyncio.Event()
        self._tiers: dict[ClientKind, str] = {}
        self.events = CallEvents(self._clock)
        self.audio = CallerAudio()
        self._assemble(f"sessions/{spec.session}", peers)

    def _assemble(self, session: str, peers: Peers) -> None:
        spec, settings = self.spec, self._settings
        self.turns = Turns()
        floor = TurnTaking(
            BargeIn(
                settings.barge_in,
                settings.barge_in_confirm_seconds,
                settings.barge_in_resume_seconds,
            )
        )
        self._ownership = Ownership(
            peers.session_store,
            spec.session,
            spec.scenario,
            address=spec.address,
            ttl_seconds=settings.call_owner_seconds,
        )
        self._journal = Journal(peers.session_store, session)
        self._leases = SpeechLeases(
            peers.speech_pool, session, timeout=settings.allocation_seconds, clock=self._clock
        )
        self._conversation = Conversation(
            peers.orchestrator, session, spec.scenario, heartbeat=settings.heartbeat_seconds
        )
        self.answering = Answering(
            events=self.events,
            turns=self.turns,
            floor=floor,
            journal=self._journal,
            connected_at=self._clock(),
            on_turn=self._turn_began,
        )
        self.player = Player(self.socket, self.answering, settings.playback_lead_frames)
        self._speaking = Speaking(peers.speech_pool, self.answering, self.player.has_room)
        self.answering.connect(self._conversation, self._speaking, self.player)
        keys = DtmfBuffer(settings.dtmf_terminator, settings.dtmf_timeout_seconds)
        self._listening = Listening(
            events=self.events, floor=floor, answering=self.answering, audio=self.audio, keys=keys
        )
        self._listening.connect(self._conversation)
        self._hearing = Hearing(
            peers.speech_pool,
            self.audio,
            self._listening,
            chunk_ms=settings.audio_chunk_ms,
            language_codes=settings.language_codes,
        )

    @property
    def duration_ms(self) -> int:
        """How long it lasts, or lasted."""
        until = self._ended_at if self.events.closed else self._clock()
        return int((until - self._began_at) * 1000)

    # ------------------------------------------------------------------ from the socket

    def hear(self, pcm: bytes) -> None:
        """The caller's next audio."""
        self._hearing.hear(pcm)

    def press(self, tone: str) -> None:
        """The caller pressed a key."""
        self._listening.pressed(tone)

    def end(self, ending: Ending) -> None:
        """End the call; the first reason counts."""
        if not self._ended.done():
            self._ended.set_result(ending)

    # ------------------------------------------------------------------ the life of the call

    async def run(self) -> None:
        """Live the call to its end. Never raises but for cancellation."""
        with new_trace(), call_context(session=self.spec.session):
            ending = endings.DRAINING
            self.events.emit(
                "call_started", session=self.spec.session, scenario=self.spec.scenario, agent=""
            )
            logger.info("call began", extra={"scenario": self.spec.scenario})
            try:
                ending = await self._live()
            except Exception:
                logger.exception("unforeseen exception in a call")
                ending = endings.INTERNAL
            finally:
                await self._farewell(ending)

    async def _live(self) -> Ending:
        try:
            async with task_group() as self._group:
                self._spawn(self._watch_end())
                self._spawn(self._watch_failure())
                self._spawn(self._watch_length())
                self._spawn(self._begin())
        except CallEnding as over:
            return over.ending
        raise AssertionError("a call's group ends by CallEnding")

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            self._group.create_task(work)
        except RuntimeError:  # the group is ending
            work.close()

    async def _begin(self) -> None:
        """Own the call, then hear, speak and converse at the same time."""
        if not await self._own():
            self._hearing_decided.set()
            self._spawn(self._speak())
            return
        self._spawn(self._hear())
        self._spawn(self._speak())
        self._spawn(self._converse())
        self._spawn(self._guard("speech-pool", self._leases.renew()))
        self._spawn(self._guard("session-store", self._ownership.renew()))
        self._spawn(self._guard("session-store", self._journal.run()))

    async def _own(self) -> bool:
        try:
            opened = await self._ownership.open()
        except MeshError as error:
            self._fail(Failure("session-store", error))
            return False
        self._journal.epoch = opened.epoch
        self._listening.last_utterance = opened.last_utterance
        self.turns.played_before = opened.played
        await self._end_previous()
        return True

    async def _end_previous(self) -> None:
        """An older socket of this call on this pod goes first: it holds the same leases."""
        previous, self._previous = self._previous, None
        if previous is None:
            return
        previous.end(endings.TAKEN_OVER)
        try:
            async with asyncio.timeout(TAKEOVER_SECONDS):
                await previous.done.wait()
        except TimeoutError:
            logger.warning("the older socket of this call did not end in time")

    async def _hear(self) -> None:
        try:
            lease = await self._allocate(ClientKind.RECOGNIZER)
        finally:
            self._hearing_decided.set()
        if lease is not None:
            heartbeat = self._settings.heartbeat_seconds
            await self._guard("speech-pool", self._hearing.run(lease, heartbeat))

    async def _speak(self) -> None:
        lease = await self._allocate(ClientKind.SYNTHESIZER)
        if lease is None:
            self.answering.mute()
            return
        # A call that cannot be heard is refused, and must not have been greeted before.
        await self._hearing_decided.wait()
        heartbeat = self._settings.heartbeat_seconds
        await self._guard("speech-pool", self._speaking.run(lease, heartbeat))
        self.answering.mute()

    async def _converse(self) -> None:
        await self._guard("orchestrator", self._conversation_to_its_end())

    async def _conversation_to_its_end(self) -> None:
        agent = await self._conversation.open(self._ownership.epoch, self.answering)
        self.answering.agent = self.answering.agent or agent
        await self._conversation.lost()

    # ------------------------------------------------------------------ what ends it

    async def _watch_end(self) -> None:
        ending = await self._ended
        self._listening.close()
        self.answering.hang_up()
        raise CallEnding(ending)

    async def _watch_length(self) -> None:
        await asyncio.sleep(self._settings.max_call_seconds)
        await self.answering.notice(notices.TIME_LIMIT)
        self.end(endings.MAX_LENGTH)

    async def _watch_failure(self) -> None:
        failure = await self._failed
        ending = failure.ending(spoken=False)
        self.events.emit("error", reason=failure.reason, message=failure.message)
        logger.warning(
            "a service failed the call",
            extra={"peer": failure.service, "reason": failure.reason, "ending": ending.reason},
        )
        spoken = False
        if not ending.keeps_call:
            self._listening.close()
            text = notices.REFUSAL if failure.full else notices.APOLOGY
            spoken = await self.answering.notice(text)
        self.end(failure.ending(spoken))

    async def _guard(self, service: str, work: Awaitable[None]) -> None:
        """Do the work; the failure of its service is the call's, told once."""
        try:
            await work
        except MeshError as error:
            self._fail(Failure(service, error))

    def _fail(self, failure: Failure) -> None:
        if not self._failed.done():
            self._failed.set_result(failure)

    # ------------------------------------------------------------------ speech clients

    async def _allocate(self, kind: ClientKind) -> Granted | None:
        try:
            granted = await self._leases.allocate(kind)
        except MeshError as error:
            self._fail(Failure("speech-pool", error))
            return None
        self._told(granted, "")
        return granted

    def _turn_began(self, turn: Turn) -> None:
        """The first turn uses the clients as they were granted; each later one asks again."""
        first = len(self.turns.all()) == 1
        for kind in ClientKind:
            if first:
                _stamp(turn, kind, self._tiers.get(kind, ""))
            else:
                self._spawn(self._allocate_again(turn, kind))

    async def _allocate_again(self, turn: Turn, kind: ClientKind) -> None:
        try:
            granted = await self._leases.allocate_again(kind)
        except MeshError as error:  # the stream on the lease tells whether the call can go on
            logger.warning("client not allocated again", extra={"reason": error.reason})
            return
        self._told(granted, turn.name)
        _stamp(turn, kind, granted.tier)

    def _told(self, granted: Granted, turn: str) -> None:
        self._tiers[granted.kind] = granted.tier
        self.events.emit(
            "allocation",
            client_kind=granted.kind.value,
            tier=granted.tier,
            allocation_ms=granted.allocation_ms,
            turn=turn,
        )

    # ------------------------------------------------------------------ giving everything back

    async def _farewell(self, ending: Ending) -> None:
        self._listening.close()
        self.answering.hang_up()
        self.socket.close(ending.code, ending.message)
        try:
            async with asyncio.timeout(FAREWELL_SECONDS):
                await self._give_back(ending)
        except TimeoutError:
            logger.warning("the call's farewell took too long")
        except MeshError as error:
            logger.warning("the call's end was not recorded", extra={"reason": error.reason})
        finally:
            self.events.emit("call_ended", reason=ending.reason)
            self.events.close()
            self._ended_at = self._clock()
            self.done.set()
            logger.info("call ended", extra={"reason": ending.reason})

    async def _give_back(self, ending: Ending) -> None:
        if ending.keeps_call:
            await self._conversation.close()
            return
        await asyncio.gather(self._leases.release(), self._conversation.finish(ending.reason))
        if self._ownership.epoch:
            await self._journal.finish(ending.reason)
            await self._ownership.release()


def _stamp(turn: Turn, kind: ClientKind, tier: str) -> None:
    if kind is ClientKind.RECOGNIZER:
        turn.recognizer_tier = tier
    else:
        turn.synthesizer_tier = tier
