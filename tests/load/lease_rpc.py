"""AllocateClient over gRPC beside an empty grpc.aio unary, interleaved in one run.

Two server processes (the anchor, and speech-pool on the scripted engine) and this one. Each round
asks both; DEDICATED asks again for a session that holds a lease, WARM is the first of a session,
with the stock refilled in between. Both are asked in short rounds, one after the other; the ratio of
p50 is the median of the rounds' ratios, so that what disturbs a round disturbs both or counts once.
That of p99 is over all calls.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator
from itertools import count
from statistics import median

import grpc
import uvloop
from google.protobuf.empty_pb2 import Empty

from cli.parts import Part
from cli.ports import Ports
from tests.load.anchor import empty_unary
from tests.load.measure import ROOT, at_concurrency, machine, percentile, running
from voicemesh.speech.v1 import speech_pool_pb2 as pb
from voicemesh.speech.v1.speech_pool_pb2_grpc import SpeechPoolServiceStub

CALLS = 6400
ROUNDS = 25
CONCURRENCIES = (1, 16, 64)
NAMES = count()
Work = Callable[[int], Awaitable[object]]
Round = tuple[list[float], list[float]]
"""Microseconds of the anchor's calls and of ours."""


def parts(ports: Ports) -> tuple[Part, Part]:
    anchor = Part(
        "anchor", (sys.executable, "-m", "tests.load.anchor", str(ports.planner)), {}, ports.planner
    )
    environment = {
        "VOICEMESH_GRPC_PORT": str(ports.speech_pool),
        "VOICEMESH_SPEECH_PROVIDER": "tests.support.scripted_engine:ScriptedProvider",
        "VOICEMESH_RECOGNIZER_WARM": "128",
        "VOICEMESH_RECOGNIZER_MAX": "512",
        "VOICEMESH_LOG_LEVEL": "warning",
        "PYTHONPATH": str(ROOT),
    }
    pool = Part(
        "speech-pool", (sys.executable, "-m", "speech_pool"), environment, ports.speech_pool
    )
    return anchor, pool


def made(session: Callable[[], str], number: int) -> Iterator[pb.AllocateClientRequest]:
    """Requests made beforehand, so that only the asking is measured."""
    return iter([request(session()) for _ in range(number)])


def request(session: str) -> pb.AllocateClientRequest:
    return pb.AllocateClientRequest(
        session=f"sessions/{session}",
        client_kind=pb.CLIENT_KIND_RECOGNIZER,
        request_id=f"r{next(NAMES)}",
    )


async def measure(ports: Ports) -> None:
    async with (
        grpc.aio.insecure_channel(f"127.0.0.1:{ports.planner}") as anchor,
        grpc.aio.insecure_channel(f"127.0.0.1:{ports.speech_pool}") as channel,
    ):
        stub = SpeechPoolServiceStub(channel)
        call = empty_unary(anchor)

        async def empty(_: int) -> None:
            await call(Empty(), timeout=5.0)

        asked = [made(lambda n=n: f"held-{n}", 2 * CALLS) for n in range(max(CONCURRENCIES))]

        async def dedicated(number: int) -> None:
            answer = await stub.AllocateClient(next(asked[number]), timeout=5.0)
            assert answer.lease.tier in (pb.ALLOCATION_TIER_DEDICATED, pb.ALLOCATION_TIER_WARM)

        print(
            f"{'':12} {'workers':>7} {'empty p50':>10} {'p50':>8} {'ratio':>6} {'p99':>8} {'ratio':>6}"
        )
        for workers in CONCURRENCIES:
            await at_concurrency(empty, workers, 50)
            await at_concurrency(dedicated, workers, 50)
            await compare("DEDICATED", empty, dedicated, workers)
            await compare_warm(empty, stub, workers)


async def compare(name: str, empty: Work, work: Work, workers: int) -> None:
    """Both in short turns, so that what disturbs one disturbs the other."""
    rounds: list[Round] = []
    size = max(1, CALLS // workers // ROUNDS)
    for _ in range(ROUNDS):
        base = await at_concurrency(empty, workers, size)
        rounds.append((base, await at_concurrency(work, workers, size)))
    report(name, workers, rounds)


async def compare_warm(empty: Work, stub: SpeechPoolServiceStub, workers: int) -> None:
    """A new session each time; leases are given back between the rounds, outside the measurement."""
    rounds: list[Round] = []
    leases: list[pb.Lease] = []

    async def warm(_: int) -> None:
        answer = await stub.AllocateClient(next(asked), timeout=5.0)
        leases.append(answer.lease)

    for _ in range(max(1, CALLS // 64)):
        asked = made(lambda: f"new-{next(NAMES)}", 64 + workers)
        base = await at_concurrency(empty, workers, max(1, 64 // workers))
        rounds.append((base, await at_concurrency(warm, workers, max(1, 64 // workers))))
        assert all(lease.tier == pb.ALLOCATION_TIER_WARM for lease in leases)
        for lease in leases:
            await stub.ReleaseLease(pb.ReleaseLeaseRequest(name=lease.name), timeout=5.0)
        leases.clear()
    report("WARM", workers, rounds)


def report(name: str, workers: int, rounds: list[Round]) -> None:
    base = [taken for round_base, _ in rounds for taken in round_base]
    mine = [taken for _, round_mine in rounds for taken in round_mine]
    ratio = median(percentile(own, 0.5) / percentile(anchor, 0.5) for anchor, own in rounds)
    b99, m99 = percentile(base, 0.99), percentile(mine, 0.99)
    print(
        f"{name:12} {workers:7} {percentile(base, 0.5):8.0f}us {percentile(mine, 0.5):6.0f}us"
        f" {ratio:6.2f} {m99:6.0f}us {m99 / b99:6.2f}"
    )


async def main() -> None:
    ports = Ports.free()
    anchor, pool = parts(ports)
    print(f"AllocateClient against an empty unary; {CALLS} calls a row; {machine()}")
    async with running(anchor), running(pool):
        await asyncio.wait_for(measure(ports), 300)


if __name__ == "__main__":
    uvloop.run(main())
