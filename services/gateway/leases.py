"""The call's leases on speech clients: granted, granted again each turn, renewed, given back."""

from __future__ import annotations

import asyncio
import enum
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from google.protobuf.duration_pb2 import Duration

from meshkit.errors import MeshError, PeerUnreachable, Reason
from meshkit.fleet import Fleet
from meshkit.logging import get_logger
from voicemesh.speech.v1 import speech_pool_pb2 as pb
from voicemesh.speech.v1.speech_pool_pb2_grpc import SpeechPoolServiceStub

logger = get_logger("gateway.leases")

LEASE_SECONDS = 30.0
MAX_WAIT_SECONDS = 0.5
"""How long a caller waits in one pod's queue before another is asked."""

_ELSEWHERE = (Reason.POOL_EXHAUSTED, Reason.POD_DRAINING, Reason.PROVIDER_UNAVAILABLE)


class ClientKind(enum.Enum):
    """What a speech client does, as events name it."""

    RECOGNIZER = "recognizer"
    SYNTHESIZER = "synthesizer"


@dataclass(frozen=True, slots=True)
class Granted:
    """A lease, and how it was come by."""

    kind: ClientKind
    name: str
    address: str
    tier: str
    """`warm`, `dedicated` or `cold`."""
    allocation_ms: float
    """From asking to the answer, the way there and back included."""


class SpeechLeases:
    """The leases of one call. `clock` gives seconds."""

    def __init__(
        self, fleet: Fleet, session: str, *, timeout: float, clock: Callable[[], float]
    ) -> None:
        self._fleet = fleet
        self._session = session
        self._timeout = timeout
        self._clock = clock
        self._held: dict[ClientKind, Granted] = {}
        self._asking: set[asyncio.Task[Granted]] = set()

    async def allocate(self, kind: ClientKind) -> Granted:
        """A client on any pod; if the first has none, on another, once. Raises MeshError."""
        first = self._fleet.pick()
        try:
            return await self._ask(kind, first)
        except MeshError as error:
            if not isinstance(error, PeerUnreachable) and not error.is_reason(*_ELSEWHERE):
                raise
            second = self._another(first)
            if second is None:
                raise
        return await self._ask(kind, second)

    async def allocate_again(self, kind: ClientKind) -> Granted:
        """The client that the call holds, for its next use; normally DEDICATED. Raises MeshError."""
        held = self._held.get(kind)
        return await (self._ask(kind, held.address) if held else self.allocate(kind))

    async def renew(self) -> None:
        """Renew every lease, each third of its time. An open stream pins its lease, so this matters
        only between streams; a failure is told by the stream that needs the lease."""
        while True:
            await asyncio.sleep(LEASE_SECONDS / 3)
            for held in list(self._held.values()):
                await self._quietly(
                    "RenewLease", pb.RenewLeaseRequest(name=held.name, ttl=_TTL), held
                )

    async def release(self) -> None:
        """Give everything back. Never raises MeshError: what is not given back expires.

        An answer that is still on its way is waited for, since its lease is granted already.
        """
        await asyncio.gather(*self._asking, return_exceptions=True)
        held = list(self._held.values())
        self._held.clear()
        await asyncio.gather(
            *(self._quietly("ReleaseLease", pb.ReleaseLeaseRequest(name=h.name), h) for h in held)
        )

    def _another(self, first: str) -> str | None:
        self._fleet.suspect(first)
        others = self._fleet.addresses - {first}
        return self._fleet.pick(exclude={first}) if others else None

    async def _ask(self, kind: ClientKind, address: str) -> Granted:
        """Ask one pod; who is cancelled meanwhile (a hang-up) leaves the answer to `release`."""
        asking = asyncio.create_task(self._request(kind, address))
        self._asking.add(asking)
        asking.add_done_callback(self._answered)
        return await asyncio.shield(asking)

    def _answered(self, asking: asyncio.Task[Granted]) -> None:
        self._asking.discard(asking)
        if not asking.cancelled():
            asking.exception()  # whoever asked may be gone

    async def _request(self, kind: ClientKind, address: str) -> Granted:
        request = pb.AllocateClientRequest(
            session=self._session,
            client_kind=_KINDS[kind],
            ttl=_TTL,
            request_id=uuid.uuid4().hex,
            max_wait=_duration(min(MAX_WAIT_SECONDS, self._timeout)),
        )
        began = self._clock()
        response = await self._fleet.unary(
            SpeechPoolServiceStub, "AllocateClient", request, timeout=self._timeout, address=address
        )
        lease = response.lease
        granted = Granted(
            kind=kind,
            name=lease.name,
            address=lease.address,
            tier=_TIERS.get(lease.tier, ""),
            allocation_ms=round((self._clock() - began) * 1000, 3),
        )
        self._held[kind] = granted
        return granted

    async def _quietly(self, method: str, request: object, held: Granted) -> None:
        try:
            await self._fleet.unary(
                SpeechPoolServiceStub, method, request, timeout=self._timeout, address=held.address
            )
        except MeshError as error:
            logger.warning("lease call failed", extra={"method": method, "reason": error.reason})


def _duration(seconds: float) -> Duration:
    duration = Duration()
    duration.FromMilliseconds(round(seconds * 1000))
    return duration


_TTL = _duration(LEASE_SECONDS)
_KINDS = {
    ClientKind.RECOGNIZER: pb.CLIENT_KIND_RECOGNIZER,
    ClientKind.SYNTHESIZER: pb.CLIENT_KIND_SYNTHESIZER,
}
_TIERS = {
    pb.ALLOCATION_TIER_DEDICATED: "dedicated",
    pb.ALLOCATION_TIER_WARM: "warm",
    pb.ALLOCATION_TIER_COLD: "cold",
}
