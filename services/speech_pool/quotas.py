"""The provider's limits, shared by all pods: a token is taken from the session-store for each lease.

So that the 101st call is refused in words before the provider throttles everyone. A token is taken
before a lease is granted, renewed while the pod lives, and given back when the lease ends, however it
ends. A pod that dies gives back by not renewing. While the store does not answer, leases are granted
without a token: the pool's own bound still holds, and a call is worth more than the count.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from itertools import count
from typing import Any

from meshkit.errors import MeshError, PeerUnreachable, Reason
from meshkit.fleet import Fleet
from meshkit.logging import get_logger
from voicemesh.session.v1 import claim_pb2 as pb
from voicemesh.session.v1.claim_pb2_grpc import QuotaServiceStub
from warmpool import Lease, PoolObserver

logger = get_logger("speech_pool.quotas")

STORE_SECONDS = 0.5
RENEW_SECONDS = 15.0
MAX_BATCH = 256

_ABSENT = (Reason.STORE_UNAVAILABLE, Reason.STORE_FULL)


class Quotas:
    """The tokens of this pod. `names`: pool's name (`recognizer`) to quota (`quotas/{quota}`).

    `holder` names the pod, differently at each start, so that a restarted pod does not renew what the
    one before it had. `run` is a task for as long as the pod serves.
    """

    def __init__(self, store: Fleet, holder: str, names: Mapping[str, str]) -> None:
        self._store = store
        self._holder = holder
        self._names = names
        self._numbers = count(1)
        self._held: dict[tuple[str, str], str] = {}
        self._ended: set[str] = set()
        self._wanted = asyncio.Event()

    def observer(self, pool: str) -> PoolObserver:
        """To be told by a pool when its leases end."""
        return _Releases(self, pool)

    async def counted(self, pool: str, session: str, granting: Coroutine[Any, Any, Lease]) -> Lease:
        """The lease that `granting` gives, once there is a token for it; one that the session holds
        already will do. If no lease comes of it, the token is given back. Raises QUOTA_EXHAUSTED."""
        new = False
        try:
            new = await self._take(pool, session)
            return await granting
        except BaseException:
            if new:
                self.give_back(pool, session)
            raise
        finally:
            granting.close()  # it was not begun if there was no token

    async def _take(self, pool: str, session: str) -> bool:
        quota = self._names.get(pool)
        if not quota or (pool, session) in self._held:
            return False
        token = f"{self._holder}/{pool}/{next(self._numbers)}"
        self._held[pool, session] = token
        demand = pb.QuotaDemand(quota=quota, amount=1)
        request = pb.TakeQuotasRequest(request_id=token, holder=self._holder, demands=[demand])
        try:
            await self._store.unary(QuotaServiceStub, "TakeQuotas", request, timeout=STORE_SECONDS)
        except MeshError as error:
            self._not_taken(pool, session, error)
        except BaseException:  # cancelled: whether it was taken nobody knows
            self.give_back(pool, session)
            raise
        return True

    def give_back(self, pool: str, session: str) -> None:
        """The session's lease ended, or was not granted. Never waits; `run` tells the store."""
        token = self._held.pop((pool, session), None)
        if token is not None:
            self._ended.add(token)
            self._wanted.set()

    async def run(self) -> None:
        """Renew what is held, give back what ended, until cancelled."""
        while True:
            try:
                async with asyncio.timeout(RENEW_SECONDS):
                    await self._wanted.wait()
            except TimeoutError:
                await self._renew()
                continue
            self._wanted.clear()
            await self.settle()

    async def settle(self) -> None:
        """Give back what ended. What cannot be told now is told later, or comes back unrenewed."""
        batch = list(self._ended)[:MAX_BATCH]
        if batch and await self._told(
            "GiveBackQuotas", pb.GiveBackQuotasRequest(request_ids=batch)
        ):
            self._ended.difference_update(batch)
            if self._ended:
                self._wanted.set()

    async def _renew(self) -> None:
        if self._held:
            await self._told("RenewQuotas", pb.RenewQuotasRequest(holder=self._holder))
        if self._ended:
            self._wanted.set()

    def _not_taken(self, pool: str, session: str, error: MeshError) -> None:
        if isinstance(error, PeerUnreachable) or error.is_reason(*_ABSENT):
            # It may have been taken all the same, so it is given back like any other.
            logger.warning("lease granted without a quota", extra={"pool": pool})
            return
        self._held.pop((pool, session), None)
        raise error

    async def _told(self, method: str, request: object) -> bool:
        try:
            await self._store.unary(QuotaServiceStub, method, request, timeout=STORE_SECONDS)
        except MeshError as error:
            logger.warning("quotas not told", extra={"method": method, "reason": error.reason})
            return False
        return True


class _Releases(PoolObserver):
    """Gives a session's token back when its lease ends."""

    def __init__(self, quotas: Quotas, pool: str) -> None:
        self._quotas = quotas
        self._pool = pool

    def released(self, session: str, held_seconds: float, stock: str) -> None:
        """A lease ended: given back, expired, or the pool closed."""
        self._quotas.give_back(self._pool, session)
