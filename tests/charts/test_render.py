"""What the chart renders: whole, valid for Kubernetes, and joined up."""

from __future__ import annotations

import tarfile
import tomllib
import warnings
from collections import Counter
from pathlib import Path

import kubernetes_validate
import pytest

from meshkit.call_graph import SERVICES
from meshkit.server import LIVENESS
from tests.support.helm_chart import CHART, NAMESPACE, HelmChart, Object, Objects
from tests.support.pod_environment import environment
from tests.support.ports import PORTS

ROOT = CHART.parents[1]
OLDEST, USUAL, NEWEST = "1.30", "1.34", "1.37"
PER_COMPONENT = (
    "ConfigMap",
    "Deployment",
    "NetworkPolicy",
    "PodDisruptionBudget",
    "Service",
    "ServiceAccount",
)


def check_strictly(item: Object, version: str) -> None:
    """Raises for an object that this Kubernetes would not take, or that no schema is known for."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        kubernetes_validate.validate(item, version, strict=True)


def of_kubernetes(objects: Objects) -> list[Object]:
    """Those whose kind is Kubernetes' own; test_certificates.py looks at the others."""
    return [item for item in objects if not item["apiVersion"].startswith("cert-manager.io/")]


@pytest.mark.parametrize("values", ["", "local", "azure"])
def test_the_chart_lints_strictly(chart: HelmChart, values: str) -> None:
    assert chart.lint(chart.shipped(values) if values else None) == []


def test_every_component_has_one_of_each_object(objects: Objects) -> None:
    expected = Counter(dict.fromkeys(PER_COMPONENT, len(SERVICES)))
    expected["NetworkPolicy"] += 1  # the one that denies
    assert Counter(item["kind"] for item in of_kubernetes(objects)) == expected
    for kind in PER_COMPONENT:
        assert set(objects.by_component(kind)) == set(SERVICES), kind


@pytest.mark.parametrize("version", [OLDEST, USUAL, NEWEST])
def test_kubernetes_takes_every_object(objects: Objects, version: str) -> None:
    for item in of_kubernetes(objects):
        check_strictly(item, version)


def test_the_check_sees_an_unknown_field(objects: Objects) -> None:
    deployment = objects.of("Deployment")[0]
    wrong = {**deployment, "spec": {**deployment["spec"], "replicaz": 2}}
    with pytest.raises(kubernetes_validate.ValidationError, match="replicaz"):
        check_strictly(wrong, USUAL)


def test_the_check_fails_for_what_it_does_not_know(objects: Objects) -> None:
    wrong = {**objects.of("Deployment")[0], "apiVersion": "apps/v1beta1"}
    with pytest.raises(kubernetes_validate.SchemaNotFoundError):
        check_strictly(wrong, USUAL)


def test_the_oldest_version_checked_is_the_oldest_promised(chart: HelmChart) -> None:
    assert chart.metadata["kubeVersion"] == f">={OLDEST}.0-0"


def test_objects_are_of_the_release_and_its_namespace(objects: Objects) -> None:
    names = Counter((item["kind"], item["metadata"]["name"]) for item in objects)
    assert [name for name, times in names.items() if times > 1] == []
    for item in objects:
        assert item["metadata"]["namespace"] == NAMESPACE
        assert item["metadata"]["name"].startswith("blue-voicemesh-")
        assert item["metadata"]["labels"]["app.kubernetes.io/instance"] == "blue"


def test_every_selector_finds_the_pods_of_its_component_and_no_others(objects: Objects) -> None:
    pods = {name: pod["metadata"]["labels"] for name, pod in objects.pods().items()}

    def found(selector: dict[str, str]) -> set[str]:
        return {name for name, labels in pods.items() if selector.items() <= labels.items()}

    for component in SERVICES:
        deployment = objects.by_component("Deployment")[component]["spec"]
        policy = objects.by_component("NetworkPolicy")[component]["spec"]
        budget = objects.by_component("PodDisruptionBudget")[component]["spec"]
        spread = objects.pods()[component]["spec"]["topologySpreadConstraints"]
        selectors = [
            objects.by_component("Service")[component]["spec"]["selector"],
            *(part["matchLabels"] for part in (deployment["selector"], budget["selector"])),
            policy["podSelector"]["matchLabels"],
            *(constraint["labelSelector"]["matchLabels"] for constraint in spread),
        ]
        assert [found(selector) for selector in selectors] == [{component}] * len(selectors)


def test_ports_are_those_of_the_product(objects: Objects) -> None:
    for component, ports in PORTS.items():
        container = objects.containers()[component]
        own = {p["name"]: p["containerPort"] for p in container["ports"] if p["name"] != "health"}
        assert own == ports
        service = objects.by_component("Service")[component]["spec"]
        assert {p["name"]: p["port"] for p in service["ports"]} == ports
        assert [p["targetPort"] for p in service["ports"]] == [p["name"] for p in service["ports"]]
        # Without it, a server-side apply to an older API server fails.
        assert {p["protocol"] for p in (*service["ports"], *container["ports"])} == {"TCP"}


def test_grpc_services_are_headless_so_that_callers_see_each_pod(objects: Objects) -> None:
    services = objects.by_component("Service")
    headless = {name for name, item in services.items() if item["spec"].get("clusterIP") == "None"}
    assert headless == set(SERVICES) - {"gateway"}


