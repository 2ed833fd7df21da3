"""ErasureService over the wire: checks a request, erases while the caller's deadline allows."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from session_store.budgets import budget
from session_store.changes import checked_id
from session_store.erasure import ErasureRequest, Erasures
from voicemesh.session.v1 import erasure_pb2 as pb
from voicemesh.session.v1.erasure_pb2_grpc import ErasureServiceServicer

if TYPE_CHECKING:
    import grpc

    Context = grpc.aio.ServicerContext[Any, Any]

MAX_SECONDS = 60.0
SHARE = 0.5
"""Of the deadline; a batch that was begun is finished in the rest."""


class ErasureServicer(ErasureServiceServicer):
    """Forgets people."""

    def __init__(self, erasures: Erasures) -> None:
        self._erasures = erasures

    async def ErasePerson(
        self, request: pb.ErasePersonRequest, context: Context
    ) -> pb.ErasePersonResponse:
        """Erase a person, or a part of what there is of them."""
        asked = ErasureRequest(
            client_id=checked_id(request.client_id, "client_id"),
            request_id=checked_id(request.request_id, "request_id"),
            requester=checked_id(request.requester, "requester"),
            reason=checked_id(request.reason, "reason"),
        )
        now = asyncio.get_running_loop().time
        until = now() + SHARE * budget(context, MAX_SECONDS)
        erased = await self._erasures.erase(asked, lambda: now() < until)
        return pb.ErasePersonResponse(done=erased.done, erased_session_count=erased.sessions)
