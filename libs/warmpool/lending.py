"""LendingPool: a WarmPool for holders of clients rather than of leases.

Such a holder keeps the client itself, so nothing pins its lease and nothing stops it from using the
client after giving it back. `seed.py` is built on it.
"""

from __future__ import annotations

from typing import TypeVar

from .holding import Grant
from .lease import AllocationTier
from .pool import WarmPool

T = TypeVar("T")


class LendingPool(WarmPool[T]):
    """Lends and takes back clients by session. For a pool with a single stock."""

    def grab(self, session: str) -> tuple[T, AllocationTier] | None:
        """Allocate and borrow in one step, if that takes no wait: the session's own client, or an
        idle one that needs no check. None: ask `allocate`. Raises PoolClosed, PoolDraining.
        """
        now = self._clock()
        shelf = self._only or self._shelf(session, None)
        if session not in shelf.held and shelf.follows_demand and shelf.demand.arrived(now):
            self._ledger.todo = True
        found = self._requests.at_once(shelf, session, self._default_ttl, now)
        if self._ledger.todo:
            self._crew.settle()
        if found is None:
            return None
        grant, tier = found
        grant.untouched = False
        grant.used = True
        if self._observed:
            self._crew.tell(self._observer.allocated, grant.view(tier, 0.0), shelf.name)
        return grant.slot.client, tier  # type: ignore[return-value,union-attr]

    async def release_held(
        self, session: str, client: T | None = None, *, discard: bool = False
    ) -> bool:
        """Release what the session holds. False if that is nothing, or not this very client."""
        grant = self._shelf(session, None).held.get(session)
        if not isinstance(grant, Grant):
            return False
        if client is not None and (grant.slot is None or grant.slot.client is not client):
            return False
        await self.release(grant.lease_id, discard=discard)
        return True
