"""A whole call through five processes that know each other by certificates, which change meanwhile."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import grpc
import pytest
import pytest_asyncio
from cryptography import x509

from acs_standin.caller import PlacedCall
from cli.call import Conversation, Line
from cli.diagnostics import Process as Diagnosed
from cli.diagnostics import Refused
from cli.doctor_checks import Status
from cli.doctor_deployment import PODS
from cli.doctor_pods import ask
from cli.identity import identity_of
from cli.mesh import LocalMesh
from cli.parts import Part
from cli.ports import Ports
from meshkit.authorization import name_of
from meshkit.call_graph import SERVICES
from meshkit.endpoints import StaticEndpoints
from meshkit.errors import MeshError, PeerUnreachable, Reason
from meshkit.fleet import Fleet
from meshkit.identity import identified
from meshkit.tls import Files
from tests.support.certificates import PrivateCA, identity_settings
from tests.support.scripted_mesh import scripted_mesh
from tests.support.tonetext import encode
from voicemesh.session.v1.ownership_pb2 import AcquireCallRequest
from voicemesh.session.v1.ownership_pb2_grpc import CallOwnershipServiceStub

pytestmark = [
    pytest.mark.slow,  # a mesh of its own, and `make test` has a budget
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.slow,
    pytest.mark.timeout(180),
]

TOOL = 'tool search_knowledge_base {"query": "balance"}'
QUOTA = {
    "VOICEMESH_QUOTAS": '{"recognitions": {"limit": 10}}',
    "VOICEMESH_RECOGNIZER_QUOTA": "quotas/recognitions",
}
"""With it the speech-pool calls the session-store, so that every edge of the call graph is used."""

CALLERS = {
    "VOICEMESH_CALLERS": '{"ops.example.com": ["operator"], "ivr.example.com": ["speech-client"]}'
}
VOICEMESH = str(Path(sys.executable).parent / "voicemesh")
EXAMPLE = Path(__file__).parents[2] / "protos" / "examples" / "internal_caller.py"


class Secured:
    """The mesh with certificates of one CA, and what its processes logged."""

    def __init__(self, folder: Path) -> None:
        self.ca, self.folder = PrivateCA(), folder
        self.health = Ports.free()
        self.mesh: LocalMesh
        self.refusals: list[str] = []
        self._rotated: set[str] = set()
        self._all_rotated = asyncio.Event()

    def adapt(self, part: Part) -> Part:
        """Give a service its certificate, and its health a port that the runner can ask."""
        if part.name not in SERVICES:
            return part
        files = self.ca.files_for(self.folder / part.name, part.name)
        port = getattr(self.health, part.name.replace("-", "_"), 0)
        own = {**_variables(files), **({"VOICEMESH_HEALTH_PORT": str(port)} if port else {})}
        return replace(part, environment={**part.environment, **own}, grpc_port=port)

    def print_line(self, part: str, line: str) -> None:
        """Look at a line of a process's log."""
        if "certificate rotated" in line:
            self._rotated.add(part)
            if self._rotated >= set(SERVICES):
                self._all_rotated.set()
        if "caller refused" in line:
            self.refusals.append(line)

    async def rotate(self) -> None:
        """New certificates for everybody; waits until everybody says that they are taken."""
        for service in SERVICES:
            self.ca.files_for(self.folder / service, service)
        await asyncio.wait_for(self._all_rotated.wait(), 30)

    async def serial_offered(self, port: int) -> int:
        """The certificate that a new connection to a port is shown."""
        files = self.ca.files_for(self.folder / "looker", "gateway")
        context = ssl.create_default_context(cafile=files.ca)
        context.load_cert_chain(files.certificate, files.key)
        context.set_alpn_protocols(["h2"])
        _, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=context, server_hostname=name_of("speech-pool")
        )
        shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.close()
        return x509.load_der_x509_certificate(shown).serial_number

    def serial_on_disk(self, service: str) -> int:
        """The certificate in a service's file."""
        pem = (self.folder / service / "tls.crt").read_bytes()
        return x509.load_pem_x509_certificate(pem).serial_number

    async def acquire_as(self, files: Files, service: str) -> object:
        """Try to own a call as a service with these files."""
        request = AcquireCallRequest()
        store = StaticEndpoints(frozenset({f"127.0.0.1:{self.mesh.ports.session_store}"}))
        async with (
            identified(service, identity_settings(files)),
            Fleet("session-store", store) as fleet,
        ):
            return await fleet.unary(CallOwnershipServiceStub, "AcquireCall", request, timeout=5.0)


