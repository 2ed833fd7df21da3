"""DiagnosticsService over real connections: who is told, what, and how much of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from grpc_health.v1 import health_pb2_grpc

from meshkit.errors import MeshError, Reason, from_rpc_error
from meshkit.health import Answer, NotReady, asked
from meshkit.identity import identified
from meshkit.server import MeshServer
from meshkit.settings import MeshSettings
from tests.support.certificates import PrivateCA, identity_settings
from voicemesh.mesh.v1 import diagnostics_pb2 as pb
from voicemesh.mesh.v1.diagnostics_pb2_grpc import DiagnosticsServiceStub

ROOT = Path(__file__).parents[2]
SECRET = "Ada Lovelace, 4111 1111 1111 1111"
METHODS = ("GetStatus", "GetTaskDump", "CaptureProfile")


@dataclass
class Asked:
    """A server, and a channel to it."""

    server: MeshServer
    channel: grpc.aio.Channel

    async def __call__(self, method: str, request: Any = None, timeout: float = 5.0) -> Any:
        """Ask. Raises MeshError."""
        made = request if request is not None else getattr(pb, f"{method}Request")()
        try:
            return await getattr(DiagnosticsServiceStub(self.channel), method)(
                made, timeout=timeout
            )
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from None

    async def refused(self, method: str, request: Any = None, timeout: float = 5.0) -> MeshError:
        """The refusal."""
        with pytest.raises(MeshError) as caught:
            await self(method, request, timeout)
        return caught.value

    async def profile(self, seconds: float, timeout: float = 5.0) -> Any:
        return await self("CaptureProfile", for_seconds(seconds), timeout)


def for_seconds(seconds: float) -> pb.CaptureProfileRequest:
    return pb.CaptureProfileRequest(
        duration=Duration(nanos=round(seconds % 1 * 1e9), seconds=int(seconds))
    )


@asynccontextmanager
async def running(settings: MeshSettings) -> AsyncIterator[Asked]:
    server = MeshServer("session-store", settings, port=0)
    async with server, grpc.aio.insecure_channel(server.address) as channel:
        yield Asked(server, channel)


# ------------------------------------------------------------------ without certificates


async def test_a_server_that_does_not_know_who_asks_tells_its_status_only() -> None:
    async with running(MeshSettings()) as ask:
        status = await ask("GetStatus")
        for method in METHODS[1:]:
            error = await ask.refused(method)
            assert error.is_reason(Reason.DIAGNOSTICS_OFF)
            assert "VOICEMESH_DIAGNOSTICS" in error.message
    assert (status.service, status.version) == ("session-store", version("voicemesh"))
    assert not status.HasField("certificate_end_time")


async def test_it_tells_more_while_the_setting_is_on_which_is_live() -> None:
    settings = MeshSettings()
    async with running(settings) as ask:
        settings.live.change("diagnostics", True, False)
        assert (await ask("GetTaskDump")).task_count > 0
        settings.live.change("diagnostics", False, True)
        assert (await ask.refused("GetTaskDump")).is_reason(Reason.DIAGNOSTICS_OFF)


async def test_the_status_follows_readiness_and_settings() -> None:
    settings = MeshSettings(drain_seconds=0)
    async with running(settings) as ask:
        began = (await ask("GetStatus")).start_time.ToDatetime(UTC)
        assert abs((datetime.now(UTC) - began).total_seconds()) < 60
        assert list((await ask("GetStatus")).not_ready_reasons) == ["starting"]
        ask.server.not_ready(NotReady.WAITING_FOR_TOOLS, "PeerUnreachable")
        told = list((await ask("GetStatus")).not_ready_reasons)
        assert told == ["waiting for the tool-executor: PeerUnreachable"]
        await ask.server.ready()
        settings.live.taken_over(["grpc_port"])
        settings.live.taken_over(["grpc_port", "bind_host"])
        status = await ask("GetStatus")
    assert list(status.not_ready_reasons) == []
    assert status.settings_generation == 2
    assert list(status.waiting_settings) == ["grpc_port", "bind_host"]


async def test_health_tells_reason_and_version_behind_its_answer() -> None:
    async with running(MeshSettings()) as ask:
        stub = health_pb2_grpc.HealthStub(ask.channel)
        ask.server.not_ready(NotReady.WAITING_FOR_REDIS)
        waiting = await asked(stub, 5.0)
        await ask.server.ready()
        ready = await asked(stub, 5.0)
    ours = version("voicemesh")
    assert waiting == Answer(False, "NOT_SERVING", "waiting for redis", ours)
    assert ready == Answer(True, "SERVING", "", ours)


async def wait_for(said: str, gate: asyncio.Event) -> str:
    await gate.wait()
    return said


async def test_tasks_are_told_by_their_code_and_without_a_value() -> None:
    gate = asyncio.Event()
    async with running(MeshSettings(diagnostics=True)) as ask:
        waiting = asyncio.create_task(wait_for(SECRET, gate), name="waits")
        dump = await ask("GetTaskDump")
        profile = await ask.profile(0.1)
        gate.set()
        assert await waiting == SECRET
    (ours,) = [task for task in dump.tasks if task.name == "waits"]
    assert ".wait_for:" in ours.places[0]
    assert dump.task_count == len(dump.tasks)
    told = str(dump) + str(profile)
    assert not any(part in told for part in ("Ada", "Lovelace", "4111"))
    assert sum(row.sample_count for row in profile.stacks) == profile.sample_count > 0


async def test_a_profile_is_bounded_and_one_at_a_time() -> None:
    async with running(MeshSettings(diagnostics=True)) as ask:
        for seconds in (0.0, 30.5):
            error = await ask.refused("CaptureProfile", for_seconds(seconds))
            assert error.is_reason(Reason.ARGUMENT_INVALID)
            assert "duration" in error.fields
        answers = await asyncio.gather(
            *(ask.profile(0.4) for _ in range(3)), return_exceptions=True
        )
        refused = [answer for answer in answers if isinstance(answer, MeshError)]
        assert [error.reason for error in refused] == ["PROFILE_UNDER_WAY"] * 2
        assert all(0 < (error.retry_after_seconds or 0) <= 0.4 for error in refused)


async def test_a_profile_that_nobody_waits_for_any_more_makes_room() -> None:
    async with running(MeshSettings(diagnostics=True)) as ask:
        assert (await ask.refused("CaptureProfile", timeout=0.2)).reason == "DEADLINE_EXCEEDED"
        answer: Any = None
        async with asyncio.timeout(5):
            while not isinstance(answer, pb.CaptureProfileResponse):
                (answer,) = await asyncio.gather(ask.profile(0.05), return_exceptions=True)
        assert answer.sample_count > 0


@pytest.mark.parametrize("reason", NotReady)
def test_every_reason_is_given_by_the_product(reason: NotReady) -> None:
    sources = [*(ROOT / "libs" / "meshkit").rglob("*.py"), *(ROOT / "services").rglob("*.py")]
    assert any(f"NotReady.{reason.name}" in path.read_text() for path in sources)


# ------------------------------------------------------------------ with certificates


@asynccontextmanager
async def asked_as(name: str, folder: Path, **more: Any) -> AsyncIterator[Asked]:
    """Ask a server with a certificate, by a certificate with this name."""
    ca = PrivateCA()
    settings = identity_settings(
        ca.files_for(folder / "server", "session-store"),
        callers={"ops.example.com": ["operator"], "ivr.example.com": ["speech-client"]},
        **more,
    )
    mine = ca.issue(name)
    credentials = grpc.ssl_channel_credentials(ca.pem, mine.key, mine.certificate)
    options = [("grpc.ssl_target_name_override", "session-store.voicemesh")]
    async with identified("session-store", settings):
        server = MeshServer("session-store", settings, port=0)
    async with (
        server,
        grpc.aio.secure_channel(server.address, credentials, options=options) as channel,
    ):
        yield Asked(server, channel)


async def test_an_operator_is_told_without_a_setting(tmp_path: Path) -> None:
    async with asked_as("ops.example.com", tmp_path) as ask:
        status = await ask("GetStatus")
        assert (await ask("GetTaskDump")).task_count > 0
        assert (await ask.profile(0.05)).sample_count > 0
    left = status.certificate_end_time.ToDatetime(UTC) - datetime.now(UTC)
    assert 0 < left.total_seconds() < 86_400


@pytest.mark.parametrize("name", ["gateway.voicemesh", "ivr.example.com", "nobody.example.com"])
async def test_nobody_else_is_told_whatever_the_setting(name: str, tmp_path: Path) -> None:
    known = name != "nobody.example.com"
    async with asked_as(name, tmp_path, diagnostics=True) as ask:
        for method in METHODS:
            error = await ask.refused(method)
            wanted = Reason.CALLER_NOT_ALLOWED if known else Reason.CALLER_UNKNOWN
            assert error.is_reason(wanted)
