"""What is to be known before a claimed tool acts: what was proved, and how the run came out before."""

from __future__ import annotations

from typing import Protocol

from tool_executor.claims import Run, StoredClaims
from tool_executor.outcomes import Outcome
from tool_executor.policy import Verified
from tool_executor.verified import StoredVerifiedRecords


class Known(Protocol):
    """Where both are asked for."""

    async def before(self, session: str, run: Run) -> tuple[Verified, Outcome | None]:
        """What `sessions/{session}` has proved, and the outcome of an earlier request, on whichever
        pod; None if the run is to take place. Raises MeshError: nothing may act then.
        """
        ...


class AskedTogether:
    """Of the session-store, in one request: nearly always it is the first run."""

    def __init__(self, records: StoredVerifiedRecords, claims: StoredClaims) -> None:
        self._records, self._claims = records, claims

    async def before(self, session: str, run: Run) -> tuple[Verified, Outcome | None]:
        """See Known."""
        verified, claim = await self._records.read_with_claim(session, run.request_id)
        return verified, None if claim is None else await self._claims.came_out(run, claim)