def _variables(files: Files) -> Mapping[str, str]:
    return {
        "VOICEMESH_TLS_CERTIFICATE": files.certificate,
        "VOICEMESH_TLS_KEY": files.key,
        "VOICEMESH_TLS_CA": files.ca,
        "VOICEMESH_TLS_CHECK_SECONDS": "0.1",
        "VOICEMESH_REQUIRE_IDENTITY": "true",
        "VOICEMESH_LOG_LEVEL": "info",
    }


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def secured(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Secured]:
    made = Secured(tmp_path_factory.mktemp("certificates"))
    async with scripted_mesh(
        environment=QUOTA | CALLERS, print_line=made.print_line, adapt=made.adapt
    ) as mesh:
        made.mesh = mesh
        yield made


async def said_in(call: PlacedCall, mesh: LocalMesh, *texts: str) -> list[str]:
    """What the caller was understood to say."""
    conversation = Conversation(call, lambda event: None, turn_seconds=20.0)
    await conversation.run([Line(text, encode(text)) for text in texts], mesh.control_url)
    return [text for who, text in conversation.progress.transcripts if who == "caller"]


async def test_a_call_with_a_tool_and_a_quota_passes_every_door(secured: Secured) -> None:
    async with PlacedCall(f"{secured.mesh.media_url}?scenario=banking") as call:
        assert await said_in(call, secured.mesh, TOOL) == [TOOL]
    assert secured.refusals == []


async def test_a_call_goes_on_while_certificates_change_and_new_ones_use_the_new(
    secured: Secured,
) -> None:
    port = secured.mesh.ports.speech_pool
    before = secured.serial_on_disk("speech-pool")
    assert await secured.serial_offered(port) == before
    async with PlacedCall(f"{secured.mesh.media_url}?scenario=banking") as call:
        conversation = Conversation(call, lambda event: None, turn_seconds=20.0)
        lines = [Line(text, encode(text)) for text in ("hello there", TOOL, "and again")]
        talking = asyncio.create_task(conversation.run(lines, secured.mesh.control_url))
        await secured.rotate()
        assert not talking.done(), "the call was over before the certificates changed"
        await talking
    heard = [text for who, text in conversation.progress.transcripts if who == "caller"]
    assert heard == [line.label for line in lines]
    after = secured.serial_on_disk("speech-pool")
    assert after != before
    assert await secured.serial_offered(port) == after
    async with PlacedCall(f"{secured.mesh.media_url}?scenario=banking") as call:
        assert await said_in(call, secured.mesh, TOOL) == [TOOL]
    assert secured.refusals == []


async def test_another_service_may_not_own_a_call(secured: Secured) -> None:
    files = secured.ca.files_for(secured.folder / "intruder", "orchestrator")
    with pytest.raises(MeshError) as caught:
        await secured.acquire_as(files, "orchestrator")
    assert caught.value.is_reason(Reason.CALLER_NOT_ALLOWED)
    told = json.loads(secured.refusals.pop())
    assert told["peer"] == "orchestrator.voicemesh"
    assert told["method"].endswith("/AcquireCall")


async def test_a_certificate_of_another_ca_is_nobodys(secured: Secured) -> None:
    files = PrivateCA("other").files_for(secured.folder / "other", "gateway")
    Path(files.ca).write_bytes(secured.ca.pem)
    with pytest.raises(PeerUnreachable) as caught:
        await secured.acquire_as(files, "gateway")
    assert caught.value.code is grpc.StatusCode.UNAVAILABLE


