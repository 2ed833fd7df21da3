"""QuotaService over the wire: checks a request, runs the operation, answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from meshkit.errors import invalid
from meshkit.names import resource_id
from session_store.budgets import budget, owner_ttl
from session_store.changes import checked_id
from session_store.quotas import Quotas
from session_store.settings import SessionStoreSettings
from voicemesh.session.v1 import claim_pb2 as pb
from voicemesh.session.v1.claim_pb2_grpc import QuotaServiceServicer

if TYPE_CHECKING:
    import grpc

    Context = grpc.aio.ServicerContext[Any, Any]

MAX_DEMANDS = 16
MAX_RETURNS = 256
MAX_AMOUNT = 1_000_000


class QuotaServicer(QuotaServiceServicer):
    """What the whole fleet shares."""

    def __init__(self, quotas: Quotas, settings: SessionStoreSettings) -> None:
        self._quotas, self._settings = quotas, settings

    async def TakeQuotas(
        self, request: pb.TakeQuotasRequest, context: Context
    ) -> pb.TakeQuotasResponse:
        """Take all of the demands or none."""
        request_id = checked_id(request.request_id, "request_id")
        holder = checked_id(request.holder, "holder")
        demands = _demands(request.demands)
        ttl, left = self._ttl(request), self._budget(context)
        await self._quotas.take(request_id, holder, demands, ttl, left)
        return pb.TakeQuotasResponse()

    async def GiveBackQuotas(
        self, request: pb.GiveBackQuotasRequest, context: Context
    ) -> pb.GiveBackQuotasResponse:
        """Give back what requests hold."""
        if not 0 < len(request.request_ids) <= MAX_RETURNS:
            raise invalid("request_ids", f"must be 1 to {MAX_RETURNS}")
        await self._quotas.give_back(request.request_ids, self._budget(context))
        return pb.GiveBackQuotasResponse()

    async def RenewQuotas(
        self, request: pb.RenewQuotasRequest, context: Context
    ) -> pb.RenewQuotasResponse:
        """Keep all that a holder took."""
        holder = checked_id(request.holder, "holder")
        await self._quotas.renew(holder, self._ttl(request), self._budget(context))
        return pb.RenewQuotasResponse()

    def _ttl(self, request: pb.TakeQuotasRequest | pb.RenewQuotasRequest) -> float:
        given = request.ttl if request.HasField("ttl") else None
        return owner_ttl(given, self._settings.quota_seconds)

    def _budget(self, context: Context) -> float:
        return budget(context, self._settings.store_seconds)


def _demands(given: Sequence[pb.QuotaDemand]) -> Counter[str]:
    """Quota to amount, each quota once."""
    if not 0 < len(given) <= MAX_DEMANDS:
        raise invalid("demands", f"must be 1 to {MAX_DEMANDS}")
    demands: Counter[str] = Counter()
    for index, demand in enumerate(given):
        if not 0 < demand.amount <= MAX_AMOUNT:
            raise invalid(f"demands[{index}].amount", f"must be 1 to {MAX_AMOUNT}")
        demands[resource_id("quotas", demand.quota, f"demands[{index}].quota")] += demand.amount
    return demands
