"""The fleets that a call needs, and whether each of them serves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from gateway.settings import GatewaySettings
from meshkit.endpoints import endpoint_source
from meshkit.fleet import Fleet

CHECK_SECONDS = 1.0
"""How long an answer about the peers is good for, and how long one may take."""


@dataclass(frozen=True, slots=True)
class Peers:
    """One fleet a service."""

    speech_pool: Fleet
    orchestrator: Fleet
    session_store: Fleet

    def all(self) -> tuple[Fleet, ...]:
        """Every fleet."""
        return (self.speech_pool, self.orchestrator, self.session_store)


@asynccontextmanager
async def connect(settings: GatewaySettings) -> AsyncIterator[Peers]:
    """The fleets as the settings name them, closed at the end of the block."""
    async with (
        Fleet("speech-pool", endpoint_source(settings.speech_pool_target)) as speech_pool,
        Fleet("orchestrator", endpoint_source(settings.orchestrator_target)) as orchestrator,
        Fleet("session-store", endpoint_source(settings.session_store_target)) as session_store,
    ):
        yield Peers(speech_pool, orchestrator, session_store)


class Readiness:
    """Asks the peers at most once a second, however often it is asked."""

    def __init__(self, peers: Peers) -> None:
        self._peers = peers
        self._asking = asyncio.Lock()
        self._known: dict[str, str] = {}
        self._known_until = float("-inf")

    async def not_serving(self) -> dict[str, str]:
        """The peers of which the pod that was asked does not serve, with what it said of why."""
        loop = asyncio.get_running_loop()
        async with self._asking:
            if loop.time() >= self._known_until:
                self._known = await self._ask()
                self._known_until = loop.time() + CHECK_SECONDS
            return self._known

    async def _ask(self) -> dict[str, str]:
        fleets = self._peers.all()
        answers = await asyncio.gather(*(fleet.why_not(CHECK_SECONDS) for fleet in fleets))
        return {fleet.service: why for fleet, why in zip(fleets, answers, strict=True) if why}
