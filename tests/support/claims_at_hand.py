"""Claims in memory, for what is not about claims: everything is granted, nothing is kept."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field

from meshkit.errors import MeshError
from tool_executor.claims import Held, Run
from tool_executor.outcomes import Outcome
from tool_executor.policy import Verified
from tool_executor.verified import VerifiedRecords


@dataclass
class ClaimsAtHand:
    """`known` are outcomes of before; `refuse` is raised instead of granting."""

    known: dict[str, Outcome] = field(default_factory=dict)
    refuse: MeshError | None = None
    claimed: list[Run] = field(default_factory=list)
    completed: list[Outcome] = field(default_factory=list)

    async def earlier(self, run: Run) -> Outcome | None:
        return self.known.get(run.request_id)

    async def claim(self, run: Run) -> Held | Outcome:
        if self.refuse is not None:
            raise self.refuse
        self.claimed.append(run)
        return Held(run, "token")

    def renewed(self, held: Held) -> AbstractAsyncContextManager[None]:
        return nullcontext()

    async def complete(self, held: Held, outcome: Outcome) -> Outcome:
        self.completed.append(outcome)
        return outcome

    async def finish(self, seconds: float) -> None:
        return None


@dataclass
class KnownAtHand:
    """What is known before a claimed tool acts, of records and claims apart."""

    records: VerifiedRecords
    claims: ClaimsAtHand

    async def before(self, session: str, run: Run) -> tuple[Verified, Outcome | None]:
        return await asyncio.gather(self.records.read(session), self.claims.earlier(run))
