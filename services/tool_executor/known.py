"""What is to be known before a claimed tool acts: what was proved, and how the run came out before."""

from __future__ import annotations

import asyncio
from typing import Protocol

from tool_executor.claims import Claims, Run, StoredClaims
from tool_executor.outcomes import Outcome
from tool_executor.policy import Verified
from tool_executor.verified import StoredVerifiedRecords, VerifiedRecords


class Known(Protocol):
    """Where both are asked for."""

    async def before(self, session: str, run: Run) -> tuple[Verified, Outcome | None]:
        """What `sessions/{session}` has proved, and the outcome of an earlier request, on whichever
        pod; None if the run is to take place. Raises MeshError: nothing may act then.
        """
        ...


class AskedApart:
    """Two requests at a time, of whatever keeps them."""

    def __init__(self, records: VerifiedRecords, claims: Claims) -> None:
        self._records, self._claims = records, claims

    async def before(self, session: str, run: Run) -> tuple[Verified, Outcome | None]:
        """See Known."""
        return await asyncio.gather(self._records.read(session), self._claims.earlier(run))


class AskedTogether:
    """One request of the session-store, for what nearly always is the first run."""

    def __init__(self, records: StoredVerifiedRecords, claims: StoredClaims) -> None:
        self._records, self._claims = records, claims

    async def before(self, session: str, run: Run) -> tuple[Verified, Outcome | None]:
        """See Known."""
        verified, claim = await self._records.read_with_claim(session, run.request_id)
        return verified, None if claim is None else await self._claims.came_out(run, claim)
