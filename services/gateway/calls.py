"""The calls of this pod: those that live, and for a while those that ended, for who asks later."""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Self

from gateway import endings
from gateway.call import Call
from gateway.costs import open_accounts
from gateway.latencies import Latencies
from gateway.media import SAMPLE_RATE
from gateway.meters import CallMeters
from gateway.parts import CallSpec
from gateway.peers import Peers
from gateway.player import MediaSocket
from gateway.settings import GatewaySettings
from meshkit import metrics
from meshkit.logging import get_logger

logger = get_logger("gateway.calls")

KEPT_CALLS = 100
KEPT_SECONDS = 600.0


class Calls:
    """Every call is a task that is owned here; leaving the block ends and awaits them all.

    `address` tells where other pods would reach this one, once that is known.
    """

    def __init__(
        self, peers: Peers, settings: GatewaySettings, address: Callable[[], str] = lambda: ""
    ) -> None:
        self.draining = False
        self._peers = peers
        self._settings = settings
        self._address = address
        self.accounts = open_accounts(settings)
        self.latencies = Latencies()
        self._live: dict[str, Call] = {}
        self._ended: OrderedDict[str, tuple[float, Call]] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()
        self._idle = asyncio.Event()
        self._idle.set()
        self._meters = CallMeters(lambda: self._live.values())

    async def __aenter__(self) -> Self:
        self._end_watch = metrics.watch(self._meters.look)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.draining = True
        for call in self._live.values():
            call.end(endings.DRAINING)
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._end_watch()

    @property
    def live(self) -> list[Call]:
        """Calls under way, oldest first."""
        return list(self._live.values())

    @property
    def known(self) -> list[Call]:
        """Calls under way, and of each session the newest that ended lately."""
        self._forget_old()
        return [*self._live.values(), *(call for _, call in self._ended.values())]

    @property
    def full(self) -> bool:
        """Whether no further call is taken."""
        return bool(len(self._tasks) >= self._settings.now("max_calls"))

    def get(self, session: str) -> Call | None:
        """The newest call of a session, live or lately ended."""
        if session in self._live:
            return self._live[session]
        self._forget_old()
        kept = self._ended.get(session)
        return kept[1] if kept else None

    def is_of_another(self, session: str, tenant: str) -> bool:
        """Whether a live call of this session belongs to another tenant."""
        live = self._live.get(session)
        return live is not None and live.spec.tenant != tenant

    def start(
        self,
        session: str,
        scenario: str,
        socket: MediaSocket,
        tenant: str = "",
        traceparent: str = "",
    ) -> Call:
        """Begin a call on a socket. A live call of the same session is taken over from."""
        spec = CallSpec(session, scenario, self._address(), tenant, traceparent)
        call = Call(
            spec,
            socket,
            self._peers,
            self._settings,
            self.accounts.open(),
            previous=self._live.get(session),
        )
        self._live[session] = call
        self._idle.clear()
        task = asyncio.create_task(self._run(call))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return call

    async def drain(self, seconds: float) -> None:
        """Take no new calls, let those under way finish for `seconds`, then end them."""
        self.draining = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        for call in self.live:
            call.end(endings.DRAINING)
        await self._idle.wait()

    async def _run(self, call: Call) -> None:
        try:
            await call.run()
        finally:
            self._bury(call)

    def _bury(self, call: Call) -> None:
        session = call.spec.session
        self._meters.ended(call)
        self.latencies.add(call.spec.scenario, call.parts.turns.all())
        if self._live.get(session) is call:
            del self._live[session]
            self._ended[session] = (asyncio.get_running_loop().time(), call)
            self._ended.move_to_end(session)
        if not self._live:
            self._idle.set()
        self._forget_old()

    def _forget_old(self) -> None:
        now = asyncio.get_running_loop().time()
        while self._ended:
            session, (ended_at, _) = next(iter(self._ended.items()))
            if len(self._ended) <= KEPT_CALLS and now - ended_at <= KEPT_SECONDS:
                return
            del self._ended[session]


def describe(call: Call) -> dict[str, Any]:
    """A call as the control plane shows it."""
    parts, stats = call.parts, call.parts.player.stats
    return {
        "session": call.spec.session,
        "scenario": call.spec.scenario,
        "agent": parts.answering.agent,
        "state": "ended" if parts.events.closed else "live",
        "began": call.began.isoformat(timespec="milliseconds"),
        "duration_ms": call.duration_ms,
        "turns": len(parts.turns.all()),
        "caller_audio": {
            "received_ms": parts.audio.end * 1000 // SAMPLE_RATE,
            "dropped_ms": parts.audio.dropped_samples * 1000 // SAMPLE_RATE,
        },
        "playback": {
            "frames": stats.frames,
            "lateness_ms": {"p50": stats.lateness_ms(0.5), "p99": stats.lateness_ms(0.99)},
            "gaps": stats.gaps,
            "longest_gap_ms": round(stats.longest_gap_seconds * 1000, 1),
        },
    }
