"""`voicemesh doctor`: exit codes, output, and what it asks of this machine and of services."""

from __future__ import annotations

import json
import socket
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from click.testing import CliRunner, Result

from cli import doctor_deployment as deployed
from cli import doctor_machine, doctor_pods
from cli.doctor_checks import Finding, Status
from cli.main import main
from cli.ports import Ports
from gateway.settings import GatewaySettings
from memory.embedded import EmbeddedUnavailable, EmbeddedValkey
from meshkit.call_graph import SERVICES
from meshkit.health import NotReady
from tests.support.appconfig_emulator import AppConfigEmulator
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
        taken = doctor_machine.taken_ports(replace(ports, planner=number))
    assert taken["planner"] == number


async def ask(service: str, settings: Any) -> list[Finding]:
    """What the pods of a service are found to be."""
    (pods,) = [pods for pods in deployed.PODS if pods.service == service]
    return [finding for told in await doctor_pods.ask(pods, settings) for finding in told.findings]


async def test_services_that_serve_and_one_that_does_not() -> None:
    async with rig() as mesh:
        settings = mesh.settings.model_copy(update={"orchestrator_target": NOWHERE})
        speech = await ask("speech-pool", settings)
        store = await ask("session-store", settings)
        gone = await ask("orchestrator", settings)
        ready = await deployed.gateway(mesh.http)
    assert by_check(speech) == {
        "speech-pool": OK,
        "speech-pool version": OK,
        "recognizer pool": OK,
        "synthesizer pool": OK,
    }
    assert by_check(store) == {"session-store": OK, "session-store version": OK}
    assert by_check(gone) == {"orchestrator": FAIL}
    assert "UNAVAILABLE" in gone[0].said
    assert by_check(ready) == {"gateway": OK, "gateway version": OK, "clock": OK}


async def test_a_gateway_that_is_not_ready_says_why() -> None:
    async with rig(orchestrator_target=NOWHERE) as mesh:
        found = await deployed.gateway(mesh.http)
    assert by_check(found) == {"gateway": FAIL, "gateway version": OK, "clock": OK}
    assert "Not serving: orchestrator (UNAVAILABLE)" in found[0].said


async def test_a_gateway_with_a_key_tells_its_status_to_who_has_it() -> None:
    key = "k" * 32
    async with rig(control_key=key) as mesh:
        mesh.settings.live.taken_over(["max_calls"])
        without = await deployed.gateway(mesh.http)
        with_it = await deployed.gateway(mesh.http, key)
    assert by_check(without)["gateway status"] is WARN
    assert "gateway status" not in by_check(with_it)
    assert by_check(with_it)["gateway settings"] is WARN


async def test_a_service_that_takes_no_work_says_why_and_the_doctor_what_to_do() -> None:
    async with rig() as mesh:
        server = mesh.servers["session-store"]
        await server._set_health(2)  # NOT_SERVING, as before it is ready
        server.not_ready(NotReady.WAITING_FOR_REDIS)
        found = await ask("session-store", mesh.settings)
    assert by_check(found) == {"session-store": FAIL, "session-store version": OK}
    assert found[0].said.endswith("NOT_SERVING: waiting for redis")
    assert "VOICEMESH_REDIS_URL" in found[0].advice


async def test_a_service_of_another_version_and_with_settings_that_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with rig() as mesh:
        monkeypatch.setattr(doctor_pods, "installed_version", lambda name: "0.0.1")
        mesh.servers["session-store"]._settings.live.taken_over(["grpc_port"])
        found = await ask("session-store", mesh.settings)
    version, settings = found[1:]
    assert (version.status, "this command is 0.0.1" in version.said) == (WARN, True)
    assert (settings.status, "grpc_port" in settings.said) == (WARN, True)


async def test_names_resolve_or_are_a_finding() -> None:
    assert await doctor_pods.resolve("dns:localhost:50051")
    assert await doctor_pods.resolve("static:a:1,b:2") == ["a:1", "b:2"]
    settings = GatewaySettings(speech_pool_target="dns:nowhere.invalid:50051")
    (found,) = await ask("speech-pool", settings)
    assert (found.status, "does not resolve" in found.said) == (FAIL, True)


def test_certificates_are_read_as_those_of_the_service_that_they_are_of(tmp_path: Path) -> None:
    ca, now = PrivateCA(), datetime.now(UTC)
    files = ca.files_for(tmp_path, "orchestrator")
    settings = GatewaySettings(
        tls_certificate=files.certificate, tls_key=files.key, tls_ca=files.ca
    )
    pod = {"gateway": settings, "orchestrator": settings, "tool-executor": settings}
    (ending,) = deployed.certificates(pod, now)
    assert (ending.check, ending.status) == ("orchestrator certificate", WARN), "a day is left"
    (foreign,) = deployed.certificates({"gateway": settings}, now)
    assert (foreign.check, foreign.status) == ("gateway certificate", FAIL)
    (late,) = deployed.certificates(pod, now + timedelta(days=2))
    assert (late.status, "expired" in late.said) == (FAIL, True)
    assert deployed.certificates({"gateway": GatewaySettings()}, now) == []
    assert deployed.own_identity({"gateway": settings}) is None
    mine = deployed.own_identity(pod)
    assert mine is not None
    assert mine.certificate == Path(files.certificate).read_bytes()


