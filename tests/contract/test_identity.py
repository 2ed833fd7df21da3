"""Real connections with certificates: who gets in, who is refused with which reason, and rotation."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from meshkit.authorization import name_of
from meshkit.endpoints import StaticEndpoints
from meshkit.errors import MeshError, PeerUnreachable, Reason, from_rpc_error
from meshkit.fleet import Fleet
from meshkit.identity import identified
from meshkit.server import LIVENESS, MeshServer
from meshkit.settings import MeshSettings
from meshkit.startup import StartupError
from meshkit.tls import Certificates, Files
from tests.support.certificates import PrivateCA, identity_settings
from voicemesh.speech.v1 import speech_pool_pb2 as pb
from voicemesh.speech.v1 import speech_pool_pb2_grpc as pb_grpc

NAME = "voicemesh.speech.v1.SpeechPoolService"
STUB = pb_grpc.SpeechPoolServiceStub
NEVER = 3600.0


class Pool(pb_grpc.SpeechPoolServiceServicer):
    """Answers, and streams as long as it is told to."""

    def __init__(self) -> None:
        self.allocated = 0
        self.go_on = asyncio.Event()

    async def AllocateClient(self, request: Any, context: Any) -> pb.AllocateClientResponse:
        self.allocated += 1
        return pb.AllocateClientResponse()

    async def WatchPools(self, request: Any, context: Any) -> AsyncIterator[pb.WatchPoolsResponse]:
        yield pb.WatchPoolsResponse()
        await self.go_on.wait()
        yield pb.WatchPoolsResponse()


class Pod:
    """A speech-pool's server with a certificate, and what it was asked."""

    def __init__(self, folder: Path, ca: PrivateCA, **more: object) -> None:
        self.folder, self.ca, self.pool = folder, ca, Pool()
        files = ca.files_for(folder, "speech-pool")
        self.settings = identity_settings(files, tls_check_seconds=NEVER, **more)
        self.server: MeshServer
        self.certificates: Certificates

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with identified("speech-pool", self.settings) as certificates:
            assert certificates is not None
            self.certificates = certificates
            self.server = MeshServer("speech-pool", self.settings, port=0)
        pb_grpc.add_SpeechPoolServiceServicer_to_server(self.pool, self.server.grpc)
        self.server.serves(NAME)
        async with self.server:
            await self.server.ready()
            yield


@pytest.fixture(scope="module")
def ca() -> PrivateCA:
    return PrivateCA()


@pytest.fixture
async def pod(ca: PrivateCA, tmp_path: Path) -> AsyncIterator[Pod]:
    callers = {"ops.example.com": ["operator"], "ivr.example.com": ["speech-client"]}
    pod = Pod(tmp_path / "pod", ca, callers=callers, health_port=0)
    async with pod.running():
        yield pod


@asynccontextmanager
async def dialled(
    pod: Pod, files: Files, service: str = "gateway", callee: str = "speech-pool"
) -> AsyncIterator[tuple[Fleet, Certificates]]:
    """A fleet of the pod, dialled by a service with these files."""
    settings = identity_settings(files, tls_check_seconds=NEVER)
    source = StaticEndpoints(frozenset({pod.server.address}))
    async with identified(service, settings) as certificates:
        assert certificates is not None
        async with Fleet(callee, source) as fleet:
            yield fleet, certificates


async def allocate(fleet: Fleet) -> Any:
    return await fleet.unary(STUB, "AllocateClient", pb.AllocateClientRequest(), timeout=5.0)


@asynccontextmanager
async def channel(pod: Pod, files: Files) -> AsyncIterator[grpc.aio.Channel]:
    """A channel of a caller that is no service of the mesh."""
    read = [Path(path).read_bytes() for path in (files.ca, files.key, files.certificate)]
    options = Certificates.channel_options("speech-pool")
    credentials = grpc.ssl_channel_credentials(*read)
    async with grpc.aio.secure_channel(pod.server.address, credentials, options) as opened:
        yield opened


async def refused(pod: Pod, files: Files, method: str = "AllocateClient") -> MeshError:
    """How a caller with these files is refused."""
    async with channel(pod, files) as opened:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            if method == "WatchPools":
                async for _ in STUB(opened).WatchPools(pb.WatchPoolsRequest(), timeout=5.0):
                    pass
            else:
                await getattr(STUB(opened), method)(pb.AllocateClientRequest(), timeout=5.0)
    return from_rpc_error(caught.value)


# ------------------------------------------------------------------ callers


async def test_a_service_that_may_call_is_let_in(pod: Pod, ca: PrivateCA, tmp_path: Path) -> None:
    async with dialled(pod, ca.files_for(tmp_path / "gateway", "gateway")) as (fleet, _):
        await allocate(fleet)
        await allocate(fleet)
        assert await fleet.why_not() == ""
    assert pod.pool.allocated == 2


