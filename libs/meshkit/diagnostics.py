"""What this process is doing: its tasks with where each waits, and a profile by samples.

Names of code and line numbers only, never values: locals hold what callers said. Every answer is
bounded. Who may ask is for the doors: `meshkit.diagnostics_servicer`, and the gateway's REST.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePath
from types import FrameType
from typing import Any

MAX_TASKS = 2_000
MAX_FRAMES = 64
MAX_STACKS = 200
"""Different stacks of a profile that are told, the most frequent."""
MAX_TOLD_CHARACTERS = 1 << 20
"""Of one answer; gRPC carries four times that."""
MAX_NAME = 200
"""Characters of a task's name that are told."""
DEFAULT_SECONDS, MAX_SECONDS = 5.0, 30.0
SAMPLE_SECONDS = 0.01


class ProfileUnderWay(Exception):
    """One profile at a time. `seconds` until the one under way is done."""

    def __init__(self, seconds: float) -> None:
        super().__init__("a profile is being taken; ask again when it is done")
        self.seconds = seconds


@dataclass(frozen=True, slots=True)
class TaskState:
    """A task, and the chain of awaits it is suspended in, outermost first."""

    name: str
    places: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TaskDump:
    """The tasks of the loop. `count` is all of them, also those that are left out."""

    count: int
    tasks: tuple[TaskState, ...]


@dataclass(frozen=True, slots=True)
class Profile:
    """How often each stack was seen. `samples` is all looks, also those at stacks left out."""

    samples: int
    stacks: tuple[tuple[str, int], ...]


@dataclass(slots=True)
class Profiler:
    """Takes one profile at a time of the thread that asks."""

    _until: float | None = field(default=None, init=False)

    async def capture(self, seconds: float) -> Profile:
        """Look for some seconds. Raises ProfileUnderWay, ValueError out of (0, MAX_SECONDS]."""
        if not 0 < seconds <= MAX_SECONDS:
            raise ValueError(f"must be more than 0 and at most {MAX_SECONDS:g} seconds")
        now = time.monotonic()
        if self._until is not None:
            raise ProfileUnderWay(max(0.0, self._until - now))
        self._until = now + seconds
        try:
            return profile_of(await sampled(seconds))
        finally:
            self._until = None


def profile_of(stacks: Counter[str]) -> Profile:
    """The most frequent of these stacks, within the bounds of one answer."""
    told = _bounded(stacks.most_common(MAX_STACKS), lambda row: len(row[0]))
    return Profile(stacks.total(), tuple(told))


def dump_tasks(tasks: Iterable[asyncio.Task[Any]]) -> TaskDump:
    """Name and chain of awaits of each, ordered by name, within the bounds of one answer."""
    ordered = sorted(tasks, key=lambda task: task.get_name())
    states = (
        TaskState(task.get_name()[:MAX_NAME], awaits(task.get_coro()))
        for task in ordered[:MAX_TASKS]
    )
    told = _bounded(states, lambda state: sum(map(len, (state.name, *state.places))))
    return TaskDump(len(ordered), tuple(told))


def awaits(coroutine: Any) -> tuple[str, ...]:
    """Where a coroutine is suspended, and where what it awaits is, as `module.function:line`."""
    chain: list[str] = []
    while coroutine is not None and len(chain) < MAX_FRAMES:
        frame = _attribute(coroutine, "cr_frame", "gi_frame", "ag_frame")
        if frame is None:
            break
        chain.append(place(frame))
        coroutine = _attribute(coroutine, "cr_await", "gi_yieldfrom", "ag_await")
    return tuple(chain)


def place(frame: FrameType) -> str:
    """`module.function:line` of a frame; of compiled code its file in place of what it lacks."""
    code = frame.f_code
    module = frame.f_globals.get("__name__") or PurePath(code.co_filename).name.partition(".")[0]
    line = f":{frame.f_lineno}" if frame.f_lineno else ""
    return f"{module}.{code.co_qualname}{line}"


async def sampled(seconds: float, interval: float = SAMPLE_SECONDS) -> Counter[str]:
    """How often each stack of this thread was seen, outermost first, joined by `;`.

    A thread looks, so that the cost is that of the looking, and a blocked loop is seen as well. It
    must wait for the interpreter's lock, so Python code that runs is seen a little too seldom.
    """
    stop, thread = threading.Event(), threading.get_ident()
    looking = asyncio.create_task(asyncio.to_thread(_look, thread, seconds, interval, stop))
    try:
        return await asyncio.shield(looking)
    finally:
        stop.set()
        if not looking.done():
            await looking


def _look(thread: int, seconds: float, interval: float, stop: threading.Event) -> Counter[str]:
    stacks: Counter[str] = Counter()
    until = time.monotonic() + seconds
    while time.monotonic() < until and not stop.is_set():
        if (frame := sys._current_frames().get(thread)) is not None:
            stacks[collapsed(frame)] += 1
            del frame
        stop.wait(interval)
    return stacks


def collapsed(frame: FrameType | None) -> str:
    """The stack that ends in a frame, as flame graphs read it."""
    places: list[str] = []
    while frame is not None and len(places) < MAX_FRAMES:
        places.append(place(frame))
        frame = frame.f_back
    return ";".join(reversed(places))


def _bounded(rows: Iterable[Any], size: Any) -> Iterator[Any]:
    """Rows until they are more than one answer holds."""
    left = MAX_TOLD_CHARACTERS
    for row in rows:
        left -= size(row)
        if left < 0:
            return
        yield row


def _attribute(holder: Any, *names: str) -> Any:
    """The first of these that the holder has: coroutines and generators name them differently."""
    return next((getattr(holder, name) for name in names if hasattr(holder, name)), None)
