"""Claims on tool runs: a tool acts at most once, whichever pod dies."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from meshkit.names import ToolRun, tool_request_id
from session_store.records import claim_of, event_body, run_field
from session_store.runner import ScriptRunner, milliseconds
from session_store.watches import SessionWatches
from voicemesh.session.v1.claim_pb2 import ToolClaim
from voicemesh.session.v1.journal_event_pb2 import JournalEvent, ToolAnswered
from voicemesh.tools.v1.outcome_pb2 import ToolOutcome

MAX_CLAIMS = 2000
"""Most tool runs of one session."""
_FIELDS = 6


@dataclass(frozen=True, slots=True)
class Claimant:
    """Who asks for leave to run, and on what terms."""

    fingerprint: str
    holder: str
    epoch: int
    rerunnable: bool
    ttl: float
    token: str = ""
    """What the claim is to be known by, so that asking again is safe; made here if empty."""


@dataclass(frozen=True, slots=True)
class SeenClaim:
    """A claim as it was when it was read."""

    claim: ToolClaim
    seconds_left: float
    """Until it counts as dead, by the server's clock; negative once it does."""
    token: str = ""
    """Set if it was granted by this very request."""

    @property
    def undecided(self) -> bool:
        """Whether it runs and is alive."""
        return self.claim.state == ToolClaim.STATE_RUNNING and self.seconds_left > 0


class ToolClaims:
    """The operations on claims; claims and outcomes are kept before they are answered."""

    def __init__(self, runner: ScriptRunner, watches: SessionWatches) -> None:
        self._run = runner.run
        self._watches = watches

    async def claim(self, run: ToolRun, claimant: Claimant, timeout: float) -> SeenClaim:
        """Ask for leave to run a tool."""
        token = claimant.token or secrets.token_hex(16)
        args = (
            run_field(run),
            claimant.fingerprint,
            claimant.holder,
            claimant.epoch,
            int(claimant.rerunnable),
            milliseconds(claimant.ttl),
            token,
            MAX_CLAIMS * _FIELDS,
        )
        reply = await self._run("claim_tool", run.session, args, timeout=timeout, durable=True)
        return _seen(run, reply, token)

    async def renew(self, run: ToolRun, token: str, ttl: float, timeout: float) -> None:
        """Keep a claim alive."""
        args = (run_field(run), token, milliseconds(ttl))
        await self._run("renew_claim", run.session, args, timeout=timeout)

    async def complete(
        self, run: ToolRun, token: str, outcome: ToolOutcome, timeout: float
    ) -> None:
        """Store the outcome and journal it."""
        name = tool_request_id(*run)
        answered = JournalEvent(tool=ToolAnswered(request_id=name, outcome=outcome))
        event_id = f"{run.turn}/r{run.round}/{run.ordinal}"
        body = outcome.SerializeToString(deterministic=True)
        args = (run_field(run), token, body, event_id, event_body(answered))
        await self._run("complete_tool", run.session, args, timeout=timeout, durable=True)

    async def get(self, run: ToolRun, timeout: float) -> SeenClaim:
        """The claim as it stands."""
        reply = await self._run("get_claim", run.session, [run_field(run)], timeout=timeout)
        return _seen(run, reply)

    async def wait(self, run: ToolRun, max_wait: float, timeout: float) -> SeenClaim:
        """The claim once it has ended or died, or after `max_wait` seconds."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + max_wait
        async with self._watches.feed(run.session) as feed:
            while True:
                seen = await self.get(run, timeout)
                left = min(deadline - loop.time(), seen.seconds_left)
                if not seen.undecided or left <= 0:
                    return seen
                await feed.next(left)


def _seen(run: ToolRun, reply: Sequence[Any], token: str = "") -> SeenClaim:
    *told, left, granted = reply
    return SeenClaim(claim_of(run, told), left / 1000, token if granted else "")
