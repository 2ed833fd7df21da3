"""AllocateClient over gRPC beside an empty grpc.aio unary, interleaved in one run.

Two server processes (the anchor, and speech-pool on the scripted engine) and this one. DEDICATED asks
again for a session that holds a lease, WARM is the first of a session; its leases are given back
between the rounds. Each round asks both servers, every other one in the other order, because who comes
second finds the machine as the first left it. The ratio of p50 is the median of the rounds' ratios, so
that what disturbs a round counts once; that of p99 is over all calls.
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

ROUNDS = 50
ROUND_CALLS = 192
"""Of each server; every worker makes the same number, and more than one."""
CONCURRENCIES = (1, 16, 64)
GOAL_P50, GOAL_P99 = 1.3, 2.0
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
        "VOICEMESH_RECOGNIZER_WARM": str(2 * ROUND_CALLS),  # no round empties it
        "VOICEMESH_RECOGNIZER_MAX": str(4 * ROUND_CALLS),
        "VOICEMESH_LOG_LEVEL": "warning",
        "PYTHONPATH": str(ROOT),
    }
    pool = Part(
        "speech-pool", (sys.executable, "-m", "speech_pool"), environment, ports.speech_pool
    )
    return anchor, pool


def request(session: str) -> pb.AllocateClientRequest:
    return pb.AllocateClientRequest(
        session=f"sessions/{session}",
        client_kind=pb.CLIENT_KIND_RECOGNIZER,
        request_id=f"r{next(NAMES)}",
    )


class Dedicated:
    """Each worker asks for a session of its own, again and again. Requests are made beforehand, so that
    only the asking is measured."""

    name = "DEDICATED"

    def __init__(self, stub: SpeechPoolServiceStub) -> None:
        self._stub = stub
        self._asked: Iterator[pb.AllocateClientRequest] = iter(())
        self._sessions = [f"held-{number}" for number in range(max(CONCURRENCIES))]

    async def begin(self, workers: int) -> None:
        each = ROUND_CALLS // workers
        for session in self._sessions[:workers]:
            await self._stub.AllocateClient(request(session), timeout=5.0)
        self._asked = iter([request(s) for _ in range(each) for s in self._sessions[:workers]])

    async def ask(self, _: int) -> None:
        answer = await self._stub.AllocateClient(next(self._asked), timeout=5.0)
        assert answer.lease.tier == pb.ALLOCATION_TIER_DEDICATED

    async def end(self) -> None:
        return


class Warm:
    """Each call is the first of its session."""

    name = "WARM"

    def __init__(self, stub: SpeechPoolServiceStub) -> None:
        self._stub = stub
        self._asked: Iterator[pb.AllocateClientRequest] = iter(())
        self._leases: list[pb.Lease] = []

    async def begin(self, workers: int) -> None:
        self._asked = iter([request(f"new-{next(NAMES)}") for _ in range(ROUND_CALLS)])

    async def ask(self, _: int) -> None:
        answer = await self._stub.AllocateClient(next(self._asked), timeout=5.0)
        self._leases.append(answer.lease)

    async def end(self) -> None:
        assert all(lease.tier == pb.ALLOCATION_TIER_WARM for lease in self._leases)
        for lease in self._leases:
            await self._stub.ReleaseLease(pb.ReleaseLeaseRequest(name=lease.name), timeout=5.0)
        self._leases.clear()


async def measure(ports: Ports) -> bool:
    """Print a row for each tier and concurrency; False if one missed its goal."""
    async with (
        grpc.aio.insecure_channel(f"127.0.0.1:{ports.planner}") as anchor,
        grpc.aio.insecure_channel(f"127.0.0.1:{ports.speech_pool}") as channel,
    ):
        stub = SpeechPoolServiceStub(channel)
        call = empty_unary(anchor)

        async def empty(_: int) -> None:
            await call(Empty(), timeout=5.0)

        print(
            f"{'':12} {'workers':>7} {'empty p50':>10} {'p50':>8} {'ratio':>6} {'p99':>8} {'ratio':>6}"
        )
        met = []
        for workers in CONCURRENCIES:
            for asking in (Dedicated(stub), Warm(stub)):
                await compare(empty, asking, workers, rounds=2)
                met.append(
                    report(
                        asking.name, workers, await compare(empty, asking, workers, rounds=ROUNDS)
                    )
                )
        return all(met)


async def compare(
    empty: Work, asking: Dedicated | Warm, workers: int, *, rounds: int
) -> list[Round]:
    """Both in short turns, so that what disturbs one disturbs the other."""
    taken: list[Round] = []
    each = ROUND_CALLS // workers
    for number in range(rounds):
        await asking.begin(workers)
        if number % 2:
            mine = await at_concurrency(asking.ask, workers, each)
            taken.append((await at_concurrency(empty, workers, each), mine))
        else:
            base = await at_concurrency(empty, workers, each)
            taken.append((base, await at_concurrency(asking.ask, workers, each)))
        await asking.end()
    return taken


def report(name: str, workers: int, rounds: list[Round]) -> bool:
    base = [taken for round_base, _ in rounds for taken in round_base]
    mine = [taken for _, round_mine in rounds for taken in round_mine]
    ratio = median(percentile(own, 0.5) / percentile(anchor, 0.5) for anchor, own in rounds)
    m99 = percentile(mine, 0.99)
    ratio99 = m99 / percentile(base, 0.99)
    met = ratio <= GOAL_P50 and ratio99 <= GOAL_P99
    print(
        f"{name:12} {workers:7} {percentile(base, 0.5):8.0f}us {percentile(mine, 0.5):6.0f}us"
        f" {ratio:6.2f} {m99:6.0f}us {ratio99:6.2f}{'' if met else '   <-- MISSED'}"
    )
    return met


async def main() -> None:
    ports = Ports.free()
    anchor, pool = parts(ports)
    print(
        f"AllocateClient against an empty unary; {ROUNDS} x {ROUND_CALLS} calls a row; {machine()}"
    )
    async with running(anchor), running(pool):
        met = await asyncio.wait_for(measure(ports), 300)
    if not met:
        raise SystemExit(f"a ratio is above its goal: p50 {GOAL_P50}, p99 {GOAL_P99}")


if __name__ == "__main__":
    uvloop.run(main())
