"""ToolClaimService over the wire: checks a request, runs the operation, answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meshkit.errors import MeshError, Reason, invalid
from meshkit.names import parse_tool_request_id
from session_store.budgets import budget, owner_ttl
from session_store.changes import MAX_DOCUMENT_BYTES, checked_id
from session_store.claims import Claimant, ToolClaims
from session_store.settings import SessionStoreSettings
from voicemesh.session.v1 import claim_pb2 as pb
from voicemesh.session.v1.claim_pb2_grpc import ToolClaimServiceServicer
from voicemesh.tools.v1.outcome_pb2 import ToolOutcome

if TYPE_CHECKING:
    import grpc

    Context = grpc.aio.ServicerContext[Any, Any]

MAX_WAIT_SECONDS = 60.0
"""Longest that GetToolClaim waits."""


class ClaimServicer(ToolClaimServiceServicer):
    """Leave to run tools. For the tool-executor; see SessionServicer on who is let in."""

    def __init__(self, claims: ToolClaims, settings: SessionStoreSettings) -> None:
        self._claims, self._settings = claims, settings

    async def ClaimTool(
        self, request: pb.ClaimToolRequest, context: Context
    ) -> pb.ClaimToolResponse:
        """Ask for leave to run; on disk before it answers."""
        run = parse_tool_request_id(request.request_id)
        claimant = Claimant(
            fingerprint=checked_id(request.fingerprint, "fingerprint"),
            holder=checked_id(request.holder, "holder"),
            epoch=request.owner_epoch,
            rerunnable=request.rerunnable,
            ttl=self._ttl(request),
            token=request.claim_token and checked_id(request.claim_token, "claim_token"),
        )
        seen = await self._claims.claim(run, claimant, self._budget(context))
        return pb.ClaimToolResponse(claim=seen.claim, claim_token=seen.token)

    async def RenewToolClaim(
        self, request: pb.RenewToolClaimRequest, context: Context
    ) -> pb.RenewToolClaimResponse:
        """Keep a claim alive while its tool runs."""
        run = parse_tool_request_id(request.request_id)
        token = checked_id(request.claim_token, "claim_token")
        await self._claims.renew(run, token, self._ttl(request), self._budget(context))
        return pb.RenewToolClaimResponse()

    async def CompleteTool(
        self, request: pb.CompleteToolRequest, context: Context
    ) -> pb.CompleteToolResponse:
        """Store the outcome; on disk before it answers."""
        run = parse_tool_request_id(request.request_id)
        token = checked_id(request.claim_token, "claim_token")
        _check_outcome(request.outcome)
        await self._claims.complete(run, token, request.outcome, self._budget(context))
        return pb.CompleteToolResponse()

    async def GetToolClaim(
        self, request: pb.GetToolClaimRequest, context: Context
    ) -> pb.GetToolClaimResponse:
        """Read a claim, waiting for its end if asked to."""
        run = parse_tool_request_id(request.request_id)
        left = self._budget(context)
        wait = request.max_wait.ToTimedelta().total_seconds()
        if not 0 <= wait <= MAX_WAIT_SECONDS:
            raise invalid("max_wait", f"must be 0 to {MAX_WAIT_SECONDS:g} s")
        if wait:
            seen = await self._claims.wait(run, budget(context, wait), left)
        else:
            seen = await self._claims.get(run, left)
        return pb.GetToolClaimResponse(claim=seen.claim)

    def _ttl(self, request: pb.ClaimToolRequest | pb.RenewToolClaimRequest) -> float:
        given = request.ttl if request.HasField("ttl") else None
        return owner_ttl(given, self._settings.claim_seconds)

    def _budget(self, context: Context) -> float:
        return budget(context, self._settings.store_seconds)


def _check_outcome(outcome: ToolOutcome) -> None:
    if outcome.WhichOneof("outcome") is None:
        raise invalid("outcome", "says neither result nor failure")
    size = outcome.ByteSize()
    if size > MAX_DOCUMENT_BYTES:
        problem = f"{size} bytes; at most {MAX_DOCUMENT_BYTES}"
        raise MeshError(
            Reason.DOCUMENT_TOO_LARGE, f"outcome: {problem}", fields={"outcome": problem}
        )
