"""DiagnosticsService over the wire: who is told, then what `meshkit.diagnostics` finds.

A server with certificates has let in operators only (`meshkit.authorization`). One without does not
know who asks, so tasks and profiles are told there only while `VOICEMESH_DIAGNOSTICS` is true.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from meshkit.diagnostics import (
    DEFAULT_SECONDS,
    Profile,
    Profiler,
    ProfileUnderWay,
    TaskDump,
    dump_tasks,
)
from meshkit.errors import MeshError, Reason, invalid
from voicemesh.mesh.v1 import diagnostics_pb2 as pb
from voicemesh.mesh.v1.diagnostics_pb2_grpc import DiagnosticsServiceServicer

if TYPE_CHECKING:
    import grpc

    Context = grpc.aio.ServicerContext[Any, Any]

NAME = "voicemesh.mesh.v1.DiagnosticsService"
VERSION = version("voicemesh")


@dataclass(frozen=True, slots=True)
class Status:
    """What a process says of itself."""

    service: str
    started: datetime
    not_ready: tuple[str, ...] = ()
    certificate_until: datetime | None = None
    settings_generation: int = 0
    waiting_settings: tuple[str, ...] = ()


class DiagnosticsServicer(DiagnosticsServiceServicer):
    """`status` is asked for each time; `allowed`: whether tasks and profiles are told now."""

    def __init__(self, status: Callable[[], Status], allowed: Callable[[], bool]) -> None:
        self._status, self._allowed = status, allowed
        self._profiler = Profiler()

    async def GetStatus(  # noqa: N802 (as gRPC names it; so below)
        self, request: pb.GetStatusRequest, context: Context
    ) -> pb.GetStatusResponse:
        """What runs since when, and why it takes no work."""
        status = self._status()
        return pb.GetStatusResponse(
            service=status.service,
            version=VERSION,
            start_time=status.started,
            not_ready_reasons=status.not_ready,
            certificate_end_time=status.certificate_until,
            settings_generation=status.settings_generation,
            waiting_settings=status.waiting_settings,
            task_count=len(asyncio.all_tasks()),
        )

    async def GetTaskDump(  # noqa: N802
        self, request: pb.GetTaskDumpRequest, context: Context
    ) -> pb.GetTaskDumpResponse:
        """Every task of the loop, and where it waits."""
        self._check_allowed()
        return _dump_message(dump_tasks(asyncio.all_tasks()))

    async def CaptureProfile(  # noqa: N802
        self, request: pb.CaptureProfileRequest, context: Context
    ) -> pb.CaptureProfileResponse:
        """What the loop's thread did for some seconds."""
        self._check_allowed()
        given = request.HasField("duration")
        seconds = request.duration.ToTimedelta().total_seconds() if given else DEFAULT_SECONDS
        try:
            return _profile_message(await self._profiler.capture(seconds))
        except ValueError as error:
            raise invalid("duration", str(error)) from None
        except ProfileUnderWay as error:
            raise MeshError(
                Reason.PROFILE_UNDER_WAY, str(error), retry_after_seconds=error.seconds
            ) from None

    def _check_allowed(self) -> None:
        if not self._allowed():
            raise MeshError(
                Reason.DIAGNOSTICS_OFF,
                "this server has no certificate and so does not know who asks: set"
                " VOICEMESH_DIAGNOSTICS to true while you look, or give it a certificate",
            )


def _dump_message(dump: TaskDump) -> pb.GetTaskDumpResponse:
    tasks = (pb.TaskState(name=task.name, places=task.places) for task in dump.tasks)
    return pb.GetTaskDumpResponse(task_count=dump.count, tasks=tasks)


def _profile_message(profile: Profile) -> pb.CaptureProfileResponse:
    stacks = (pb.StackCount(stack=stack, sample_count=n) for stack, n in profile.stacks)
    return pb.CaptureProfileResponse(sample_count=profile.samples, stacks=stacks)
