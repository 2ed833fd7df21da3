"""What this process is doing: its tasks with where each waits, and a profile by samples.

Names of code and line numbers only, never values: locals hold what callers said. Off unless
`VOICEMESH_DIAGNOSTICS` is set, and even then only for who has the control key.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import FrameType
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from gateway.problems import Problem

MAX_TASKS = 2_000
MAX_FRAMES = 64
MAX_STACKS = 200
"""Different stacks of a profile that are told, the most frequent."""
MAX_SECONDS = 30.0
SAMPLE_SECONDS = 0.01

router = APIRouter(prefix="/api/v1/diagnostics")


@dataclass(slots=True)
class Diagnostics:
    """Whether they are given now; `profiling` while a profile is being taken."""

    allowed: Callable[[], bool]
    profiling: bool = False


def _allowed(request: Request) -> Diagnostics:
    """Raises Problem, unless diagnostics are on and a control key guards them."""
    given: Diagnostics = request.app.state.diagnostics
    if not (given.allowed() and request.app.state.control_key):
        raise Problem(
            403,
            "Diagnostics are off: set VOICEMESH_DIAGNOSTICS to true, and VOICEMESH_CONTROL_KEY,"
            " without which they are given to nobody.",
        )
    return given


@router.get("/tasks")
async def get_tasks(request: Request) -> dict[str, Any]:
    """Every task of the loop, and where it waits."""
    _allowed(request)
    tasks = asyncio.all_tasks()
    return {"count": len(tasks), "tasks": describe_tasks(tasks)}


@router.get("/profile")
async def get_profile(
    request: Request, seconds: Annotated[float, Query(gt=0, le=MAX_SECONDS)] = 5.0
) -> dict[str, Any]:
    """What the loop's thread did for some seconds; one profile at a time."""
    given = _allowed(request)
    if given.profiling:
        raise Problem(409, "A profile is being taken; ask again when it is done.")
    given.profiling = True
    try:
        stacks = await sampled(seconds)
    finally:
        given.profiling = False
    return {
        "seconds": seconds,
        "samples": stacks.total(),
        "stacks": [
            {"stack": stack, "samples": count} for stack, count in stacks.most_common(MAX_STACKS)
        ],
    }


def describe_tasks(tasks: Iterable[asyncio.Task[Any]]) -> list[dict[str, Any]]:
    """Name, code and the chain of awaits of each, outermost first; ordered by name."""
    told = [
        {"name": task.get_name(), "waits_at": awaits(task.get_coro())}
        for task in sorted(tasks, key=lambda task: task.get_name())
    ]
    return told[:MAX_TASKS]


def awaits(coroutine: Any) -> list[str]:
    """Where a coroutine is suspended, and where what it awaits is, as `module.function:line`."""
    chain: list[str] = []
    while coroutine is not None and len(chain) < MAX_FRAMES:
        frame = _attribute(coroutine, "cr_frame", "gi_frame", "ag_frame")
        if frame is None:
            break
        chain.append(place(frame))
        coroutine = _attribute(coroutine, "cr_await", "gi_yieldfrom", "ag_await")
    return chain


def place(frame: FrameType) -> str:
    """`module.function:line` of a frame."""
    module = frame.f_globals.get("__name__", "?")
    return f"{module}.{frame.f_code.co_qualname}:{frame.f_lineno}"


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


def _attribute(holder: Any, *names: str) -> Any:
    """The first of these that the holder has: coroutines and generators name them differently."""
    return next((getattr(holder, name) for name in names if hasattr(holder, name)), None)
