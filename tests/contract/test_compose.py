"""docker-compose.yml: the whole local mesh on one network, closed but for two ports on loopback."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from meshkit.call_graph import SERVICES, callees
from meshkit.targets import parse_target, split_address
from tests.support.service_settings import loaded, variables
from tests.support.strict_yaml import read_strictly

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = read_strictly((ROOT / "docker-compose.yml").read_text())
CONTAINERS: dict[str, dict[str, Any]] = COMPOSE["services"]
REQUIRED, DEFAULTED = re.compile(r"\$\{(\w+):\?[^}]+\}"), re.compile(r"\$\{(\w+):-([^}]*)\}")
DURATION = re.compile(r"(\d+)s")


def environment(service: str) -> dict[str, str]:
    """What a container is told when the caller has set only what must be set."""
    told = {}
    for name, value in CONTAINERS[service].get("environment", {}).items():
        told[name] = DEFAULTED.sub(r"\2", REQUIRED.sub("k" * 64, value))
    return told


def waits_for(container: str) -> set[str]:
    """What must be healthy before a container starts."""
    return set(CONTAINERS[container].get("depends_on", {}))


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_starts_with_what_it_is_told(service: str) -> None:
    settings = loaded(service, environment(service))
    assert settings.bind_host == "0.0.0.0"
    assert settings.profile == "local"


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_told_only_what_it_reads(service: str) -> None:
    assert set(environment(service)) - variables(service) == set()


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_knows_those_it_calls(service: str) -> None:
    told = environment(service)
    targets = {
        name.removeprefix("VOICEMESH_").removesuffix("_TARGET").lower().replace("_", "-"): value
        for name, value in told.items()
        if name.endswith("_TARGET")
    }
    assert set(targets) == callees(service)
    for callee, target in targets.items():
        # The name that a lease carries is the name that is dialled, so that it is one channel.
        address = environment(callee)["VOICEMESH_ADVERTISED_ADDRESS"]
        assert parse_target(target).addresses == (address,)


@pytest.mark.parametrize("service", SERVICES)
def test_an_advertised_address_leads_to_the_container(service: str) -> None:
    told = environment(service)
    host, port = split_address(told["VOICEMESH_ADVERTISED_ADDRESS"])
    assert host == service
    assert str(port) in (told.get("VOICEMESH_GRPC_PORT"), told.get("VOICEMESH_HTTP_PORT"))


def test_only_the_gateways_ports_are_published_and_on_loopback_only() -> None:
    published = {name: c["ports"] for name, c in CONTAINERS.items() if "ports" in c}
    assert published == {"gateway": ["127.0.0.1:8080:8080", "127.0.0.1:8081:8081"]}


def test_the_gateways_keys_are_asked_for_and_not_written_down() -> None:
    for name in ("VOICEMESH_MEDIA_KEY", "VOICEMESH_CONTROL_KEY"):
        value = CONTAINERS["gateway"]["environment"][name]
        found = REQUIRED.fullmatch(value)
        assert found, value
        assert found[1] == name


def test_all_share_the_one_network() -> None:
    assert set(COMPOSE["networks"]) == {"mesh"}
    assert all(container["networks"] == ["mesh"] for container in CONTAINERS.values())


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_container_is_confined_and_bounded(name: str) -> None:
    container = CONTAINERS[name]
    assert container["read_only"] is True
    assert container["cap_drop"] == ["ALL"]
    assert container["security_opt"] == ["no-new-privileges:true"]
    assert container["mem_limit"]
    assert container["pids_limit"]
    assert not {"privileged", "network_mode", "pid", "ipc", "cap_add"} & set(container)


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_writes_its_files_where_it_can(service: str) -> None:
    assert CONTAINERS[service]["tmpfs"][0].startswith("/tmp:")
    settings = loaded(service, environment(service))
    for name in ("data_folder", "audit_folder", "archive_path"):
        folder = getattr(settings, name, "")
        assert folder == "" or folder.startswith("/tmp/"), name


@pytest.mark.parametrize("name", CONTAINERS)
def test_an_image_has_a_version(name: str) -> None:
    tag = CONTAINERS[name]["image"].rpartition(":")[2]
    assert tag
    assert "latest" not in tag


@pytest.mark.parametrize("name", CONTAINERS)
def test_health_is_asked_within_the_container(name: str) -> None:
    test = CONTAINERS[name]["healthcheck"]["test"]
    assert test[0] == "CMD", "a shell is one more thing to go wrong"
    if name in SERVICES and name != "gateway":
        assert test[-1] == f"grpc://127.0.0.1:{environment(name)['VOICEMESH_GRPC_PORT']}"


def test_a_container_waits_for_those_it_calls() -> None:
    for service in SERVICES:
        assert callees(service) <= waits_for(service)
    assert "planner" in waits_for("orchestrator")
    assert "valkey" in waits_for("session-store")
    conditions = [c["condition"] for n in CONTAINERS for c in _conditions(n)]
    assert set(conditions) == {"service_healthy"}


def _conditions(name: str) -> list[dict[str, str]]:
    return list(CONTAINERS[name].get("depends_on", {}).values())


def test_nobody_waits_in_a_circle() -> None:
    left = {name: waits_for(name) for name in CONTAINERS}
    while free := [name for name, waits in left.items() if not waits & set(left)]:
        for name in free:
            del left[name]
    assert left == {}


@pytest.mark.parametrize("service", SERVICES)
def test_a_container_is_given_longer_than_it_drains(service: str) -> None:
    found = DURATION.fullmatch(CONTAINERS[service]["stop_grace_period"])
    assert found
    drain = loaded(service, environment(service)).drain_seconds
    assert int(found[1]) >= 2 * drain + 5


def test_the_embedded_engines_are_where_they_are_used() -> None:
    local = {
        name
        for name, container in CONTAINERS.items()
        if container.get("build", {}).get("args", {}).get("PROFILE") == "local"
    }
    assert local == {"speech-pool", "planner"}


def test_valkey_loses_nothing_that_was_answered() -> None:
    command = CONTAINERS["valkey"]["command"]
    options = dict(zip(command[1::2], command[2::2], strict=True))
    assert options["--protected-mode"] == "no", "it would refuse the session-store"
    assert options["--appendonly"] == "yes"
    assert options["--appendfsync"] == "always"
    assert options["--maxmemory-policy"] == "noeviction"
    assert CONTAINERS["valkey"]["volumes"] == ["valkey:/data"]


def test_the_ring_of_telemetry_is_of_one_machine_only() -> None:
    """It listens on loopback, where no other container can tell it anything."""
    for service in SERVICES:
        assert loaded(service, environment(service)).telemetry_ring_port is None