async def test_a_service_that_may_not_is_refused_and_named(
    pod: Pod, ca: PrivateCA, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    files = ca.files_for(tmp_path / "orchestrator", "orchestrator")
    with caplog.at_level(logging.WARNING, "meshkit.identity"):
        error = await refused(pod, files)
    assert error.is_reason(Reason.CALLER_NOT_ALLOWED)
    assert error.code is grpc.StatusCode.PERMISSION_DENIED
    assert error.domain == "speech-pool.voicemesh"
    method = f"/{NAME}/AllocateClient"
    assert error.metadata == {"caller": "orchestrator.voicemesh", "method": method}
    assert pod.pool.allocated == 0
    (record,) = caplog.records
    assert record.__dict__["peer"] == "orchestrator.voicemesh"
    assert record.__dict__["method"] == method


async def test_a_name_that_nobody_knows(pod: Pod, ca: PrivateCA, tmp_path: Path) -> None:
    error = await refused(pod, ca.write(tmp_path / "x", ca.issue("stranger.example.com")))
    assert error.is_reason(Reason.CALLER_UNKNOWN)
    assert error.code is grpc.StatusCode.UNAUTHENTICATED
    assert error.metadata["caller"] == "stranger.example.com"


async def test_a_common_name_is_no_identity(pod: Pod, ca: PrivateCA, tmp_path: Path) -> None:
    """gRPC offers it in the place of alternative names; also after the right one was let in."""
    async with dialled(pod, ca.files_for(tmp_path / "gateway", "gateway")) as (fleet, _):
        await allocate(fleet)
    error = await refused(pod, ca.write(tmp_path / "x", ca.issue(common_name="gateway.voicemesh")))
    assert error.is_reason(Reason.CALLER_UNKNOWN)
    assert pod.pool.allocated == 1


async def test_callers_outside_the_mesh_have_their_roles(
    pod: Pod, ca: PrivateCA, tmp_path: Path
) -> None:
    ivr = ca.write(tmp_path / "ivr", ca.issue("ivr.example.com"))
    ops = ca.write(tmp_path / "ops", ca.issue("ops.example.com"))
    async with channel(pod, ivr) as opened:
        await STUB(opened).AllocateClient(pb.AllocateClientRequest(), timeout=5.0)
    assert (await refused(pod, ops)).is_reason(Reason.CALLER_NOT_ALLOWED)
    assert (await refused(pod, ivr, "WatchPools")).is_reason(Reason.CALLER_NOT_ALLOWED)
    pod.pool.go_on.set()
    async with channel(pod, ops) as opened:
        found = [r async for r in STUB(opened).WatchPools(pb.WatchPoolsRequest(), timeout=5.0)]
    assert len(found) == 2


async def test_what_is_not_implemented_is_refused_before_it_says_so(
    pod: Pod, ca: PrivateCA, tmp_path: Path
) -> None:
    error = await refused(pod, ca.files_for(tmp_path / "o", "orchestrator"), "RenewLease")
    assert error.is_reason(Reason.CALLER_NOT_ALLOWED)


async def test_a_certificate_of_another_ca_gets_no_connection(pod: Pod, tmp_path: Path) -> None:
    """It trusts the mesh's CA and is signed by its own."""
    theirs = PrivateCA("their")
    files = theirs.files_for(tmp_path / "x", "gateway")
    Path(files.ca).write_bytes(pod.ca.pem)
    async with dialled(pod, files) as (fleet, _):
        with pytest.raises(PeerUnreachable):
            await allocate(fleet)
    assert pod.pool.allocated == 0


async def test_a_caller_without_a_certificate_gets_no_connection(pod: Pod) -> None:
    credentials = grpc.ssl_channel_credentials(pod.ca.pem)
    options = Certificates.channel_options("speech-pool")
    async with grpc.aio.secure_channel(pod.server.address, credentials, options) as opened:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await STUB(opened).AllocateClient(pb.AllocateClientRequest(), timeout=5.0)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    async with grpc.aio.insecure_channel(pod.server.address) as plain:
        with pytest.raises(grpc.aio.AioRpcError):
            await STUB(plain).AllocateClient(pb.AllocateClientRequest(), timeout=5.0)
    assert pod.pool.allocated == 0


async def test_a_caller_checks_whom_it_reached(pod: Pod, ca: PrivateCA, tmp_path: Path) -> None:
    """The address is right, the service behind it is another."""
    files = ca.files_for(tmp_path / "gateway", "gateway")
    async with dialled(pod, files, callee="session-store") as (fleet, _):
        with pytest.raises(PeerUnreachable):
            await allocate(fleet)
    assert pod.pool.allocated == 0


# ------------------------------------------------------------------ health


async def test_health_is_answered_without_a_certificate_and_nothing_else_is(pod: Pod) -> None:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{pod.server.health_port}") as plain:
        health, serving = health_pb2_grpc.HealthStub(plain), health_pb2.HealthCheckResponse.SERVING
        for name in ("", LIVENESS, NAME):
            request = health_pb2.HealthCheckRequest(service=name)
            assert (await health.Check(request, timeout=5.0)).status == serving
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await STUB(plain).AllocateClient(pb.AllocateClientRequest(), timeout=5.0)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_a_health_port_in_use_is_one_sentence(pod: Pod) -> None:
    settings = MeshSettings(health_port=pod.server.health_port)
    other = MeshServer("orchestrator", settings, port=0)
    with pytest.raises(StartupError, match="VOICEMESH_HEALTH_PORT"):
        await other.__aenter__()
    await other.stop()


# ------------------------------------------------------------------ rotation


async def test_new_connections_get_the_new_certificate_of_a_server(
    pod: Pod, ca: PrivateCA, tmp_path: Path
) -> None:
    """The old CA is gone from the server with it: who is still signed by that gets no connection."""
    old = ca.files_for(tmp_path / "old", "gateway")
    async with dialled(pod, old) as (before, _):
        await allocate(before)
        new_ca = PrivateCA("new")
        new_ca.files_for(pod.folder, "speech-pool")
        await pod.certificates.look()
        async with dialled(pod, new_ca.files_for(tmp_path / "new", "gateway")) as (after, _):
            await allocate(after)
        async with dialled(pod, old) as (late, _):
            with pytest.raises(PeerUnreachable):
                await allocate(late)
        await allocate(before)  # its connection is as it was
    assert pod.pool.allocated == 3


async def test_a_stream_goes_on_while_its_channel_is_dialled_again(
    pod: Pod, ca: PrivateCA, tmp_path: Path
) -> None:
    """The gateway's certificate gives way to an operator's, so that who asks can be told apart."""
    folder = tmp_path / "caller"
    both = ("gateway.voicemesh", "ops.example.com")
    files = ca.write(folder, ca.issue(*both))
    async with dialled(pod, files) as (fleet, certificates):
        stub = fleet.stub(STUB, pod.server.address)
        stream = stub.WatchPools(pb.WatchPoolsRequest(), timeout=30.0)
        await stream.read()
        ca.write(folder, ca.issue("gateway.voicemesh"))
        await certificates.look()
        await allocate(fleet)
        with pytest.raises(grpc.aio.AioRpcError) as caught:  # the new connection is not ops'
            await fleet.stub(STUB, pod.server.address).WatchPools(pb.WatchPoolsRequest()).read()
        assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED
        pod.pool.go_on.set()
        await stream.read()
        assert await stream.read() is grpc.aio.EOF
        assert await stream.code() is grpc.StatusCode.OK


async def test_channels_of_old_certificates_are_not_kept_without_end(
    pod: Pod, ca: PrivateCA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("meshkit.fleet.MAX_RETIRED", 2)
    folder = tmp_path / "gateway"
    async with dialled(pod, ca.files_for(folder, "gateway")) as (fleet, certificates):
        first = fleet.stub(STUB, pod.server.address)
        for _ in range(3):
            ca.files_for(folder, "gateway")
            await certificates.look()
        await allocate(fleet)
        await asyncio.sleep(0)
        with pytest.raises(grpc.aio.UsageError):
            await first.AllocateClient(pb.AllocateClientRequest(), timeout=5.0)


# ------------------------------------------------------------------ starting


async def test_the_azure_profile_does_not_start_without() -> None:
    with pytest.raises(StartupError, match=r"VOICEMESH_TLS_CERTIFICATE.*VOICEMESH_ALLOW_INSECURE"):
        async with identified("gateway", MeshSettings(profile="azure")):
            pass
    async with identified("gateway", MeshSettings(profile="azure", allow_insecure=True)) as nothing:
        assert nothing is None


async def test_any_profile_may_be_told_to_have_one() -> None:
    with pytest.raises(StartupError, match="VOICEMESH_REQUIRE_IDENTITY"):
        async with identified("gateway", MeshSettings(require_identity=True)):
            pass
    async with identified("gateway", MeshSettings()) as nothing:
        assert nothing is None


async def test_a_server_is_not_made_without_the_certificates_it_is_told_of(
    ca: PrivateCA, tmp_path: Path
) -> None:
    settings = identity_settings(ca.write(tmp_path, ca.issue(name_of("speech-pool"))))
    with pytest.raises(RuntimeError, match="identified"):
        MeshServer("speech-pool", settings, port=0)
