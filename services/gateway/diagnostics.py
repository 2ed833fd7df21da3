"""What this pod is doing, over the control plane: its status, its tasks, and a profile.

What is told is `meshkit.diagnostics`, as the mesh's gRPC servers tell it: to who has the control key, or
without one to this machine. Tasks and profiles are off unless `VOICEMESH_DIAGNOSTICS` is set.
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from gateway.calls import Calls
from gateway.peers import Readiness
from gateway.problems import Problem
from gateway.settings import GatewaySettings
from meshkit.clock import SystemClock
from meshkit.diagnostics import (
    DEFAULT_SECONDS,
    MAX_SECONDS,
    Profiler,
    ProfileUnderWay,
    dump_tasks,
)
from meshkit.diagnostics_servicer import VERSION
from meshkit.health import NotReady
from meshkit.identity import current_certificates
from meshkit.tls import Certificates

router = APIRouter(prefix="/api/v1/diagnostics")


@dataclass(frozen=True, slots=True)
class Diagnostics:
    """What the answers are made of, for the life of the app."""

    settings: GatewaySettings
    started: datetime = field(default_factory=SystemClock().now)
    certificates: Certificates | None = field(default_factory=current_certificates)
    profiler: Profiler = field(default_factory=Profiler)


def _of(request: Request) -> Diagnostics:
    given: Diagnostics = request.app.state.diagnostics
    return given


def _allowed(request: Request) -> Diagnostics:
    """Raises Problem, unless diagnostics are on."""
    given = _of(request)
    if not given.settings.now("diagnostics"):
        raise Problem(403, "Diagnostics are off: set VOICEMESH_DIAGNOSTICS to true while you look.")
    return given


@router.get("/status")
async def get_status(request: Request) -> dict[str, Any]:
    """What runs since when, why it takes no calls, and how long its certificate holds."""
    given, live = _of(request), _of(request).settings.live
    until = given.certificates.current.not_after if given.certificates else None
    return {
        "service": "gateway",
        "version": VERSION,
        "start_time": given.started.isoformat(),
        "not_ready_reasons": await _not_ready(request),
        "certificate_end_time": until.isoformat() if until else None,
        "settings_generation": live.generation,
        "waiting_settings": list(live.waiting),
        "task_count": len(asyncio.all_tasks()),
    }


async def _not_ready(request: Request) -> list[str]:
    calls: Calls = request.app.state.calls
    if calls.draining:
        return [NotReady.DRAINING.told()]
    readiness: Readiness = request.app.state.readiness
    missing = await readiness.not_serving()
    return [NotReady.WAITING_FOR_PEER.told(f"{name}, {why}") for name, why in missing.items()]


@router.get("/tasks")
async def get_tasks(request: Request) -> dict[str, Any]:
    """Every task of the loop, and where it waits."""
    _allowed(request)
    dump = dump_tasks(asyncio.all_tasks())
    return {"task_count": dump.count, "tasks": [asdict(task) for task in dump.tasks]}


@router.get("/profile")
async def get_profile(
    request: Request, seconds: Annotated[float, Query(gt=0, le=MAX_SECONDS)] = DEFAULT_SECONDS
) -> dict[str, Any]:
    """What the loop's thread did for some seconds; one profile at a time."""
    given = _allowed(request)
    try:
        profile = await given.profiler.capture(seconds)
    except ProfileUnderWay as error:
        headers = {"Retry-After": str(round(error.seconds) + 1)}
        raise Problem(
            409, "A profile is being taken; ask again when it is done.", headers
        ) from None
    stacks = [{"stack": stack, "sample_count": n} for stack, n in profile.stacks]
    return {"sample_count": profile.samples, "stacks": stacks}
