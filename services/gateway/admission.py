"""The speech clients of a call as its turns see them: granted at the start, asked for again each turn.

What is reported is what the pool answered: the tier of a turn is the tier of the allocation that
was made for it; the first turn uses the clients as they were granted.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from gateway.events import CallEvents
from gateway.leases import ClientKind, Granted, SpeechLeases
from gateway.turns import Turn, Turns
from meshkit.errors import MeshError
from meshkit.logging import get_logger

logger = get_logger("gateway.admission")

Spawn = Callable[[Coroutine[Any, Any, None]], None]


class Admission:
    """`spawn` runs a coroutine as long as the call lives."""

    def __init__(
        self, leases: SpeechLeases, events: CallEvents, turns: Turns, spawn: Spawn
    ) -> None:
        self._leases = leases
        self._events = events
        self._turns = turns
        self._spawn = spawn
        self._granted: dict[ClientKind, str] = {}

    async def grant(self, kind: ClientKind) -> Granted:
        """A client for the call. Raises MeshError."""
        granted = await self._leases.allocate(kind)
        self._granted[kind] = granted.tier
        self._tell(granted, "")
        for turn in self._turns.all()[:1]:  # the greeting may be there before the client is
            turn.tiers[kind.value] = granted.tier
        return granted

    def turn_began(self, turn: Turn) -> None:
        """Find the call's clients for a turn, while the model still thinks."""
        if len(self._turns.all()) == 1:
            turn.tiers.update({kind.value: tier for kind, tier in self._granted.items()})
            return
        for kind in ClientKind:
            self._spawn(self._again(turn, kind))

    async def _again(self, turn: Turn, kind: ClientKind) -> None:
        try:
            granted = await self._leases.allocate_again(kind)
        except MeshError as error:  # the stream on the lease tells whether the call can go on
            logger.warning("client not allocated again", extra={"reason": error.reason})
            return
        self._tell(granted, turn.name)
        turn.tiers[kind.value] = granted.tier

    def _tell(self, granted: Granted, turn: str) -> None:
        self._events.emit(
            "allocation",
            client_kind=granted.kind.value,
            tier=granted.tier,
            allocation_ms=granted.allocation_ms,
            turn=turn,
        )
