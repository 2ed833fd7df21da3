"""What the chart tells a service is what that service reads, and it starts with it."""

from __future__ import annotations

import pytest

from meshkit.call_graph import SERVICES, callees
from meshkit.targets import parse_target, split_address
from tests.support.helm_chart import NAMESPACE, HelmChart, Objects
from tests.support.pod_environment import config_of, environment
from tests.support.ports import PORTS
from tests.support.service_settings import loaded, variables


def secret_variables(objects: Objects, component: str) -> set[str]:
    """The variables that come from Secrets."""
    env = objects.containers()[component]["env"]
    return {v["name"] for v in env if "secretKeyRef" in v.get("valueFrom", {})}


@pytest.mark.parametrize("component", SERVICES)
def test_a_component_is_told_only_what_it_reads(objects: Objects, component: str) -> None:
    """A variable that no field reads would be passed over in silence."""
    told = {name for name in environment(objects, component) if name.startswith("VOICEMESH_")}
    assert told - variables(component) == set()


@pytest.mark.parametrize("component", SERVICES)
def test_a_component_starts_with_what_it_is_told(objects: Objects, component: str) -> None:
    settings = loaded(component, environment(objects, component))
    grpc = PORTS[component].get("grpc")
    assert settings.bind_host == "0.0.0.0"
    assert settings.advertised_address == f"10.0.0.7:{grpc or PORTS[component]['http']}"
    assert getattr(settings, "grpc_port", None) == grpc


@pytest.mark.parametrize("component", SERVICES)
def test_nothing_is_told_twice(objects: Objects, component: str) -> None:
    container = objects.containers()[component]
    names = [v["name"] for v in container["env"]] + list(config_of(objects, container))
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("component", SERVICES)
def test_a_component_knows_those_it_calls_and_no_others(objects: Objects, component: str) -> None:
    told = environment(objects, component)
    targets = {name for name in told if name.endswith("_TARGET")}
    expected = {f"VOICEMESH_{c.replace('-', '_').upper()}_TARGET" for c in callees(component)}
    assert targets == expected
    assert {v for v in variables(component) if v.endswith("_TARGET")} == expected


@pytest.mark.parametrize("component", SERVICES)
def test_a_target_is_the_name_and_port_of_a_service(objects: Objects, component: str) -> None:
    services = objects.by_component("Service")
    told = environment(objects, component)
    for callee in callees(component):
        target = parse_target(told[f"VOICEMESH_{callee.replace('-', '_').upper()}_TARGET"])
        host, port = split_address(target.addresses[0])
        assert target.scheme == "dns"
        assert host == f"{services[callee]['metadata']['name']}.{NAMESPACE}.svc"
        assert port == PORTS[callee]["grpc"]


def test_keys_come_from_secrets(chart: HelmChart) -> None:
    objects = chart.render(chart.shipped("azure"))
    assert {name: secret_variables(objects, name) for name in SERVICES} == {
        "gateway": {"VOICEMESH_MEDIA_KEY", "VOICEMESH_CONTROL_KEY"},
        "speech-pool": set(),
        "orchestrator": {"VOICEMESH_MODEL_API_KEY"},
        "tool-executor": {"VOICEMESH_EMBEDDINGS_API_KEY"},
        "session-store": {"VOICEMESH_REDIS_URL"},
    }


def test_the_chart_makes_no_secrets(objects: Objects) -> None:
    assert objects.of("Secret") == []


def test_a_variable_is_set_before_it_is_referred_to(objects: Objects) -> None:
    """Kubernetes expands $(POD_IP) only from what stands above."""
    for container in objects.containers().values():
        assert container["env"][0]["name"] == "POD_IP"


def test_reflection_is_off_unless_asked_for(chart: HelmChart) -> None:
    for name, reflection in (("azure", "false"), ("local", "true")):
        objects = chart.render(chart.shipped(name))
        for component in SERVICES:
            assert environment(objects, component)["VOICEMESH_REFLECTION"] == reflection


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (20, "20"),
        (1_000_000, "1000000"),
        (0.25, "0.25"),
        ("debug", "debug"),
        ("007", "007"),
        (["en-US", "de-DE"], '["en-US","de-DE"]'),
        ({"stt": {"limit": 5}}, '{"stt":{"limit":5}}'),
    ],
)
def test_a_setting_is_written_as_services_read_it(
    chart: HelmChart, value: object, text: str
) -> None:
    objects = chart.render(chart.shipped("local", {"components/gateway/settings": {"any": value}}))
    assert environment(objects, "gateway")["VOICEMESH_ANY"] == text


def test_a_changed_setting_rolls_its_own_pods_only(chart: HelmChart) -> None:
    def checksums(changes: dict[str, object]) -> dict[str, str]:
        pods = chart.render(chart.shipped("azure", changes)).pods()
        return {n: p["metadata"]["annotations"]["checksum/config"] for n, p in pods.items()}

    before = checksums({})
    after = checksums({"components/gateway/settings": {"max_calls": 201}})
    assert {name for name in SERVICES if before[name] != after[name]} == {"gateway"}


def test_the_store_of_settings_is_named_once_for_all(chart: HelmChart) -> None:
    own = {
        "components/default/settings": {
            "appconfig_endpoint": "https://mine.azconfig.io",
            "appconfig_label": "prod",
        }
    }
    objects = chart.render(chart.shipped("azure", own))
    for service in SERVICES:
        settings = loaded(service, environment(objects, service))
        assert settings.appconfig_endpoint.get_secret_value() == "https://mine.azconfig.io"
        assert settings.appconfig_label == "prod"


@pytest.mark.parametrize("client", [False, True])
def test_the_ca_of_redis_is_mounted_where_the_setting_looks(chart: HelmChart, client: bool) -> None:
    tls = {"existingSecret": "redis-ca", "clientCertificate": client}
    objects = chart.render(chart.shipped("azure", {"redis/tls": tls}))
    told = loaded("session-store", environment(objects, "session-store"))
    pod = objects.pods()["session-store"]["spec"]
    (mount,) = [m for m in pod["containers"][0]["volumeMounts"] if m["name"] == "redis-tls"]
    (volume,) = [v for v in pod["volumes"] if v["name"] == "redis-tls"]
    assert volume["secret"] == {"secretName": "redis-ca", "defaultMode": 0o440}
    assert mount["readOnly"]
    assert "subPath" not in mount, "a file mounted so is never rotated"
    files = (told.redis_tls_ca, told.redis_tls_certificate, told.redis_tls_key)
    folder = mount["mountPath"]
    ours = (f"{folder}/tls.crt", f"{folder}/tls.key") if client else ("", "")
    assert files == (f"{folder}/ca.crt", *ours)
    for name in SERVICES:
        others = {volume["name"] for volume in objects.pods()[name]["spec"]["volumes"]}
        assert ("redis-tls" in others) == (name == "session-store")