async def test_redis_that_is_not_set_is_none_or_is_away() -> None:
    common: dict[str, Any] = {"redis_cluster": False, "store_durability": "disk"}
    (unset,) = await deployed.store({"redis_url": "", **common})
    (none,) = await deployed.store({"redis_url": "nonsense", **common})
    away_url = f"redis://:hush@127.0.0.1:{Ports.free().valkey}/0"
    (away,) = await deployed.store({"redis_url": away_url, **common})
    assert [unset.status, none.status, away.status] == [WARN, FAIL, FAIL]
    assert "hush" not in repr(away)


async def test_redis_that_keeps_what_it_is_given(tmp_path: Path) -> None:
    async with EmbeddedValkey(tmp_path, port=0) as valkey:
        common: dict[str, Any] = {"redis_cluster": False, "store_durability": "disk"}
        (found,) = await deployed.store({"redis_url": valkey.url, **common})
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
        (found,) = await deployed.clock(url)
    finally:
        await runner.cleanup()
    assert found.status is FAIL
    assert "ahead of" in found.said
    (gone,) = await deployed.clock(url)
    assert (gone.status, "--clock-reference" in gone.advice) == (FAIL, True)


async def test_the_model_endpoint_is_asked_with_the_key_which_is_not_shown() -> None:
    async def models(request: web.Request) -> web.Response:
        given = request.headers.get("Authorization") or request.headers.get("api-key")
        return web.Response(status=200 if given in ("Bearer hush", "hush") else 401)

    app = web.Application()
    app.router.add_get("/v1/models", models)
    app.router.add_get("/openai/models", models)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    open_ai = {"azure_openai_endpoint": "", "model_base_url": f"{url}/v1"}
    azure = {"azure_openai_endpoint": url, "azure_openai_api_version": "2024-10-21"}
    try:
        (right,) = await deployed.model(open_ai | {"model_api_key": "hush"})
        (wrong,) = await deployed.model(open_ai | {"model_api_key": "loud"})
        (on_azure,) = await deployed.model(azure | {"azure_openai_api_key": "hush"})
    finally:
        await runner.cleanup()
    (gone,) = await deployed.model(open_ai | {"model_api_key": "hush"})
    found = [right, wrong, on_azure, gone]
    assert [finding.status for finding in found] == [OK, FAIL, OK, WARN]
    assert not any(word in repr(found) for word in ("hush", "loud"))


def test_a_machine_without_valkey_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> Path:
        raise EmbeddedUnavailable("install valkey-server")

    assert doctor_machine._valkey().status is OK
    monkeypatch.setattr(doctor_machine, "find_binary", none)
    found = doctor_machine._valkey()
    assert (found.status, found.advice) == (WARN, "install valkey-server")


async def test_the_embeddings_endpoint_is_asked_too() -> None:
    async def models(request: web.Request) -> web.Response:
        return web.Response(status=200 if "Authorization" in request.headers else 401)

    app = web.Application()
    app.router.add_get("/v1/models", models)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    where = {"embeddings_base_url": f"http://127.0.0.1:{runner.addresses[0][1]}/v1"}
    try:
        (right,) = await deployed.embeddings(where | {"embeddings_api_key": "hush"})
        (wrong,) = await deployed.embeddings(where | {"embeddings_api_key": ""})
    finally:
        await runner.cleanup()
    (gone,) = await deployed.embeddings(where | {"embeddings_api_key": "hush"})
    assert [finding.status for finding in (right, wrong, gone)] == [OK, FAIL, WARN]
    assert "VOICEMESH_EMBEDDINGS_BASE_URL" in gone.advice


async def test_app_configuration_that_answers_and_that_is_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with AppConfigEmulator() as store:
        monkeypatch.setenv("AZURE_APPCONFIG_ENDPOINT", store.connection_string)
        _, found = await deployed.load()
        assert by_check(found) == {"app configuration": OK}
        monkeypatch.setenv("VOICEMESH_APPCONFIG_START_SECONDS", "0.5")
    _, found = await deployed.load()
    assert by_check(found) == {"app configuration": WARN}
    monkeypatch.setenv("VOICEMESH_APPCONFIG_REQUIRED", "true")
    _, found = await deployed.load()
    assert by_check(found) == {"app configuration": FAIL}
    assert store.connection_string not in repr(found)
