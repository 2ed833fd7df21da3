"""The doctor and pods that know their callers by certificates: an operator, a service, strangers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from cli.doctor_checks import Finding, Status
from cli.doctor_deployment import deployment
from cli.doctor_pods import Pods, ask
from cli.identity import identity_of
from gateway.settings import GatewaySettings
from meshkit.identity import identified
from meshkit.server import MeshServer
from meshkit.tls import Files
from tests.support.certificates import PrivateCA, identity_settings
from tests.support.gateway_rig import NOWHERE
from voicemesh.speech.v1 import speech_pool_pb2 as pb
from voicemesh.speech.v1.speech_pool_pb2_grpc import (
    SpeechPoolServiceServicer,
    add_SpeechPoolServiceServicer_to_server,
)

OK, WARN, FAIL = Status.OK, Status.WARN, Status.FAIL
PODS = Pods("speech-pool", "gateway", "speech_pool_target")


class OnePool(SpeechPoolServiceServicer):
    """A pool of recognisers."""

    async def GetPoolStats(self, request: Any, context: Any) -> pb.GetPoolStatsResponse:
        closed = pb.BreakerState.BREAKER_STATE_CLOSED
        kind = pb.ClientKind.CLIENT_KIND_RECOGNIZER
        pool = pb.PoolStats(client_kind=kind, max_size=7, breaker_state=closed)
        return pb.GetPoolStatsResponse(pools=[pool])


class Secured:
    """A speech-pool with a certificate, its CA, and a folder for more."""

    def __init__(self, folder: Path) -> None:
        self.ca, self.folder = PrivateCA(), folder
        self.address = ""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        files = self.ca.files_for(self.folder / "pod", "speech-pool")
        settings = identity_settings(files, callers={"ops.example.com": ["operator"]})
        async with identified("speech-pool", settings):
            server = MeshServer("speech-pool", settings, port=0)
        add_SpeechPoolServiceServicer_to_server(OnePool(), server.grpc)
        async with server:
            await server.ready()
            self.address = server.address
            yield

    async def asked(
        self, files: Files | None, operator: Files | None = None, pods: Pods = PODS
    ) -> dict[str, Finding]:
        """What the doctor finds where the gateway's settings name these files."""
        tls = (
            {"tls_certificate": files.certificate, "tls_key": files.key, "tls_ca": files.ca}
            if files
            else {}
        )
        target = f"static:{self.address}"
        settings = GatewaySettings(
            speech_pool_target=target,
            orchestrator_target=target,
            **tls,  # type: ignore[arg-type]
        )
        given = identity_of(operator.certificate, operator.key, operator.ca) if operator else None
        told = await ask(pods, settings, given)
        return {finding.check: finding for pod in told for finding in pod.findings}


@pytest.fixture
async def secured(tmp_path: Path) -> AsyncIterator[Secured]:
    made = Secured(tmp_path)
    async with made.running():
        yield made


def statuses(found: dict[str, Finding]) -> dict[str, Status]:
    return {check: finding.status for check, finding in found.items()}


def advice(found: Sequence[Finding]) -> str:
    return " ".join(finding.advice for finding in found)


async def test_an_operator_is_told_all(secured: Secured) -> None:
    operator = secured.ca.write(secured.folder / "ops", secured.ca.issue("ops.example.com"))
    found = await secured.asked(None, operator)
    assert statuses(found) == {
        "speech-pool": OK,
        "speech-pool version": OK,
        f"speech-pool {secured.address} certificate": WARN,
        "recognizer pool": OK,
    }, "a certificate of a day ends soon"


async def test_the_gateways_certificate_is_told_health_and_version(secured: Secured) -> None:
    gateway = secured.ca.files_for(secured.folder / "gateway", "gateway")
    found = await secured.asked(gateway)
    assert statuses(found) == {
        "speech-pool": OK,
        "speech-pool version": OK,
        "speech-pool status": WARN,
        "speech pools": WARN,
    }
    assert "--tls-certificate" in found["speech pools"].advice


async def test_no_certificate_is_no_way_in(secured: Secured) -> None:
    found = await secured.asked(None)
    assert statuses(found) == {"speech-pool": FAIL}


async def test_a_certificate_of_another_ca_is_no_way_in_and_the_cas_are_named(
    secured: Secured,
) -> None:
    other = PrivateCA("other")
    found = await secured.asked(other.files_for(secured.folder / "other", "gateway"))
    assert statuses(found) == {"speech-pool": FAIL}
    assert "CAs" in advice(list(found.values()))


async def test_another_service_at_the_address_is_found_out(secured: Secured) -> None:
    gateway = secured.ca.files_for(secured.folder / "gateway", "gateway")
    pods = Pods("orchestrator", "gateway", "orchestrator_target")
    found = await secured.asked(gateway, pods=pods)
    assert statuses(found) == {"orchestrator": FAIL}


async def test_a_certificate_that_is_not_the_callers_is_a_finding(secured: Secured) -> None:
    foreign = secured.ca.files_for(secured.folder / "foreign", "tool-executor")
    found = await secured.asked(foreign)
    assert statuses(found) == {"speech-pool": FAIL}
    assert "gateway.voicemesh" in found["speech-pool"].advice


async def test_in_a_pod_all_are_asked_with_the_certificate_of_that_pod(
    secured: Secured, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = secured.ca.files_for(secured.folder / "gateway", "gateway")
    pod = {
        "TLS_CERTIFICATE": files.certificate,
        "TLS_KEY": files.key,
        "TLS_CA": files.ca,
        "SPEECH_POOL_TARGET": f"static:{secured.address}",
        **{f"{name}_TARGET": NOWHERE for name in ("ORCHESTRATOR", "SESSION_STORE")},
        "TOOL_EXECUTOR_TARGET": NOWHERE,
        "MODEL_BASE_URL": "http://127.0.0.1:9/v1",
    }
    for name, value in pod.items():
        monkeypatch.setenv(f"VOICEMESH_{name}", value)
    found = await deployment("http://127.0.0.1:9", "")
    told = {finding.check: finding for finding in found}
    certificates = [check for check in told if check.endswith(" certificate")]
    assert certificates == ["gateway certificate"]
    assert told["speech-pool"].status is OK
    for service in ("orchestrator", "session-store", "tool-executor"):
        assert "UNAVAILABLE" in told[service].said, "asked, whoever's certificate it is"
