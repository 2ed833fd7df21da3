"""CallOwnershipService over the wire: checks a request, runs the operation, answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meshkit.errors import MeshError, Reason, invalid
from meshkit.names import session_id
from meshkit.targets import split_address
from session_store.budgets import budget, owner_ttl
from session_store.changes import checked_id
from session_store.settings import SessionStoreSettings
from session_store.store import SessionStore
from voicemesh.session.v1 import ownership_pb2 as pb
from voicemesh.session.v1.ownership_pb2_grpc import CallOwnershipServiceServicer

if TYPE_CHECKING:
    import grpc

    Context = grpc.aio.ServicerContext[Any, Any]


class OwnershipServicer(CallOwnershipServiceServicer):
    """Which gateway pod owns a call, by rising epochs."""

    def __init__(self, store: SessionStore, settings: SessionStoreSettings) -> None:
        self._store, self._settings = store, settings

    async def AcquireCall(
        self, request: pb.AcquireCallRequest, context: Context
    ) -> pb.AcquireCallResponse:
        """Make the caller the owner, under a new epoch; on disk before it answers."""
        name = session_id(request.session)
        request_id = checked_id(request.request_id, "request_id")
        _check_address(request.address)
        acquired = await self._store.acquire(
            name,
            request.address,
            request_id,
            self._ttl(request),
            _by_force(request.takeover),
            self._budget(context),
        )
        return pb.AcquireCallResponse(owner=acquired.owner, previous_owner=acquired.previous)

    async def RenewCall(
        self, request: pb.RenewCallRequest, context: Context
    ) -> pb.RenewCallResponse:
        """Keep a call that is held. It keeps the session alive too."""
        name = session_id(request.session)
        _check_epoch(request.owner_epoch)
        owner = await self._store.renew(
            name, request.owner_epoch, self._ttl(request), self._budget(context)
        )
        return pb.RenewCallResponse(owner=owner)

    async def ReleaseCall(
        self, request: pb.ReleaseCallRequest, context: Context
    ) -> pb.ReleaseCallResponse:
        """Give a call up."""
        name = session_id(request.session)
        _check_epoch(request.owner_epoch)
        await self._store.release(name, request.owner_epoch, self._budget(context))
        return pb.ReleaseCallResponse()

    async def GetCallOwner(
        self, request: pb.GetCallOwnerRequest, context: Context
    ) -> pb.GetCallOwnerResponse:
        """Who owns a call, alive or not."""
        name = session_id(request.session)
        session = await self._store.get(name, self._budget(context))
        if not session.HasField("owner"):
            raise MeshError(Reason.CALL_NOT_OWNED, f"no pod owns the call of {session.name}")
        return pb.GetCallOwnerResponse(owner=session.owner)

    def _ttl(self, request: pb.AcquireCallRequest | pb.RenewCallRequest) -> float:
        given = request.ttl if request.HasField("ttl") else None
        return owner_ttl(given, self._settings.owner_seconds)

    def _budget(self, context: Context) -> float:
        return budget(context, self._settings.store_seconds)


def _by_force(takeover: int) -> bool:
    if takeover not in pb.Takeover.values():
        raise invalid("takeover", f"{takeover} is no value of Takeover")
    return takeover == pb.TAKEOVER_ALWAYS


def _check_address(address: str) -> None:
    try:
        split_address(address)
    except ValueError:
        raise invalid("address", "must be host:port of the gateway's internal gRPC") from None


def _check_epoch(epoch: int) -> None:
    if epoch < 1:
        raise invalid("owner_epoch", "must be the epoch that AcquireCall gave")
