"""`voicemesh pools`: the speech pools of a running mesh, as a table that refreshes or as JSON."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import grpc
from rich.console import Console
from rich.live import Live
from rich.table import Table

from cli.identity import Identity, channel_to
from voicemesh.speech.v1 import speech_pool_pb2 as pb
from voicemesh.speech.v1.speech_pool_pb2_grpc import SpeechPoolServiceStub

ASK_SECONDS = 5.0
_NUMBERS = ("warm", "target", "leased", "max", "opening", "waiting")


class PoolsUnreachable(Exception):
    """The speech pool does not answer. The message says where and how."""


async def once(address: str, identity: Identity | None = None) -> dict[str, Any]:
    """The pools of the pod at `address`, now. Raises PoolsUnreachable."""
    try:
        async with channel_to("speech-pool", address, identity) as channel:
            stub = SpeechPoolServiceStub(channel)
            stats = await stub.GetPoolStats(pb.GetPoolStatsRequest(), timeout=ASK_SECONDS)
    except grpc.aio.AioRpcError as error:
        raise PoolsUnreachable(_why(address, error)) from None
    return as_rows(address, stats)


async def watch(address: str, identity: Identity | None = None) -> AsyncIterator[dict[str, Any]]:
    """The pools, at once and as they change. Raises PoolsUnreachable."""
    try:
        async with channel_to("speech-pool", address, identity) as channel:
            async for message in SpeechPoolServiceStub(channel).WatchPools(pb.WatchPoolsRequest()):
                if message.HasField("stats"):
                    yield as_rows(address, message.stats)
    except grpc.aio.AioRpcError as error:
        raise PoolsUnreachable(_why(address, error)) from None


async def show(
    address: str, console: Console, *, as_json: bool, identity: Identity | None = None
) -> None:
    """Show the pools until interrupted: one JSON object a change, or a table in place."""
    if as_json:
        async for rows in watch(address, identity):
            console.out(json.dumps(rows), highlight=False)
        return
    with Live(console=console, auto_refresh=False) as live:
        async for rows in watch(address, identity):
            live.update(table(rows), refresh=True)


def as_rows(address: str, stats: pb.GetPoolStatsResponse) -> dict[str, Any]:
    """The stats as plain values, for a table or for JSON."""
    return {"address": address, "pools": [_row(pool) for pool in stats.pools]}


def table(rows: dict[str, Any]) -> Table:
    """The pools as a table, a row a kind."""
    made = Table(title=f"speech pool {rows['address']}", box=None, title_justify="left")
    made.add_column("kind", no_wrap=True)
    for heading in _NUMBERS:
        made.add_column(heading, justify="right", no_wrap=True)
    # Whatever is cut in a narrow terminal, the kinds and their numbers stay whole.
    for heading in ("ded/warm/cold", "breaker", "discarded"):
        made.add_column(heading)
    for row in rows["pools"]:
        tiers = "/".join(str(row["tiers"].get(t, 0)) for t in ("dedicated", "warm", "cold"))
        discarded = ", ".join(f"{cause} {n}" for cause, n in row["discarded"].items()) or "none"
        numbers = [str(row[heading]) for heading in _NUMBERS]
        made.add_row(row["kind"], *numbers, tiers, row["breaker"], discarded)
    return made


def _row(pool: pb.PoolStats) -> dict[str, Any]:
    return {
        "kind": pb.ClientKind.Name(pool.client_kind).removeprefix("CLIENT_KIND_").lower(),
        "warm": pool.warm_count,
        "target": pool.warm_target,
        "leased": pool.leased_count,
        "max": pool.max_size,
        "opening": pool.opening_count,
        "waiting": pool.waiting_count,
        "tiers": {_tier(count.tier): count.count for count in pool.tier_counts},
        "breaker": pb.BreakerState.Name(pool.breaker_state).removeprefix("BREAKER_STATE_").lower(),
        "discarded": dict(pool.discarded_counts),
    }


def _tier(tier: pb.AllocationTier) -> str:
    return pb.AllocationTier.Name(tier).removeprefix("ALLOCATION_TIER_").lower()


def _why(address: str, error: grpc.aio.AioRpcError) -> str:
    return f"no speech pool answers at {address}: {error.code().name} {error.details()}"
