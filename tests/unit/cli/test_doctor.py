"""`voicemesh doctor`: exit codes, output, and what it asks of this machine and of services."""

from __future__ import annotations

import json
import socket
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from click.testing import CliRunner, Result

from cli import doctor_probes as probes
from cli.doctor_checks import Finding, Status
from cli.main import main
from cli.ports import Ports
from gateway.settings import GatewaySettings
from memory.embedded import EmbeddedValkey
from meshkit.call_graph import SERVICES
from tests.support.certificates import PrivateCA
from tests.support.gateway_rig import NOWHERE, rig

OK, WARN, FAIL = Status.OK, Status.WARN, Status.FAIL


def run(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(main, ["doctor", *arguments], env=environment)


def by_check(findings: Sequence[Finding]) -> dict[str, Status]:
    return {finding.check: finding.status for finding in findings}


def test_the_machine_that_runs_these_tests_can_run_a_mesh(tmp_path: Path) -> None:
    result = run("--json", "--data", str(tmp_path / "not" / "there"))
    told = json.loads(result.stdout)
    found = {finding["check"]: finding for finding in told["findings"]}
    assert {"python", "platform", "disk", "ports", "valkey", "recogniser"} <= set(found)
    assert found["python"]["status"] == "ok"
    assert told["ok"] is (result.exit_code == 0)
    assert not (tmp_path / "not").exists(), "looking leaves nothing behind"


@pytest.mark.parametrize("arguments", [["--tidy"], ["extra"], ["--data"]])
def test_wrong_usage_ends_with_2(arguments: list[str]) -> None:
    assert run(*arguments).exit_code == 2


def test_a_deployment_that_is_not_there_ends_with_1_and_says_what_to_do() -> None:
    targets = {
        f"VOICEMESH_{name}_TARGET": NOWHERE
        for name in ("SPEECH_POOL", "ORCHESTRATOR", "SESSION_STORE", "TOOL_EXECUTOR")
    }
    url = f"http://127.0.0.1:{Ports.free().gateway_http}"
    result = run("--deployment", "--control-url", url, **targets)
    assert result.exit_code == 1
    for service in SERVICES:
        assert f"fail  {service}" in result.stdout
    assert "VOICEMESH_TOOL_EXECUTOR_TARGET" in result.stdout


def test_a_setting_that_is_wrong_is_a_finding_and_the_rest_is_checked() -> None:
    result = run("--deployment", "--json", VOICEMESH_MAX_CALLS="many")
    found = {f["check"]: f for f in json.loads(result.stdout)["findings"]}
    assert "VOICEMESH_MAX_CALLS" in found["gateway settings"]["said"]
    assert "tool-executor" in found


def test_ports_that_something_listens_on() -> None:
    ports = Ports.free()
    with socket.create_server(("127.0.0.1", 0)) as held:
        number = held.getsockname()[1]
        taken = probes.taken_ports(replace(ports, planner=number))
    assert taken["planner"] == number


async def test_services_that_serve_and_one_that_does_not() -> None:
    async with rig() as mesh:
        settings = mesh.settings.model_copy(update={"orchestrator_target": NOWHERE})
        speech = await probes.mesh_service("speech-pool", "gateway", settings, "speech_pool_target")
        store = await probes.mesh_service(
            "session-store", "gateway", settings, "session_store_target"
        )
        gone = await probes.mesh_service("orchestrator", "gateway", settings, "orchestrator_target")
        ready = await probes.gateway(mesh.http)
    assert by_check(speech) == {"speech-pool": OK, "recognizer pool": OK, "synthesizer pool": OK}
    assert by_check(store) == {"session-store": OK}
    assert by_check(gone) == {"orchestrator": FAIL}
    assert "UNAVAILABLE" in gone[0].said
    assert by_check(ready) == {"gateway": OK, "gateway version": OK, "clock": OK}


async def test_a_gateway_that_is_not_ready_says_why() -> None:
    async with rig(orchestrator_target=NOWHERE) as mesh:
        (found,) = await probes.gateway(mesh.http)
    assert found.status is FAIL
    assert "Not serving: orchestrator" in found.said


async def test_a_service_that_drains_does_not_serve() -> None:
    async with rig() as mesh:
        settings = mesh.settings
        server = mesh.servers["session-store"]
        await server._set_health(2)  # NOT_SERVING, as at the start of a drain
        (found,) = await probes.mesh_service(
            "session-store", "gateway", settings, "session_store_target"
        )
    assert (found.status, "NOT_SERVING" in found.said) == (FAIL, True)


async def test_names_resolve_or_are_a_finding() -> None:
    assert await probes.resolve("dns:localhost:50051")
    assert await probes.resolve("static:a:1,b:2") == ["a:1", "b:2"]
    settings = GatewaySettings(speech_pool_target="dns:nowhere.invalid:50051")
    (found,) = await probes.mesh_service("speech-pool", "gateway", settings, "speech_pool_target")
    assert (found.status, "does not resolve" in found.said) == (FAIL, True)


def test_certificates_are_read(tmp_path: Path) -> None:
    ca, now = PrivateCA(), datetime.now(UTC)
    files = ca.files_for(tmp_path, "gateway")
    settings = GatewaySettings(
        tls_certificate=files.certificate, tls_key=files.key, tls_ca=files.ca
    )
    (ending,) = probes.certificate("gateway", settings, now)
    assert ending.status is WARN, "a day is left"
    (foreign,) = probes.certificate("orchestrator", settings, now)
    assert foreign.status is FAIL
    assert probes.certificate("gateway", GatewaySettings(), now) == []


async def test_redis_that_is_not_set_is_none_or_is_away() -> None:
    common: dict[str, Any] = {"redis_cluster": False, "store_durability": "disk"}
    (unset,) = await probes.store({"redis_url": "", **common})
    (none,) = await probes.store({"redis_url": "nonsense", **common})
    away_url = f"redis://:hush@127.0.0.1:{Ports.free().valkey}/0"
    (away,) = await probes.store({"redis_url": away_url, **common})
    assert [unset.status, none.status, away.status] == [WARN, FAIL, FAIL]
    assert "hush" not in repr(away)


async def test_redis_that_keeps_what_it_is_given(tmp_path: Path) -> None:
    async with EmbeddedValkey(tmp_path, port=0) as valkey:
        common: dict[str, Any] = {"redis_cluster": False, "store_durability": "disk"}
        (found,) = await probes.store({"redis_url": valkey.url, **common})
    assert found.status is OK
    assert "durability disk" in found.said


async def test_the_clock_is_compared_with_the_date_of_a_server() -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(headers={"Date": "Tue, 24 Nov 2020 12:00:00 GMT"})

    app = web.Application()
    app.router.add_get("/", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
        (found,) = await probes.clock(url)
    finally:
        await runner.cleanup()
    assert found.status is FAIL
    assert "ahead of" in found.said
    (gone,) = await probes.clock(url)
    assert (gone.status, "--clock-reference" in gone.advice) == (FAIL, True)