async def as_caller(secured: Secured, name: str, *command: str, cwd: Path) -> tuple[int, str, str]:
    """Run a command with the certificate of a caller outside the mesh, or of nobody."""
    own = {}
    if name:
        files = secured.ca.write(secured.folder / name, secured.ca.issue(name))
        own = {key: value for key, value in _variables(files).items() if "_TLS_" in key}
    run = await asyncio.create_subprocess_exec(
        *command,
        env={**os.environ, **own},
        cwd=cwd,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, errors = await asyncio.wait_for(run.communicate(), 60)
    assert run.returncode is not None
    return run.returncode, said.decode(), errors.decode()


async def test_an_operator_sees_the_pools_and_nobody_else_does(
    secured: Secured, tmp_path: Path
) -> None:
    at = ("--speech-pool", f"127.0.0.1:{secured.mesh.ports.speech_pool}")
    asked = (VOICEMESH, "pools", "--once", "--json", *at)
    code, said, errors = await as_caller(secured, "ops.example.com", *asked, cwd=tmp_path)
    assert code == 0, errors
    assert [pool["kind"] for pool in json.loads(said)["pools"]] == ["recognizer", "synthesizer"]
    code, _, errors = await as_caller(secured, "ivr.example.com", *asked, cwd=tmp_path)
    assert code == 3
    assert "PERMISSION_DENIED" in errors
    code, _, errors = await as_caller(secured, "", *asked, cwd=tmp_path)
    assert code == 3
    assert "UNAVAILABLE" in errors


async def test_the_example_program_speaks_as_a_speech_client(
    secured: Secured, tmp_path: Path
) -> None:
    pool = f"127.0.0.1:{secured.mesh.ports.speech_pool}"
    command = (sys.executable, str(EXAMPLE), "Your balance is 25 dollars.", "out.wav", pool)
    code, said, errors = await as_caller(secured, "ivr.example.com", *command, cwd=tmp_path)
    assert code == 0, errors
    assert "s of speech in out.wav" in said
    assert (tmp_path / "out.wav").stat().st_size > 1000
    code, _, errors = await as_caller(secured, "ops.example.com", *command, cwd=tmp_path)
    assert code == 1
    assert "CALLER_NOT_ALLOWED" in errors or "PERMISSION_DENIED" in errors


async def test_a_caller_by_text_speaks_as_a_speech_client(secured: Secured, tmp_path: Path) -> None:
    mesh = secured.mesh
    where = ("--media-url", mesh.media_url, "--control-url", mesh.control_url)
    pool = ("--speech-pool", f"127.0.0.1:{mesh.ports.speech_pool}")
    command = (VOICEMESH, "call", "--text", "hello", *where, *pool)
    code, said, errors = await as_caller(secured, "ivr.example.com", *command, cwd=tmp_path)
    assert code == 0, errors
    assert "agent   You said" in said


def process_as(secured: Secured, service: str, files: Files) -> Diagnosed:
    """A service as somebody with these files asks it."""
    port = getattr(secured.mesh.ports, service.replace("-", "_"))
    identity = identity_of(files.certificate, files.key, files.ca)
    return Diagnosed(service, f"127.0.0.1:{port}", identity)


async def test_an_operator_looks_into_every_service_and_a_service_into_none(
    secured: Secured,
) -> None:
    operator = secured.ca.write(secured.folder / "ops", secured.ca.issue("ops.example.com"))
    gateway = secured.ca.files_for(secured.folder / "curious", "gateway")
    for service in SERVICES[1:]:
        process = process_as(secured, service, operator)
        status, tasks = await process.status(), await process.tasks()
        assert (status["service"], status["not_ready_reasons"]) == (service, [])
        assert "certificate_end_time" in status
        places = [place for task in tasks["tasks"] for place in task["places"]]
        assert any(place.startswith("__main__.serve:") for place in places)
        with pytest.raises(Refused, match="VOICEMESH_CALLERS"):
            await process_as(secured, service, gateway).tasks()


async def test_the_doctor_as_an_operator_finds_every_pod_well(secured: Secured) -> None:
    operator = secured.ca.write(secured.folder / "ops", secured.ca.issue("ops.example.com"))
    identity = identity_of(operator.certificate, operator.key, operator.ca)
    targets = {
        f"{service.replace('-', '_')}_target": process_as(secured, service, operator).where
        for service in SERVICES[1:]
    }
    settings = SimpleNamespace(**{name: f"static:{where}" for name, where in targets.items()})
    told = await asyncio.gather(*(ask(pods, settings, identity) for pods in PODS))  # type: ignore[arg-type]
    found = [finding for service in told for pod in service for finding in pod.findings]
    worse = {finding.check for finding in found if finding.status is not Status.OK}
    assert {finding.check for finding in found} >= {*SERVICES[1:], "recognizer pool"}
    assert all(check.endswith(" certificate") for check in worse), "they last for a day"
