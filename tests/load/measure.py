"""What the benches share: percentiles, the machine in a line, processes under measurement."""

from __future__ import annotations

import asyncio
import os
import platform
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import quantiles

from cli.parts import Part
from cli.process import Process

ROOT = Path(__file__).parents[2]


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` (0 to 1) of the values lie; the nearest rank."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def of_rounds(values: Sequence[float]) -> tuple[float, str]:
    """The median of what rounds gave, and a text of it with the quartiles: how far rounds differ.

    What disturbs the machine for a while spoils some rounds, and moves their median little.
    """
    low, middle, high = quantiles(values, n=4)
    return middle, f"{middle:.2f} ({low:.2f} to {high:.2f})"


def verdict(met: bool) -> str:
    """How a goal is told of."""
    return "met" if met else "MISSED"


def machine() -> str:
    """The machine in a line, with how busy it is: figures mean nothing without it."""
    model = next(
        (line.split(":", 1)[1].strip() for line in _cpuinfo() if line.startswith("model name")),
        platform.processor() or "unknown CPU",
    )
    load = os.getloadavg()[0]
    return f"{os.cpu_count()} cores of {model}, Python {platform.python_version()}, load {load:.1f}"


def _cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []


def resident_mb(pid: int) -> float:
    """Resident memory of a process in MB (10^6 bytes)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise ProcessLookupError(pid)


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@asynccontextmanager
async def running(part: Part) -> AsyncIterator[Process]:
    """A process for the block; its lines go to standard error only if it fails to start."""
    lines: list[str] = []
    process = Process(part, lambda _, line: lines.append(line))
    await process.start()
    try:
        await process.until_healthy(60.0)
        yield process
    except BaseException:
        sys.stderr.write("\n".join(lines[-20:]) + "\n")
        raise
    finally:
        await process.stop(10.0)


async def timed(work: Callable[[], Awaitable[object]]) -> float:
    """Microseconds that one piece of work takes."""
    began = time.perf_counter()
    await work()
    return (time.perf_counter() - began) * 1e6


async def at_concurrency(
    work: Callable[[int], Awaitable[object]], workers: int, rounds: int
) -> list[float]:
    """Microseconds of each of `workers` x `rounds` pieces of work, `workers` at a time."""
    taken: list[float] = []

    async def worker(number: int) -> None:
        for _ in range(rounds):
            taken.append(await timed(lambda: work(number)))

    await asyncio.gather(*(worker(number) for number in range(workers)))
    return taken
