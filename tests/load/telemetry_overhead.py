"""What full telemetry costs: CPU of a call with it and without, on meshes of one run.

Two benches, since the same telemetry is little of one call and much of the other:

- this one: *a call as shipped*, the demo's call on the default engines, with their recogniser, planner
  and synthesiser. It is what a user's call costs, and what the goal of 5 % is about.
- `telemetry_alone`: *our code alone*, a call on scripted tone engines, which cost nearly nothing.
  Stricter than any deployment, and where a change of telemetry shows first.

A round starts three meshes anew, lives the same real-time calls on all three at the same time, and
ends them. Two have no telemetry; the third has all: every call traced, traces and metrics sent to a real
OTLP receiver (in this process, not counted), and `/metrics` open. What is counted is the user and system
time of the mesh's processes, from the first call until the last span has left. Before it, each process
has sent its first spans and metrics: what the first export imports and connects is paid once in the life
of a pod and is no part of a call.

One round decides nothing: processes that are alike differ by several percent, by where their memory
lies and by which of them is woken first. So meshes are new each round and take turns in the order of
starting, calls begin at random moments, and what counts is the mean of the rounds' ratios with its
interval of 95 % (Student's). The number of rounds is fixed beforehand. Beside it stands how far the two
without telemetry differ, by the same reckoning: its interval should hold 1.

The exit code is 0 where all of the interval lies below MAX_RATIO.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import uvloop

from acs_standin.caller import PlacedCall
from cli.call import Conversation, Line
from cli.lines import demo_lines, from_file
from cli.mesh import LocalMesh
from cli.ports import Ports
from meshkit.trace_export import TO_COLLECTOR
from tests.load.measure import cpu_seconds, machine, resident_mb
from tests.support.otlp_sink import OtlpSink, otlp_sink
from tests.support.scripted_mesh import scripted_mesh, silent
from tests.support.tonetext import encode

MAX_RATIO = 1.05
SEED = 5
LEAVING_SECONDS = TO_COLLECTOR.each_seconds + 1.0
"""In which the last spans leave."""
FIRST_EXPORT_SECONDS = 90.0
"""Metrics are pushed each minute."""
SERVICES = ("gateway", "speech-pool", "orchestrator", "tool-executor", "session-store")
SCRIPTED_LINES = ("question 0", "question 1", "question 2", "question 3",
                  'tool search_knowledge_base {"query": "fees"}')  # fmt: skip
STUDENT = {2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306}
"""Quantile 0.975 of Student's t by degrees of freedom."""
PLAIN, ALIKE, FULL = "plain", "alike", "full"
ORDERS = ((PLAIN, ALIKE, FULL), (ALIKE, FULL, PLAIN), (FULL, PLAIN, ALIKE),
          (PLAIN, FULL, ALIKE), (FULL, ALIKE, PLAIN), (ALIKE, PLAIN, FULL))  # fmt: skip
Environment = Mapping[str, str]
PATIENT: Environment = {"VOICEMESH_HEARTBEAT_SECONDS": "1"}
"""Three meshes that start on one machine must not take a busy peer for a dead one."""


@dataclass(frozen=True)
class Kind:
    """A kind of call, and how much of it is measured."""

    name: str
    processes: Sequence[str]
    lines: Sequence[Line]
    calls: int
    """At once, on each mesh. Exports and samples go by the clock: their share is larger on fewer."""
    rounds: int
    scripted: bool

    def mesh(self, environment: Environment) -> AbstractAsyncContextManager[LocalMesh]:
        """A mesh for it."""
        told = {**PATIENT, **environment}
        return scripted_mesh(environment=told) if self.scripted else shipped(told)


def as_shipped() -> Kind:
    """The demo's call."""
    lines = [from_file(path) for path in demo_lines()]
    engines = (*SERVICES, "planner")
    return Kind("a call as shipped", engines, lines, calls=2, rounds=6, scripted=False)


def our_code_alone() -> Kind:
    """A call that costs little else."""
    lines = [Line(text, encode(text)) for text in SCRIPTED_LINES]
    return Kind("our code alone", SERVICES, lines, calls=6, rounds=9, scripted=True)


@asynccontextmanager
async def shipped(environment: Environment) -> AsyncIterator[LocalMesh]:
    """The mesh of `voicemesh up`, on the default engines."""
    with tempfile.TemporaryDirectory() as folder:
        data, told = Path(folder), {"VOICEMESH_LOG_LEVEL": "warning", **environment}
        async with LocalMesh(Ports.free(), data=data, print_line=silent, environment=told) as mesh:
            yield mesh


@dataclass(frozen=True)
class Spent:
    """Of one mesh in one round."""

    cpu: Mapping[str, float]
    """Seconds by process."""
    resident: Mapping[str, float]
    """MB by process."""

    @property
    def total(self) -> float:
        return sum(self.cpu.values())


async def one_call(mesh: LocalMesh, lines: Sequence[Line], delay: float = 0.0) -> None:
    """A call in real time."""
    await asyncio.sleep(delay)
    async with PlacedCall(f"{mesh.media_url}?scenario=banking") as call:
        conversation = Conversation(call, lambda event: None, turn_seconds=60.0)
        await conversation.run(lines, mesh.control_url)


