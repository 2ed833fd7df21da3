"""One call: a task group that joins media, recogniser, conversation, synthesiser and ownership.

The group ends with the call. It is ended by `end` (the caller hung up, the pod drains, another
socket took over) or by the failure of a service, after which the caller is told, if a synthesiser
is left to tell it. Then everything is given back, within `FAREWELL_SECONDS`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine
from datetime import UTC, date, datetime
from typing import Any

from gateway import endings, notices
from gateway.costs import CallAccount
from gateway.endings import CallEnding, Ending, Failure
from gateway.leases import ClientKind, Granted
from gateway.parts import CLOCK, CallParts, CallSpec, assemble
from gateway.peers import Peers
from gateway.player import MediaSocket
from gateway.settings import GatewaySettings
from meshkit import metrics
from meshkit.context import call_context, new_trace
from meshkit.errors import MeshError
from meshkit.logging import get_logger
from meshkit.tasks import task_group

logger = get_logger("gateway.call")

FAREWELL_SECONDS = 5.0
TAKEOVER_SECONDS = 3.0


class Call:
    """One call. `hear`, `press` and `end` are plain and may be called at any time."""

    def __init__(
        self,
        spec: CallSpec,
        socket: MediaSocket,
        peers: Peers,
        settings: GatewaySettings,
        account: CallAccount,
        previous: Call | None = None,
    ) -> None:
        self.spec = spec
        self.began = datetime.now(UTC)
        self._began_at = CLOCK()  # before its parts, which time themselves
        self.done = asyncio.Event()
        self.parts: CallParts = assemble(spec, socket, peers, settings, self._spawn)
        self._account = account
        self._socket = socket
        self._settings = settings
        self._previous = previous
        self._ended_at: float | None = None
        loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[Ending] = loop.create_future()
        self._failed: asyncio.Future[Failure] = loop.create_future()
        self._hearing_decided = asyncio.Event()
        self._store_away = False

    @property
    def duration_ms(self) -> int:
        """How long it lasts, or lasted."""
        until = CLOCK() if self._ended_at is None else self._ended_at
        return int((until - self._began_at) * 1000)

    # ------------------------------------------------------------------ from the socket

    def hear(self, pcm: bytes) -> None:
        """The caller's next audio."""
        self.parts.hearing.hear(pcm)

    def press(self, tone: str) -> None:
        """The caller pressed a key."""
        self.parts.listening.pressed(tone)

    def end(self, ending: Ending) -> None:
        """End the call; the first reason counts."""
        if not self._ended.done():
            self._ended.set_result(ending)

    # ------------------------------------------------------------------ the life of the call

    async def run(self) -> None:
        """Live the call to its end. Never raises but for cancellation."""
        with (
            new_trace(self._began_at, self.spec.traceparent),
            call_context(session=self.spec.session),
        ):
            ending = endings.DRAINING
            self.parts.events.emit(
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
                self._spawn(self._watch_cost())
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
        owned = await self._own()
        if owned:
            self._spawn(self._hear())
            self._spawn(self._guard("orchestrator", self._converse()))
            self._spawn(self._guard("session-store", self.parts.ownership.renew(self._away)))
            self._spawn(self._guard("session-store", self.parts.journal.run(self._away)))
            self._spawn(self.parts.leases.renew())
        else:
            self._hearing_decided.set()
        self._spawn(self._speak())  # in any case, so that a refusal can be spoken

    async def _own(self) -> bool:
        try:
            opened = await self.parts.ownership.open()
        except MeshError as error:
            self._fail(Failure("session-store", error))
            return False
        self.parts.journal.epoch = opened.epoch
        self.parts.listening.last_utterance = opened.last_utterance
        self.parts.turns.played_before = opened.played
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
        lease = await self._granted(ClientKind.RECOGNIZER)
        self._hearing_decided.set()
        if lease is not None:
            heartbeat = self._settings.heartbeat_seconds
            await self._guard("speech-pool", self.parts.hearing.run(lease, heartbeat))

    async def _speak(self) -> None:
        lease = await self._granted(ClientKind.SYNTHESIZER)
        if lease is not None:
            # A call that cannot be heard is refused, and must not have been greeted before.
            await self._hearing_decided.wait()
            heartbeat = self._settings.heartbeat_seconds
            await self._guard("speech-pool", self.parts.speaking.run(lease, heartbeat))
        self.parts.answering.mute()

    async def _granted(self, kind: ClientKind) -> Granted | None:
        try:
            return await self.parts.admission.grant(kind)
        except MeshError as error:
            self._fail(Failure("speech-pool", error))
            return None

    async def _converse(self) -> None:
        conversation, answering = self.parts.conversation, self.parts.answering
        agent = await conversation.open(self.parts.ownership.epoch, answering)
        answering.agent = answering.agent or agent
        await conversation.lost()

    # ------------------------------------------------------------------ what ends it

    async def _watch_end(self) -> None:
        ending = await self._ended
        self.parts.listening.close()
        self.parts.answering.hang_up()
        raise CallEnding(ending)

    async def _watch_length(self) -> None:
        await asyncio.sleep(self._settings.max_call_seconds)
        await self.parts.answering.notice(notices.TIME_LIMIT)
        self.end(endings.MAX_LENGTH)

    async def _watch_cost(self) -> None:
        """After each turn: that is when most of a call's cost becomes known."""
        async for event in self.parts.events.follow():
            if event.kind == "turn_finished":
                self._account.watch(self.parts, self.duration_ms / 1000, _today())

    async def _watch_failure(self) -> None:
        failure = await self._failed
        spoken = False
        if not failure.ending(spoken).keeps_call:
            self._tell(failure)
            self.parts.listening.close()
            text = notices.REFUSAL if failure.full else notices.APOLOGY
            spoken = await self.parts.answering.notice(text)
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

    def _away(self, error: MeshError) -> None:
        """The session-store cannot be reached: the call goes on, and this is told once."""
        if not self._store_away:
            self._store_away = True
            self._tell(Failure("session-store", error))

    def _tell(self, failure: Failure) -> None:
        self.parts.events.emit("error", reason=failure.reason, message=failure.message)
        logger.warning(
            "a service failed the call",
            extra={"peer": failure.service, "reason": failure.reason},
        )

    # ------------------------------------------------------------------ giving everything back

    async def _farewell(self, ending: Ending) -> None:
        self.parts.listening.close()
        self.parts.answering.hang_up()
        self._socket.close(ending.code, ending.message)
        try:
            async with asyncio.timeout(FAREWELL_SECONDS):
                await self._give_back(ending)
        except TimeoutError:
            logger.warning("the call's farewell took too long")
        except MeshError as error:
            logger.warning("the call's end was not recorded", extra={"reason": error.reason})
        finally:
            self._tell_cost()
            self.parts.events.emit("call_ended", reason=ending.reason)
            metrics.add("voicemesh_calls_total", reason=ending.reason)
            self.parts.events.close()
            self._ended_at = CLOCK()
            self.done.set()
            logger.info("call ended", extra={"reason": ending.reason})

    def _tell_cost(self) -> None:
        spec, seconds = self.spec, self.duration_ms / 1000
        try:
            cost = self._account.settle(
                self.parts, seconds, _today(), tenant=spec.tenant, scenario=spec.scenario
            )
            self.parts.events.emit("call_cost", **cost)
        except Exception:  # what is wrong with money must not keep a call from ending
            logger.exception("the cost of a call was not told")

    async def _give_back(self, ending: Ending) -> None:
        parts = self.parts
        if ending.keeps_call:
            await parts.conversation.close()
            return
        await asyncio.gather(parts.leases.release(), parts.conversation.finish(ending.reason))
        if parts.ownership.epoch:
            await parts.journal.finish(ending.reason)
            await parts.ownership.release()


def _today() -> date:
    return datetime.now(UTC).date()
