"""Leave to run a tool, from the session-store: the tool acts at most once, whichever pod dies.

A claim is on disk before the body begins, is renewed while it runs, and ends with the outcome. A
pod that is asked for the same run finds the claim: its outcome if there is one, a run to wait for if
it is alive, and if it is dead either leave to run again or an outcome that nobody knows.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from google.protobuf.duration_pb2 import Duration

from meshkit.errors import MeshError, PeerUnreachable, Reason
from meshkit.fleet import Fleet
from meshkit.logging import get_logger
from meshkit.rpc import NO_RETRY, Retry
from tool_executor.outcomes import Outcome, duration, read, refusal, written
from tool_executor.requests import Request
from toolkit import Effect, Tool
from voicemesh.session.v1 import claim_pb2 as pb
from voicemesh.session.v1.claim_pb2_grpc import ToolClaimServiceStub

logger = get_logger("tool_executor.claims")

OUTCOME_UNKNOWN = "OUTCOME_UNKNOWN"
UNKNOWN = (
    "I am sorry, our system broke off while I was doing that, and I do not know whether it was done."
    " I will not repeat it, so that it does not happen twice. I can connect you to a colleague who"
    " can check."
)
RENEWALS = 3
"""Renewals in the life of a claim: two may be lost."""
LATE_SECONDS = 120.0
"""How long an outcome that could not be stored is tried again."""
MAX_LATE = 256
"""Outcomes that wait for the store at once; more are given up."""
_ASK_AGAIN_SECONDS = 0.5
_FIRST_WAIT, _LONGEST_WAIT = 0.25, 5.0
_RETRY = Retry(attempts=3, first_seconds=0.05)
_State = pb.ToolClaim.State


@dataclass(frozen=True, slots=True)
class Run:
    """What is claimed."""

    request_id: str
    fingerprint: str
    """Digest of the tool and its arguments."""
    owner_epoch: int
    rerunnable: bool
    """Whether it may run again where a pod died."""


@dataclass(frozen=True, slots=True)
class Held:
    """A claim that is ours."""

    run: Run
    token: str


class Claims(Protocol):
    """Where claims are kept. All of them raise MeshError: nothing may act then."""

    async def claim(self, run: Run) -> Held | Outcome:
        """Leave to run, or how it came out elsewhere."""
        ...

    def renewed(self, held: Held) -> Any:
        """A block during which the claim is kept alive."""
        ...

    async def complete(self, held: Held, outcome: Outcome) -> Outcome:
        """Store the outcome; the one to answer, which another pod may have stored. Never raises."""
        ...

    async def finish(self, seconds: float) -> None:
        """Wait at most so long for outcomes that are not stored yet."""
        ...


def is_claimed(tool: Tool) -> bool:
    """Whether a run of the tool is claimed: what acts, and what declares it."""
    return tool.effect is Effect.EFFECTFUL or tool.claimed


def run_of(tool: Tool, request: Request) -> Run:
    """The request as a claim names it.

    The fingerprint needs no key: the session's journal, beside which it is kept, has the arguments.
    """
    digest = hashlib.sha256()
    for part in (request.request_id, request.tool, request.arguments_json):
        encoded = part.encode("utf-8", "surrogatepass")
        digest.update(len(encoded).to_bytes(8, "big") + encoded)
    again = tool.effect is not Effect.EFFECTFUL
    return Run(request.request_id, digest.hexdigest(), request.owner_epoch, again)


class StoredClaims:
    """Claims in the session-store, held for `ttl` seconds at a time under the name `holder`.

    `seconds`: what one request may take. `wait`: how long another pod's run is waited for.
    """

    def __init__(
        self, store: Fleet, holder: str, *, seconds: float, ttl: float, wait: float
    ) -> None:
        self._store, self._holder = store, holder
        self._seconds, self._ttl, self._wait = seconds, ttl, wait
        self._late: set[asyncio.Task[None]] = set()

    async def came_out(self, run: Run, claim: pb.ToolClaim) -> Outcome | None:
        """How a run came out whose claim was there already; None if it is to run, as far as is
        known now. Raises TOOL_STILL_RUNNING, REQUEST_ID_REUSED, STORE_UNAVAILABLE."""
        if claim.state == _State.STATE_RUNNING:
            claim = await self._get(run, self._wait)
        if claim.state == _State.STATE_RUNNING and run.rerunnable:
            return None  # dead, or about to be asked for again
        # Asked by claiming, because that compares the arguments and decides about the dead.
        decided = await self._ask_leave(run)
        return None if isinstance(decided, Held) else _decided(decided)

    async def claim(self, run: Run) -> Held | Outcome:
        """See Claims. Raises CALL_OWNER_SUPERSEDED, SESSION_ENDED and what `came_out` raises."""
        answer = await self._ask_leave(run)
        if isinstance(answer, Held):
            return answer
        if answer.state == _State.STATE_RUNNING:
            answer = await self._get(run, self._wait)
        return _decided(answer)

    async def _ask_leave(self, run: Run) -> Held | pb.ToolClaim:
        request = pb.ClaimToolRequest(
            request_id=run.request_id,
            fingerprint=run.fingerprint,
            holder=self._holder,
            owner_epoch=run.owner_epoch,
            rerunnable=run.rerunnable,
            ttl=self._lease(),
            claim_token=secrets.token_hex(16),
        )
        answer = await self._ask("ClaimTool", request, self._seconds)
        claim: pb.ToolClaim = answer.claim
        if answer.claim_token and claim.state == _State.STATE_RUNNING:
            return Held(run, answer.claim_token)
        return claim

    @asynccontextmanager
    async def renewed(self, held: Held) -> AsyncIterator[None]:
        """See Claims. A claim that was lost is told by `complete`: what runs goes on."""
        renewing: set[asyncio.Task[None]] = set()
        begin = asyncio.get_running_loop().call_later(
            self._ttl / RENEWALS,
            lambda: renewing.add(asyncio.create_task(self._renew(held))),
        )  # most tools are done long before the first renewal
        try:
            yield
        finally:
            begin.cancel()
            if renewing:  # gathering nothing costs a turn of the loop
                for task in renewing:
                    task.cancel()
                await asyncio.gather(*renewing, return_exceptions=True)

    async def complete(self, held: Held, outcome: Outcome) -> Outcome:
        """See Claims. While the store is away it is tried again in the background."""
        try:
            await self._store_outcome(held, outcome)
        except MeshError as error:
            if error.is_reason(Reason.CLAIM_LOST):
                return await self._stored_by_another(held, outcome)
            self._store_later(held, outcome, error)
        return outcome

    async def finish(self, seconds: float) -> None:
        """See Claims."""
        if not self._late:
            return
        late = tuple(self._late)
        _, left = await asyncio.wait(late, timeout=seconds)
        for task in left:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    async def _renew(self, held: Held) -> None:
        request = pb.RenewToolClaimRequest(
            request_id=held.run.request_id, claim_token=held.token, ttl=self._lease()
        )
        while True:
            try:
                await self._ask("RenewToolClaim", request, self._seconds)
            except MeshError as error:
                logger.warning("claim not renewed", extra={"reason": error.reason})
                if not _passing(error):
                    return
            await asyncio.sleep(self._ttl / RENEWALS)

    async def _store_outcome(self, held: Held, outcome: Outcome) -> None:
        request = pb.CompleteToolRequest(
            request_id=held.run.request_id, claim_token=held.token, outcome=written(outcome)
        )
        await self._ask("CompleteTool", request, self._seconds)

    async def _stored_by_another(self, held: Held, outcome: Outcome) -> Outcome:
        """What everyone is answered, where it can be read: two answers would be two truths."""
        try:
            claim = await self._get(held.run, self._wait)
            return _decided(claim)
        except MeshError as error:
            logger.warning("claim lost", extra={"reason": error.reason})
            return outcome

    def _store_later(self, held: Held, outcome: Outcome, error: MeshError) -> None:
        logger.error("outcome not stored", extra={"reason": error.reason})
        if not _passing(error) or len(self._late) >= MAX_LATE:
            return
        task = asyncio.create_task(self._keep_storing(held, outcome))
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    async def _keep_storing(self, held: Held, outcome: Outcome) -> None:
        time = asyncio.get_running_loop().time
        until, wait = time() + LATE_SECONDS, _FIRST_WAIT
        while time() < until:
            await asyncio.sleep(wait)
            wait = min(wait * 2, _LONGEST_WAIT)
            try:
                await self._store_outcome(held, outcome)
            except MeshError as error:
                if _passing(error):
                    continue
                logger.error("outcome not stored", extra={"reason": error.reason})
            return
        logger.error("outcome not stored", extra={"reason": "given up"})

    async def _get(self, run: Run, wait: float = 0.0) -> pb.ToolClaim:
        request = pb.GetToolClaimRequest(request_id=run.request_id)
        if wait:
            request.max_wait.CopyFrom(duration(wait))
        # The wait is part of the deadline, of which the server keeps a tenth for its answer.
        answer = await self._ask("GetToolClaim", request, wait * 1.2 + self._seconds)
        claim: pb.ToolClaim = answer.claim
        return claim

    async def _ask(self, method: str, request: Any, timeout: float) -> Any:
        retry = NO_RETRY if method == "RenewToolClaim" else _RETRY
        try:
            return await self._store.unary(
                ToolClaimServiceStub, method, request, timeout=timeout, retry=retry
            )
        except PeerUnreachable as error:
            problem = f"claims cannot be read or written: {error.message}"
            raise MeshError(
                Reason.STORE_UNAVAILABLE, problem, retry_after_seconds=_ASK_AGAIN_SECONDS
            ) from None

    def _lease(self) -> Duration:
        return duration(self._ttl)


def _decided(claim: pb.ToolClaim) -> Outcome:
    """How a run that is not ours came out. Raises TOOL_STILL_RUNNING."""
    if claim.state == _State.STATE_DONE:
        return read(claim.outcome)
    if claim.state == _State.STATE_UNKNOWN:
        return refusal(OUTCOME_UNKNOWN, UNKNOWN)
    raise MeshError(
        Reason.TOOL_STILL_RUNNING,
        f"{claim.holder} runs {claim.request_id}",
        retry_after_seconds=_ASK_AGAIN_SECONDS,
    )


def _passing(error: MeshError) -> bool:
    """Whether the store may take it later."""
    own = ("ARGUMENT_INVALID", "NAME_MALFORMED", "DOCUMENT_TOO_LARGE", "CLAIM_LOST")
    gone = ("SESSION_NOT_FOUND", "CLAIM_NOT_FOUND")
    return error.reason not in own + gone
