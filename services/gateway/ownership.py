"""The call's session and the epoch under which this pod acts for it."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from google.protobuf.duration_pb2 import Duration

from meshkit.errors import MeshError, Reason
from meshkit.fleet import Fleet
from meshkit.logging import get_logger
from meshkit.rpc import Retry
from voicemesh.session.v1 import journal_pb2, ownership_pb2, session_store_pb2
from voicemesh.session.v1.journal_pb2_grpc import JournalServiceStub
from voicemesh.session.v1.ownership_pb2_grpc import CallOwnershipServiceStub
from voicemesh.session.v1.session_store_pb2_grpc import SessionStoreServiceStub

logger = get_logger("gateway.ownership")

TIMEOUT_SECONDS = 2.0
PAGE_SIZE = 500
MAX_PAGES = 200


class AnothersSession(MeshError):
    """The session belongs to another tenant than the call."""


@dataclass(frozen=True, slots=True)
class Opened:
    """The call as it stands when this pod takes it."""

    epoch: int
    last_utterance: int = 0
    """Number of the last utterance accepted by an earlier leg of the call."""
    played: frozenset[str] = frozenset()
    """Segments that an earlier leg played."""


class Ownership:
    """One call's session and owner record. `address` is where other pods would forward to."""

    def __init__(
        self,
        fleet: Fleet,
        session_id: str,
        scenario: str,
        tenant: str,
        *,
        address: str,
        ttl_seconds: float,
    ) -> None:
        self._fleet = fleet
        self._id = session_id
        self._name = f"sessions/{session_id}"
        self._scenario = scenario
        self._tenant = tenant
        self._address = address
        self._ttl_seconds = ttl_seconds
        self._ttl = Duration()
        self._ttl.FromMilliseconds(round(ttl_seconds * 1000))
        self.epoch = 0

    async def open(self) -> Opened:
        """Make the session if there is none, and take the call.

        Raises MeshError, AnothersSession if it is another tenant's.
        """
        existed = await self._create()
        self.epoch = await self._acquire()
        return await self._earlier() if existed else Opened(self.epoch)

    async def renew(self, away: Callable[[MeshError], None]) -> None:
        """Renew the ownership each third of its time. Raises MeshError when another pod owns the call.

        While the store cannot be reached a live call goes on, and `away` is told.
        """
        while True:
            await asyncio.sleep(self._ttl_seconds / 3)
            request = ownership_pb2.RenewCallRequest(
                session=self._name, owner_epoch=self.epoch, ttl=self._ttl
            )
            try:
                await self._own("RenewCall", request)
            except MeshError as error:
                if not error.retryable:
                    raise
                logger.warning("ownership not renewed", extra={"reason": error.reason})
                away(error)

    async def release(self) -> None:
        """Give the call up. Never raises MeshError: it expires."""
        if not self.epoch:
            return
        request = ownership_pb2.ReleaseCallRequest(session=self._name, owner_epoch=self.epoch)
        try:
            await self._own("ReleaseCall", request)
        except MeshError as error:
            logger.warning("ownership not released", extra={"reason": error.reason})

    async def _create(self) -> bool:
        """True if the session was there already."""
        session = session_store_pb2.Session(
            scenario=f"scenarios/{self._scenario}", tenant=self._tenant
        )
        request = session_store_pb2.CreateSessionRequest(
            session_id=self._id, session=session, request_id=uuid.uuid4().hex
        )
        try:
            await self._call(SessionStoreServiceStub, "CreateSession", request)
        except MeshError as error:
            if not error.is_reason(Reason.SESSION_EXISTS):
                raise
            await self._check_tenant()
            return True
        return False

    async def _check_tenant(self) -> None:
        """A ticket for any session must not open another tenant's. Raises AnothersSession."""
        request = session_store_pb2.GetSessionRequest(name=self._name)
        kept = await self._call(SessionStoreServiceStub, "GetSession", request)
        if kept.session.tenant != self._tenant:
            raise AnothersSession(
                Reason.CALLER_NOT_ALLOWED, f"{self._name} is another tenant's; dial a new call"
            )

    async def _acquire(self) -> int:
        request = ownership_pb2.AcquireCallRequest(
            session=self._name,
            address=self._address,
            request_id=uuid.uuid4().hex,
            ttl=self._ttl,
            takeover=ownership_pb2.TAKEOVER_ALWAYS,  # the call's media is here now
        )
        response = await self._own("AcquireCall", request)
        return int(response.owner.epoch)

    async def _earlier(self) -> Opened:
        """What an earlier leg has done. Raises SESSION_ENDED if the session is over."""
        last, played, token = 0, set[str](), ""
        for _ in range(MAX_PAGES):
            request = journal_pb2.ListEventsRequest(
                parent=self._name, page_size=PAGE_SIZE, page_token=token
            )
            page = await self._call(JournalServiceStub, "ListEvents", request)
            for event in page.events:
                kind = event.WhichOneof("event")
                if kind == "utterance":
                    last = max(last, int(event.utterance.utterance.removeprefix("u")))
                elif kind == "heard":
                    played.add(event.heard.segment)
                elif kind == "ended":
                    raise MeshError(Reason.SESSION_ENDED, f"{self._name} is over; dial a new call")
            token = page.next_page_token
            if not token:
                break
        return Opened(self.epoch, last, frozenset(played))

    async def _own(self, method: str, request: object) -> Any:
        return await self._call(CallOwnershipServiceStub, method, request)

    async def _call(self, stub: type, method: str, request: object) -> Any:
        return await self._fleet.unary(
            stub, method, request, timeout=TIMEOUT_SECONDS, retry=Retry()
        )