@pytest.mark.parametrize("probe", ["startupProbe", "readinessProbe", "livenessProbe"])
def test_health_is_asked_where_it_is_answered(objects: Objects, probe: str) -> None:
    for component, container in objects.containers().items():
        asked = container[probe]
        if component == "gateway":
            path = "/readyz" if probe == "readinessProbe" else "/healthz"
            assert asked["httpGet"] == {"path": path, "port": 8080, "scheme": "HTTP"}
        else:
            name = "" if probe == "readinessProbe" else LIVENESS
            plain = environment(objects, component).get("VOICEMESH_HEALTH_PORT")
            port = int(plain or PORTS[component]["grpc"])
            assert asked["grpc"] == {"port": port, "service": name}


def test_a_slow_start_has_its_time(chart: HelmChart) -> None:
    values = chart.shipped("local", {"components/speech-pool/startupSeconds": 91})
    probe = chart.render(values).containers()["speech-pool"]["startupProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] >= 91


def test_one_value_has_every_component_serve_metrics(chart: HelmChart) -> None:
    objects = chart.render(chart.shipped("local", {"components/default/ports/metrics": 9464}))
    for component, container in objects.containers().items():
        assert environment(objects, component)["VOICEMESH_METRICS_PORT"] == "9464"
        assert {"name": "metrics", "containerPort": 9464, "protocol": "TCP"} in container["ports"]


def test_each_component_runs_its_own_image(chart: HelmChart) -> None:
    containers = chart.render(chart.shipped("local")).containers()
    images = {name: container["image"] for name, container in containers.items()}
    assert images == {name: f"localhost:5000/voicemesh/{name}:dev" for name in SERVICES}


def test_the_version_of_the_product_is_the_default_tag(chart: HelmChart) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    objects = chart.render(chart.shipped("local", {"image/tag": ""}))
    assert chart.metadata["appVersion"] == version
    for container in objects.containers().values():
        assert container["image"].endswith(f":{version}")


def test_a_digest_pins_one_image(chart: HelmChart) -> None:
    containers = chart.render(chart.shipped("azure")).containers()
    pinned = {name for name, container in containers.items() if "@sha256:" in container["image"]}
    assert pinned == {"speech-pool"}


def test_a_component_overrides_defaults_also_with_nothing(chart: HelmChart) -> None:
    """Zero, false, empty text and empty list are values, not the absence of one."""
    values = chart.shipped(
        "azure",
        {
            "components/default/priorityClassName": "usual",
            "components/default/preStopSeconds": 9,
            "components/orchestrator/replicas": 0,
            "components/orchestrator/headless": False,
            "components/orchestrator/priorityClassName": "",
            "components/orchestrator/topologySpread": [],
            "components/orchestrator/settings": {"reflection": False},
            "components/default/settings": {"reflection": True},
        },
    )
    objects = chart.render(values)
    pod = objects.pods()["orchestrator"]["spec"]
    assert objects.by_component("Deployment")["orchestrator"]["spec"]["replicas"] == 0
    assert "clusterIP" not in objects.by_component("Service")["orchestrator"]["spec"]
    assert "priorityClassName" not in pod
    assert not pod["topologySpreadConstraints"]
    settings = objects.by_component("ConfigMap")["orchestrator"]["data"]
    assert settings["VOICEMESH_REFLECTION"] == "false"
    assert objects.by_component("ConfigMap")["gateway"]["data"]["VOICEMESH_REFLECTION"] == "true"
    assert objects.pods()["gateway"]["spec"]["priorityClassName"] == "usual"


@pytest.mark.parametrize("release", ["a", "voicemesh", "r" * 53, "my-voicemesh"])
def test_names_fit_whatever_the_release_is_called(chart: HelmChart, release: str) -> None:
    objects = chart.render(chart.shipped("local"), release)
    names = [item["metadata"]["name"] for item in objects]
    assert max(len(name) for name in names) <= 63
    assert all("--" not in name and not name.endswith("-") for name in names)
    check_strictly(objects.of("Deployment")[0], USUAL)


def test_two_releases_in_a_namespace_do_not_see_each_other(chart: HelmChart) -> None:
    blue, green = (chart.render(chart.shipped("local"), name) for name in ("blue", "green"))
    pods = [pod["metadata"]["labels"] for pod in green.pods().values()]
    for policy in blue.of("NetworkPolicy"):
        selector = policy["spec"]["podSelector"]["matchLabels"]
        assert not [labels for labels in pods if selector.items() <= labels.items()]
    assert not {i["metadata"]["name"] for i in blue} & {i["metadata"]["name"] for i in green}


def test_the_archive_holds_the_chart_and_not_its_tests(chart: HelmChart, tmp_path: Path) -> None:
    with tarfile.open(chart.package(tmp_path)) as archive:
        names = set(archive.getnames())
    assert {"voicemesh/README.md", "voicemesh/values.schema.json"} <= names
    assert not [name for name in names if name.startswith("voicemesh/ci/")]


def test_the_notes_say_where_calls_come_in(chart: HelmChart) -> None:
    notes = chart.notes(chart.shipped("local"))
    assert "blue-voicemesh-gateway" in notes
    assert "8081" in notes
    assert "PROFILE=local" in notes


def test_the_notes_warn_when_nobody_can_call(chart: HelmChart) -> None:
    warning = "nothing outside the mesh can reach the gateway"
    closed = chart.shipped("azure", {"components/gateway/ingressPeers": []})
    assert warning in chart.notes(closed)
    assert warning not in chart.notes(chart.shipped("azure"))
