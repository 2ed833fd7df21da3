"""SessionStoreService over the wire: checks a request, runs the operation, answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meshkit.errors import invalid
from meshkit.names import parse_tool_request_id, session_id, verified_session_id
from session_store.budgets import budget, session_ttl
from session_store.changes import checked_id, checked_session_id, masked_change, new_session
from session_store.paging import SESSIONS, page_size, place_of, token_of
from session_store.settings import SessionStoreSettings
from session_store.store import SessionStore
from voicemesh.session.v1 import session_store_pb2 as pb
from voicemesh.session.v1.journal_event_pb2 import VerifiedRecord
from voicemesh.session.v1.session_store_pb2_grpc import SessionStoreServiceServicer

if TYPE_CHECKING:
    import grpc

    Context = grpc.aio.ServicerContext[Any, Any]

MAX_PROOFS = 64
"""Most proofs of a verified record."""


class SessionServicer(SessionStoreServiceServicer):
    """Sessions and their verified records.

    That only the tool-executor may write a verified record is a matter of caller identity, which
    the mesh does not carry yet: until it does, whoever reaches this port can.
    """

    def __init__(self, store: SessionStore, settings: SessionStoreSettings) -> None:
        self._store, self._settings = store, settings

    async def CreateSession(
        self, request: pb.CreateSessionRequest, context: Context
    ) -> pb.CreateSessionResponse:
        """Start a session, or return the one that this request_id started."""
        request_id = checked_id(request.request_id, "request_id")
        name = checked_session_id(request.session_id, request_id)
        change = new_session(request.session)
        given = request.ttl if request.HasField("ttl") else None
        ttl = session_ttl(given, self._settings.session_seconds)
        session = await self._store.create(name, change, request_id, ttl, self._budget(context))
        return pb.CreateSessionResponse(session=session)

    async def GetSession(
        self, request: pb.GetSessionRequest, context: Context
    ) -> pb.GetSessionResponse:
        """Read a session. Reading does not prolong its life."""
        name = session_id(request.name, "name")
        return pb.GetSessionResponse(session=await self._store.get(name, self._budget(context)))

    async def ListSessions(
        self, request: pb.ListSessionsRequest, context: Context
    ) -> pb.ListSessionsResponse:
        """A page of the live sessions."""
        checked_id(request.tenant, "tenant", 128) if request.tenant else None
        place, size = place_of(request.page_token), page_size(request.page_size, SESSIONS)
        listed = await self._store.list(request.tenant, place, size, self._budget(context))
        token = token_of(listed.following) if listed.following else ""
        return pb.ListSessionsResponse(sessions=listed.sessions, next_page_token=token)

    async def UpdateSession(
        self, request: pb.UpdateSessionRequest, context: Context
    ) -> pb.UpdateSessionResponse:
        """Write the masked fields."""
        session = request.session
        name = session_id(session.name, "session.name")
        change = masked_change(session, request.update_mask.paths)
        session = await self._store.update(
            name, change, session.etag, request.owner_epoch, self._budget(context)
        )
        return pb.UpdateSessionResponse(session=session)

    async def DeleteSession(
        self, request: pb.DeleteSessionRequest, context: Context
    ) -> pb.DeleteSessionResponse:
        """End a session."""
        name = session_id(request.name, "name")
        reason = checked_id(request.reason or "deleted", "reason", 100)
        await self._store.delete(name, reason, request.owner_epoch, self._budget(context))
        return pb.DeleteSessionResponse()

    async def GetVerified(
        self, request: pb.GetVerifiedRequest, context: Context
    ) -> pb.GetVerifiedResponse:
        """Read what the session has proved, and a claim with it if asked to."""
        name = verified_session_id(request.name)
        run = parse_tool_request_id(request.request_id) if request.request_id else None
        if run and run.session != name:
            raise invalid("request_id", "is of another session")
        verified, claim = await self._store.get_verified(name, self._budget(context), run)
        return pb.GetVerifiedResponse(verified=verified, claim=claim)

    async def SetVerified(
        self, request: pb.SetVerifiedRequest, context: Context
    ) -> pb.SetVerifiedResponse:
        """Replace the verified record; on disk before it answers."""
        verified = request.verified
        name = verified_session_id(verified.name, "verified.name")
        _check_proofs(verified)
        kept = await self._store.set_verified(name, verified, self._budget(context))
        return pb.SetVerifiedResponse(verified=kept)

    def _budget(self, context: Context) -> float:
        return budget(context, self._settings.store_seconds)


def _check_proofs(verified: VerifiedRecord) -> None:
    checked_id(verified.client_id, "verified.client_id") if verified.client_id else None
    if len(verified.proofs) > MAX_PROOFS:
        raise invalid("verified.proofs", f"at most {MAX_PROOFS}")
    for index, proof in enumerate(verified.proofs):
        checked_id(proof.level, f"verified.proofs[{index}].level")
        checked_id(proof.request_id, f"verified.proofs[{index}].request_id", 500)