async def one_round(
    kind: Kind, order: Sequence[str], sink: OtlpSink, chance: random.Random
) -> dict[str, Spent]:
    """What each mesh spent; they are started, and their calls are placed, in this order."""
    everything = {"VOICEMESH_OTLP_ENDPOINT": sink.endpoint, "VOICEMESH_METRICS_PORT": "0"}
    async with AsyncExitStack() as stack:
        meshes = {
            name: await stack.enter_async_context(kind.mesh(everything if name == FULL else {}))
            for name in order
        }
        # What is made once is made now.
        told = len(sink.spans), len(sink.points)
        await asyncio.gather(*(one_call(meshes[name], kind.lines) for name in order))
        await asyncio.wait_for(_first_exports(sink, *told), FIRST_EXPORT_SECONDS)
        before = {name: _cpu(mesh, kind) for name, mesh in meshes.items()}
        placed = [(name, chance.random()) for _ in range(kind.calls) for name in order]
        await asyncio.gather(*(one_call(meshes[n], kind.lines, delay) for n, delay in placed))
        await asyncio.sleep(LEAVING_SECONDS)
        return {name: _spent(mesh, kind, before[name]) for name, mesh in meshes.items()}


async def _first_exports(sink: OtlpSink, spans: int, points: int) -> None:
    """Return once every service has sent spans and points, counted from these many."""
    wanted = set(SERVICES)
    while not (
        wanted <= {one.service for one in sink.spans[spans:]}
        and wanted <= {one.service for one in sink.points[points:]}
    ):
        await asyncio.sleep(0.5)


def _cpu(mesh: LocalMesh, kind: Kind) -> dict[str, float]:
    return {name: cpu_seconds(mesh.process(name).pid) for name in kind.processes}


def _spent(mesh: LocalMesh, kind: Kind, before: Mapping[str, float]) -> Spent:
    return Spent(
        {name: cpu - before[name] for name, cpu in _cpu(mesh, kind).items()},
        {name: resident_mb(mesh.process(name).pid) for name in kind.processes},
    )


@dataclass(frozen=True)
class Interval:
    """A mean with its interval of 95 %."""

    mean: float
    half: float

    @property
    def verdict(self) -> str:
        if self.mean + self.half <= MAX_RATIO:
            return "shown"
        return "refuted" if self.mean - self.half > MAX_RATIO else "not decided"

    def __format__(self, spec: str) -> str:
        low, high = self.mean - self.half, self.mean + self.half
        return f"{self.mean:{spec}} ({low:{spec}} to {high:{spec}})"


def interval(ratios: Sequence[float]) -> Interval:
    """Of the mean of some independent ratios."""
    spread = statistics.stdev(ratios) / len(ratios) ** 0.5
    return Interval(statistics.mean(ratios), STUDENT[len(ratios) - 1] * spread)


def report(kind: Kind, rounds: Sequence[Mapping[str, Spent]]) -> Interval:
    """Print all rounds; the ratio of full telemetry to none."""
    calls = kind.calls * len(rounds)
    print(f"\n{kind.name}: {kind.calls} calls at once on each mesh, {len(rounds)} rounds")
    print(f"{'CPU of a call':14} {'without':>10} {'full':>10}   {'resident MB':>13}")
    for name in kind.processes:
        none = sum(spent[m].cpu[name] for spent in rounds for m in (PLAIN, ALIKE)) / 2 / calls
        full = sum(spent[FULL].cpu[name] for spent in rounds) / calls
        resident = [max(spent[m].resident[name] for spent in rounds) for m in (PLAIN, FULL)]
        print(
            f"{name:14} {none * 1e3:7.1f} ms {full * 1e3:7.1f} ms"
            f"   {resident[0]:6.1f} {resident[1]:6.1f}"
        )
    nones = [(spent[PLAIN].total + spent[ALIKE].total) / 2 for spent in rounds]
    ratios = [spent[FULL].total / none for spent, none in zip(rounds, nones, strict=True)]
    more = [spent[FULL].total - none for spent, none in zip(rounds, nones, strict=True)]
    likes = [s[ALIKE].total / s[PLAIN].total for s in rounds]
    print("full to none, by round:", *(f"{ratio:.3f}" for ratio in ratios))
    print("none to none, by round:", *(f"{ratio:.3f}" for ratio in likes))
    print(f"none to none {interval(likes):.3f}")
    print(f"full less none, of a call: {interval([1e3 * one / kind.calls for one in more]):.1f} ms")
    found = interval(ratios)
    print(f"full to none {found:.3f}; at most {MAX_RATIO}: {found.verdict}", flush=True)
    return found


async def measured(kind: Kind, sink: OtlpSink, chance: random.Random) -> Interval:
    """All rounds of a kind of call, printed. In three each mesh is once the first, second and third."""
    rounds = []
    for number in range(kind.rounds):
        order = ORDERS[number % len(ORDERS)]
        spent = await asyncio.wait_for(one_round(kind, order, sink, chance), 240)
        told = (f"{name} {spent[name].total / kind.calls * 1e3:.1f}" for name in order)
        print(f"round {number + 1}, ms of a call:", *told, flush=True)
        rounds.append(spent)
    return report(kind, rounds)


async def bench(kind: Kind) -> int:
    """Measure and print; the exit code."""
    print(machine(), flush=True)
    with otlp_sink() as sink:
        found = await measured(kind, sink, random.Random(SEED))
        print(f"{len(sink.spans)} spans and {len(sink.points)} points came")
    return 0 if found.verdict == "shown" else 1


if __name__ == "__main__":
    sys.exit(uvloop.run(bench(as_shipped())))
