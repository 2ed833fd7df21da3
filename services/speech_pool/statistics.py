"""The pod's pools as numbers: at one instant, and as they change."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from meshkit.errors import invalid
from meshkit.streams import ServerStream
from speech_pool.pools import Pools
from speech_pool.tiers import TIER_NUMBERS
from voicemesh.mesh.v1.mesh_pb2 import PodLoad
from voicemesh.speech.v1 import speech_pool_pb2 as pb
from warmpool import PoolStats

if TYPE_CHECKING:
    import grpc

    Context = grpc.aio.ServicerContext[Any, Any]

MIN_INTERVAL_SECONDS = 0.1
MAX_INTERVAL_SECONDS = 60.0
DEFAULT_INTERVAL_SECONDS = 1.0

_BREAKERS = {
    "closed": pb.BREAKER_STATE_CLOSED,
    "open": pb.BREAKER_STATE_OPEN,
    "half_open": pb.BREAKER_STATE_HALF_OPEN,
}


def pool_stats(pools: Pools) -> pb.GetPoolStatsResponse:
    """All pools at this instant."""
    return pb.GetPoolStatsResponse(pools=[_stats(k, pool.stats()) for k, pool in pools.items()])


def pod_load(pools: Pools) -> PodLoad:
    """Leased over maximum, all kinds together."""
    stats = [pool.stats() for _, pool in pools.items()]
    return PodLoad(
        used=sum(one.leased_count for one in stats),
        max=sum(one.max_size for one in stats),
        draining=pools.draining,
    )


async def watch_pools(
    pools: Pools, request: pb.WatchPoolsRequest, context: Context, heartbeat_seconds: float
) -> None:
    """Send the stats at once, and again when they changed, until the watcher goes."""
    interval = _interval(request)
    async with ServerStream[pb.WatchPoolsResponse, pb.WatchPoolsRequest](
        context,
        pb.WatchPoolsResponse,
        interval=heartbeat_seconds,
        reads=False,
        load=lambda: pod_load(pools),
    ) as stream:
        sent: pb.GetPoolStatsResponse | None = None
        while True:
            stats = pool_stats(pools)
            if stats != sent:
                await stream.send(pb.WatchPoolsResponse(stats=stats))
                sent = stats
            await asyncio.sleep(interval)


def _interval(request: pb.WatchPoolsRequest) -> float:
    if not request.HasField("min_interval"):
        return DEFAULT_INTERVAL_SECONDS
    seconds = request.min_interval.ToTimedelta().total_seconds()
    if not MIN_INTERVAL_SECONDS <= seconds <= MAX_INTERVAL_SECONDS:
        raise invalid("min_interval", "must be 100 ms to 1 min")
    return seconds


def _stats(kind: pb.ClientKind, stats: PoolStats) -> pb.PoolStats:
    tiers = [pb.TierCount(tier=TIER_NUMBERS[t], count=n) for t, n in stats.tier_counts.items()]
    return pb.PoolStats(
        client_kind=kind,
        warm_target=stats.warm_target,
        max_size=stats.max_size,
        warm_count=stats.warm_count,
        leased_count=stats.leased_count,
        opening_count=stats.opening_count,
        waiting_count=stats.waiting_count,
        tier_counts=tiers,
        breaker_state=_BREAKERS[stats.breaker_state.value],
        discarded_counts={cause.value: n for cause, n in stats.discarded_counts.items()},
    )
