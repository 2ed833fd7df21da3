"""SpeechPoolService: leases on the pod's clients. Proto in, pool, proto out; no rules of its own."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from meshkit.errors import MeshError, Reason, invalid
from meshkit.names import lease_name, parse_lease, session_id
from speech_pool.pools import POOL_FAILURES, Pools, raising, reason_of
from speech_pool.running import RunningStreams
from speech_pool.statistics import pool_stats, watch_pools
from speech_pool.tiers import TIER_NUMBERS, TIERS
from voicemesh.speech.v1 import speech_pool_pb2 as pb
from voicemesh.speech.v1 import speech_pool_pb2_grpc
from warmpool import AllocationTier, Lease

if TYPE_CHECKING:
    import grpc
    from google.protobuf.duration_pb2 import Duration
    from google.protobuf.timestamp_pb2 import Timestamp

    Context = grpc.aio.ServicerContext[Any, Any]

MIN_TTL_SECONDS = 1.0
MAX_TTL_SECONDS = 600.0
ANSWER_MARGIN_SECONDS = 0.05
"""Of the caller's deadline, kept for the answer to travel."""


class LeaseServicer(speech_pool_pb2_grpc.SpeechPoolServiceServicer):
    """The leases of this pod; `address` tells where it is reached, once that is known.

    AllocateClient is on the way to a call's first word, and is asked again for each stream. Code that
    runs once in a while costs a multiple of what it does in a loop, so its path is short: answers are
    filled in place (messages put into messages are copied), and nothing is wrapped around what raises.
    """

    def __init__(
        self,
        pools: Pools,
        running: RunningStreams,
        address: Callable[[], str],
        heartbeat_seconds: float,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """`wall`: seconds since 1970, for the times that leave the pod."""
        self._pools = pools
        self._running = running
        self._address = functools.cache(address)  # requests ask, so it is known
        self._heartbeat = heartbeat_seconds
        self._wall = wall

    async def AllocateClient(
        self, request: pb.AllocateClientRequest, context: Context
    ) -> pb.AllocateClientResponse:
        """Grant a lease, waiting for a client as long as the request allows."""
        session = session_id(request.session)
        pools = self._pools
        pool = pools.of_kind(request.client_kind)
        request_id = request.request_id
        if not request_id:
            raise invalid(
                "request_id", "is required; random per allocation, the same on its retries"
            )
        ttl = _ttl(request) if request.HasField("ttl") else None
        max_wait = _max_wait(request) if request.HasField("max_wait") else None
        allowed = _allowed(request) if request.allowed_tiers else None
        left = context.time_remaining()
        deadline = None if left is None else pools.clock() + left - ANSWER_MARGIN_SECONDS
        granting = pool.allocate(session, request_id, allowed, ttl, max_wait, deadline=deadline)
        try:
            lease = await pools.counted(pool, session, granting)
        except POOL_FAILURES as error:
            raise reason_of(error) from None
        response = pb.AllocateClientResponse()
        self._fill(response.lease, lease, request.client_kind)
        if lease.allocation_seconds:
            _set(response.allocation_duration, lease.allocation_seconds)
        else:
            response.allocation_duration.SetInParent()
        return response

    async def RenewLease(
        self, request: pb.RenewLeaseRequest, context: Context
    ) -> pb.RenewLeaseResponse:
        """Move the lease's expiry to its time to live from now."""
        name = parse_lease(request.name)
        kind, pool = self._pools.holding(name.lease)
        with raising():
            ttl = _ttl(request) if request.HasField("ttl") else None
            lease = pool.renew(name.lease, ttl, session=name.session)
        response = pb.RenewLeaseResponse()
        self._fill(response.lease, lease, kind)
        return response

    async def ReleaseLease(
        self, request: pb.ReleaseLeaseRequest, context: Context
    ) -> pb.ReleaseLeaseResponse:
        """End the lease and any stream on it; releasing what is gone succeeds."""
        name = parse_lease(request.name)
        try:
            _, pool = self._pools.holding(name.lease)
        except MeshError:
            return pb.ReleaseLeaseResponse()
        with raising():
            pool.lookup(name.lease, session=name.session)
        await self._running.end(name.lease)
        with raising():
            await pool.release(name.lease, session=name.session, discard=request.discard)
        return pb.ReleaseLeaseResponse()

    async def GetPoolStats(
        self, request: pb.GetPoolStatsRequest, context: Context
    ) -> pb.GetPoolStatsResponse:
        """The pools at this instant."""
        return pool_stats(self._pools)

    async def WatchPools(self, request: pb.WatchPoolsRequest, context: Context) -> None:
        """The pools as they change, with the pod's load in the heartbeats between."""
        await watch_pools(self._pools, request, context, self._heartbeat)

    def _fill(self, told: pb.Lease, lease: Lease, kind: pb.ClientKind) -> None:
        told.name = lease_name(lease.session, lease.lease_id)
        told.client_kind = kind
        told.tier = TIER_NUMBERS[lease.tier]
        told.address = self._address()
        _set(told.expire_time, self._wall() + lease.expires_at - self._pools.clock())


def _allowed(request: pb.AllocateClientRequest) -> frozenset[AllocationTier]:
    unknown = [tier for tier in request.allowed_tiers if tier not in TIERS]
    if unknown:
        raise invalid("allowed_tiers", "holds a tier that is not DEDICATED, WARM or COLD")
    return frozenset(TIERS[tier] for tier in request.allowed_tiers)


def _ttl(request: pb.AllocateClientRequest | pb.RenewLeaseRequest) -> float:
    seconds = request.ttl.ToTimedelta().total_seconds()
    if not MIN_TTL_SECONDS <= seconds <= MAX_TTL_SECONDS:
        raise invalid("ttl", "must be 1 s to 10 min", Reason.TTL_OUT_OF_RANGE)
    return seconds


def _max_wait(request: pb.AllocateClientRequest) -> float:
    seconds = request.max_wait.ToTimedelta().total_seconds()
    if seconds < 0:
        raise invalid("max_wait", "must not be negative")
    return seconds


def _set(told: Duration | Timestamp, seconds: float) -> None:
    told.seconds = whole = int(seconds)
    told.nanos = int((seconds - whole) * 1e9)
