"""AllocateClient over gRPC beside an empty grpc.aio unary, interleaved in one run.

Two server processes (the anchor, and speech-pool on the scripted engine) and this one. DEDICATED asks
again for a session that holds a lease, WARM is the first of a session; its leases are given back
between the rounds. Each round asks both servers, every other one in the other order, because who comes
second finds the machine as the first left it. The ratio of p50 is the median of the rounds' ratios, so
that what disturbs a round counts once; that of p99 is over all calls. `server` is the CPU time of the
server's process for a call, which a busy machine changes less.

"same, bare" is no goal: the anchor's server takes and gives the same messages and does nothing. What is
between it and 1 no server of these messages can avoid.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from statistics import median

import grpc
import uvloop
from google.protobuf.empty_pb2 import Empty

from cli.parts import Part
from cli.ports import Ports
from tests.load.anchor import empty_unary, lease_unary
from tests.load.measure import ROOT, at_concurrency, cpu_seconds, machine, percentile, running
from voicemesh.speech.v1 import speech_pool_pb2 as pb
from voicemesh.speech.v1.speech_pool_pb2_grpc import SpeechPoolServiceStub

ROUNDS = 50
ROUND_CALLS = 192
"""Of each server; every worker makes the same number, and more than one."""
CONCURRENCIES = (1, 16, 64)
GOAL_P50, GOAL_P99 = 1.3, 2.0
NAMES = count()
Work = Callable[[int], Awaitable[object]]


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


class Bare:
    """The messages alone."""

    name = "same, bare"

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._call = lease_unary(channel)
        self._asked: Iterator[pb.AllocateClientRequest] = iter(())

    async def begin(self, workers: int) -> None:
        self._asked = iter([request("held-0") for _ in range(ROUND_CALLS)])

    async def ask(self, _: int) -> None:
        answer = await self._call(next(self._asked), timeout=5.0)
        assert answer.lease.tier == pb.ALLOCATION_TIER_DEDICATED

    async def end(self) -> None:
        return


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


Asking = Bare | Dedicated | Warm


async def measure(ports: Ports, anchor_pid: int, pool_pid: int) -> bool:
    """Print a row for each way of asking and concurrency; False if one missed its goal."""
    async with (
        grpc.aio.insecure_channel(f"127.0.0.1:{ports.planner}") as anchor,
        grpc.aio.insecure_channel(f"127.0.0.1:{ports.speech_pool}") as channel,
    ):
        stub = SpeechPoolServiceStub(channel)
        call = empty_unary(anchor)

        async def empty(_: int) -> None:
            await call(Empty(), timeout=5.0)

        print(f"{'':12} workers  empty p50     p50  ratio      p99  ratio   server  ratio")
        met = []
        for workers in CONCURRENCIES:
            for asking, pid in (
                (Bare(anchor), anchor_pid),
                (Dedicated(stub), pool_pid),
                (Warm(stub), pool_pid),
            ):
                ours, theirs = Side(asking.ask, pid), Side(empty, anchor_pid)
                await compare(theirs, ours, asking, workers, rounds=2)
                theirs.forget()
                ours.forget()
                await compare(theirs, ours, asking, workers, rounds=ROUNDS)
                met.append(report(asking, workers, theirs, ours))
        return all(met)


@dataclass
class Side:
    """What is asked of one server, and what it took."""

    work: Work
    pid: int
    rounds: list[list[float]] = field(default_factory=list)
    """Microseconds of each round's calls."""
    server: float = 0.0
    """CPU seconds of the server's process."""

    async def ask(self, workers: int) -> None:
        before = cpu_seconds(self.pid)
        self.rounds.append(await at_concurrency(self.work, workers, ROUND_CALLS // workers))
        self.server += cpu_seconds(self.pid) - before

    def forget(self) -> None:
        self.rounds, self.server = [], 0.0

    @property
    def all(self) -> list[float]:
        return [taken for one in self.rounds for taken in one]


async def compare(theirs: Side, ours: Side, asking: Asking, workers: int, *, rounds: int) -> None:
    """Both in short turns, so that what disturbs one disturbs the other."""
    for number in range(rounds):
        await asking.begin(workers)
        for side in (ours, theirs) if number % 2 else (theirs, ours):
            await side.ask(workers)
        await asking.end()


def report(asking: Asking, workers: int, theirs: Side, ours: Side) -> bool:
    ratio = median(
        percentile(mine, 0.5) / percentile(base, 0.5)
        for mine, base in zip(ours.rounds, theirs.rounds, strict=True)
    )
    base, mine = theirs.all, ours.all
    m99 = percentile(mine, 0.99)
    ratio99 = m99 / percentile(base, 0.99)
    met = isinstance(asking, Bare) or (ratio <= GOAL_P50 and ratio99 <= GOAL_P99)
    print(
        f"{asking.name:12} {workers:7} {percentile(base, 0.5):8.0f}us {percentile(mine, 0.5):6.0f}us"
        f" {ratio:6.2f} {m99:6.0f}us {ratio99:6.2f} {ours.server / len(mine) * 1e6:6.0f}us"
        f" {ours.server / theirs.server:6.2f}{'' if met else '   <-- MISSED'}"
    )
    return met


async def main() -> None:
    ports = Ports.free()
    anchor, pool = parts(ports)
    print(
        f"AllocateClient against an empty unary; {ROUNDS} x {ROUND_CALLS} calls a row; {machine()}"
    )
    async with running(anchor) as empty, running(pool) as leasing:
        met = await asyncio.wait_for(measure(ports, empty.pid, leasing.pid), 600)
    if not met:
        raise SystemExit(f"a ratio is above its goal: p50 {GOAL_P50}, p99 {GOAL_P99}")


if __name__ == "__main__":
    uvloop.run(main())
