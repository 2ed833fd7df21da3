"""What full telemetry costs: CPU of a call with it and without, on three meshes in one run.

All live and take the same real-time calls at the same moments, so that what disturbs one disturbs the
others. Two are alike and have none: how far they differ is what the figure is worth. The third has
everything on: every call traced, traces and metrics sent to a real OTLP
receiver (in this process, not counted), and `/metrics` open. What is counted is the user and system
time of the five services from the first call until the last span has left, with resident memory beside.
The exit code is 1 where the ratio is above MAX_RATIO, and where the two that are alike differ by more
than that: then nothing was decided.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass

import uvloop

from acs_standin.caller import PlacedCall
from cli.call import Conversation, Line
from cli.mesh import LocalMesh
from meshkit.telemetry import EXPORT_EACH_SECONDS
from tests.load.measure import cpu_seconds, machine, resident_mb
from tests.support.otlp_sink import OtlpSink, otlp_sink
from tests.support.scripted_mesh import scripted_mesh
from tests.support.tonetext import encode

CALLS = 6
"""At once, on each mesh. Exports and samples go by the clock: their share is larger on fewer calls."""
ROUNDS = 4
LINES = 5
MAX_RATIO = 1.05
LEAVING_SECONDS = EXPORT_EACH_SECONDS + 1.0
"""In which the last spans leave."""
SERVICES = ("gateway", "speech-pool", "orchestrator", "tool-executor", "session-store")
TOOL = 'tool search_knowledge_base {"query": "fees"}'


@dataclass(frozen=True)
class Spent:
    """Of one service, over all calls."""

    cpu: float
    resident: float


async def one_call(mesh: LocalMesh) -> None:
    """A call in real time with LINES lines, the last of which has a tool run."""
    said = [f"question {number}" for number in range(LINES - 1)] + [TOOL]
    async with PlacedCall(f"{mesh.media_url}?scenario=banking") as call:
        conversation = Conversation(call, lambda event: None, turn_seconds=30.0)
        await conversation.run([Line(text, encode(text)) for text in said], mesh.control_url)


async def measure(*meshes: LocalMesh) -> tuple[dict[str, Spent], ...]:
    """What each service of each mesh spent on the same calls."""
    for mesh in meshes:
        await one_call(mesh)  # what is made once is made now
    before = [_cpu(mesh) for mesh in meshes]
    for _ in range(ROUNDS):
        await asyncio.gather(*(one_call(mesh) for _ in range(CALLS) for mesh in meshes))
    await asyncio.sleep(LEAVING_SECONDS)
    return tuple(
        {
            name: Spent(cpu - earlier[name], resident_mb(mesh.process(name).pid))
            for name, cpu in _cpu(mesh).items()
        }
        for mesh, earlier in zip(meshes, before, strict=True)
    )


def _cpu(mesh: LocalMesh) -> dict[str, float]:
    return {name: cpu_seconds(mesh.process(name).pid) for name in SERVICES}


def report(
    without: dict[str, Spent], again: dict[str, Spent], full: dict[str, Spent], sink: OtlpSink
) -> bool:
    """Print all; whether the run shows that full telemetry costs no more than the goal."""
    calls = CALLS * ROUNDS
    print(f"{'':14} {'without':>10} {'full':>10} {'ratio':>7}   {'resident MB':>13}")
    for name in SERVICES:
        plain, traced = without[name], full[name]
        print(
            f"{name:14} {plain.cpu / calls * 1e3:7.1f} ms {traced.cpu / calls * 1e3:7.1f} ms"
            f" {traced.cpu / plain.cpu:7.3f}   {plain.resident:6.1f} {traced.resident:6.1f}"
        )
    plain_cpu, again_cpu, traced_cpu = (
        sum(one.cpu for one in spent.values()) for spent in (without, again, full)
    )
    ratio = traced_cpu / ((plain_cpu + again_cpu) / 2)
    print(
        f"{'a call':14} {plain_cpu / calls * 1e3:7.1f} ms {traced_cpu / calls * 1e3:7.1f} ms"
        f" {ratio:7.3f}"
    )
    noise = max(again_cpu, plain_cpu) / min(again_cpu, plain_cpu)
    print(f"full to none {ratio:.3f}, goal at most {MAX_RATIO}; none to its like {noise:.3f}")
    print(f"{len(sink.spans)} spans and {len(sink.points)} points came")
    if noise > MAX_RATIO:
        print("not decided: the meshes that are alike differ by more than the goal")
    return ratio <= MAX_RATIO and noise <= MAX_RATIO


async def main() -> int:
    print(f"{CALLS} calls at once on each of three meshes, {ROUNDS} times; {machine()}")
    with otlp_sink() as sink:
        everything = {"VOICEMESH_OTLP_ENDPOINT": sink.endpoint, "VOICEMESH_METRICS_PORT": "0"}
        async with (
            scripted_mesh() as plain,
            scripted_mesh() as alike,
            scripted_mesh(environment=everything) as traced,
        ):
            spent = await asyncio.wait_for(measure(plain, alike, traced), 600)
        shown = report(*spent, sink)
    return 0 if shown else 1


if __name__ == "__main__":
    sys.exit(uvloop.run(main()))
