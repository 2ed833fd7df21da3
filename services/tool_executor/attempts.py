"""Unsuccessful runs of a tool in a session, counted across pods and restarts.

A caller who guesses is not to begin anew because a pod died or the next request went to another. A
run counts from before its body, and no longer once it succeeded.
"""

from __future__ import annotations

from typing import Any, Protocol

from meshkit.errors import MeshError, PeerUnreachable, Reason
from meshkit.fleet import Fleet
from meshkit.logging import get_logger
from meshkit.rpc import Retry
from tool_executor.requests import Request
from toolkit import Tool
from voicemesh.session.v1 import policy_counter_pb2 as pb
from voicemesh.session.v1.policy_counter_pb2_grpc import PolicyCounterServiceStub

logger = get_logger("tool_executor.attempts")

_RETRY = Retry(attempts=3, first_seconds=0.05)
_ASK_AGAIN_SECONDS = 0.5


class Attempts(Protocol):
    """Where unsuccessful runs are counted."""

    async def begin(self, tool: Tool, request: Request) -> bool:
        """Count a run before it begins; whether it may. Raises MeshError: nothing may run then."""
        ...

    async def succeeded(self, tool: Tool, request: Request) -> None:
        """The run was successful, and counts no more. Never raises."""
        ...


class CountedHere:
    """No more than this pod's ledger, which is asked in any case."""

    async def begin(self, tool: Tool, request: Request) -> bool:
        """It may."""
        return True

    async def succeeded(self, tool: Tool, request: Request) -> None:
        """Nothing to do."""


class StoredAttempts:
    """Those of the session-store's policy counters; a request takes `seconds` at most."""

    def __init__(self, store: Fleet, *, seconds: float) -> None:
        self._store, self._seconds = store, seconds

    async def begin(self, tool: Tool, request: Request) -> bool:
        """See Attempts; asks nothing for a tool without a limit. Raises STORE_UNAVAILABLE."""
        most = tool.policy.attempts
        if most is None:
            return True
        counter = pb.PolicyCounter(
            counter=f"{tool.name}/attempts",
            window=pb.PolicyCounter.WINDOW_CALL,
            amount=1,
            most=most,
        )
        asked = pb.ReservePolicyCountersRequest(
            request_id=request.request_id, subject=_subject(request), counters=[counter]
        )
        return bool((await self._ask("ReservePolicyCounters", asked)).granted)

    async def succeeded(self, tool: Tool, request: Request) -> None:
        """See Attempts. If that cannot be written, the run counts as one that was not successful."""
        if tool.policy.attempts is None:
            return
        asked = pb.GiveBackPolicyCountersRequest(
            request_id=request.request_id, subject=_subject(request)
        )
        try:
            await self._ask("GiveBackPolicyCounters", asked)
        except MeshError as error:
            logger.warning("attempt not given back", extra={"reason": error.reason})

    async def _ask(self, method: str, request: Any) -> Any:
        try:
            return await self._store.unary(
                PolicyCounterServiceStub, method, request, timeout=self._seconds, retry=_RETRY
            )
        except PeerUnreachable as error:
            problem = f"attempts cannot be counted: {error.message}"
            raise MeshError(
                Reason.STORE_UNAVAILABLE, problem, retry_after_seconds=_ASK_AGAIN_SECONDS
            ) from None


def _subject(request: Request) -> str:
    """Apart from what limits count under the session: a run is counted once under a subject."""
    return f"{request.session}/attempts"
