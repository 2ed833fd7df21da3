"""Pods that go, and what a pod may do: no call is cut by a rollout, no pod is more than it needs."""

from __future__ import annotations

import re

import pytest

from meshkit.call_graph import SERVICES
from tests.support.helm_chart import CHART, ChartRefused, HelmChart, Objects
from tests.support.pod_environment import environment
from tests.support.service_settings import loaded

DOCKERFILE = CHART.parents[1] / "services" / "Dockerfile"
RESTRICTED_VOLUMES = {"emptyDir", "configMap", "secret", "projected", "downwardAPI"}
QUANTITY = re.compile(r"\d+(\.\d+)?(m|Ki|Mi|Gi)?")
CLOSING_SECONDS = 5


@pytest.mark.parametrize("component", SERVICES)
def test_a_pod_is_given_longer_than_it_drains(objects: Objects, component: str) -> None:
    drain = loaded(component, environment(objects, component)).drain_seconds
    pod = objects.pods()[component]["spec"]
    before = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pod["terminationGracePeriodSeconds"] >= before + drain + CLOSING_SECONDS


def test_runs_of_tools_may_outlive_their_streams(chart: HelmChart) -> None:
    """The tool-executor waits for streams, then for runs, as long each."""
    pod = chart.render(chart.shipped("azure")).pods()["tool-executor"]["spec"]
    drain = chart.values["components"]["tool-executor"]["drainSeconds"]
    before = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pod["terminationGracePeriodSeconds"] >= before + 2 * drain + CLOSING_SECONDS


def test_who_carries_calls_drains_as_long_as_calls_last(objects: Objects) -> None:
    for component in ("gateway", "speech-pool", "orchestrator"):
        drain = environment(objects, component)["VOICEMESH_DRAIN_SECONDS"]
        assert int(drain) >= int(environment(objects, "gateway")["VOICEMESH_DRAIN_SECONDS"])


def test_a_grace_shorter_than_the_drain_is_refused(chart: HelmChart) -> None:
    path = "components/gateway/terminationGracePeriodSeconds"
    assert chart.render(chart.shipped("local", {path: 610}))
    with pytest.raises(ChartRefused, match=r"kill the pod while it drains.*at least 610"):
        chart.render(chart.shipped("local", {path: 609}))


def test_a_rollout_takes_no_pod_before_another_is_ready(objects: Objects) -> None:
    for deployment in objects.of("Deployment"):
        strategy = deployment["spec"]["strategy"]
        assert strategy["type"] == "RollingUpdate"
        assert strategy["rollingUpdate"]["maxUnavailable"] == 0
        assert strategy["rollingUpdate"]["maxSurge"] not in (0, "0%")


def test_a_node_drain_takes_few_pods_but_is_never_blocked(objects: Objects) -> None:
    for component, budget in objects.by_component("PodDisruptionBudget").items():
        most = budget["spec"]["maxUnavailable"]
        assert most in (1, "25%"), component
        assert "minAvailable" not in budget["spec"]
        assert budget["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow"


def test_pods_spread_over_zones_and_nodes(objects: Objects) -> None:
    for pod in objects.pods().values():
        keys = {c["topologyKey"] for c in pod["spec"]["topologySpreadConstraints"]}
        assert keys == {"topology.kubernetes.io/zone", "kubernetes.io/hostname"}


def test_by_default_there_are_two_of_each(chart: HelmChart) -> None:
    values = chart.shipped("azure", {"components/default/replicas": 2})
    replicas = {
        name: deployment["spec"]["replicas"]
        for name, deployment in chart.render(values).by_component("Deployment").items()
    }
    assert chart.values["components"]["default"]["replicas"] == 2
    assert replicas == {**dict.fromkeys(SERVICES, 2), "speech-pool": 6}


def test_pods_meet_the_restricted_pod_security_standard(objects: Objects) -> None:
    for pod in objects.pods().values():
        spec, (container,) = pod["spec"], pod["spec"]["containers"]
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False
        assert context["privileged"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] > 0
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers"} & set(spec)
        assert not [p for p in container["ports"] if "hostPort" in p]
        for volume in spec["volumes"]:
            assert set(volume) - {"name"} <= RESTRICTED_VOLUMES


def test_a_pod_can_write_to_tmp_only_and_not_without_end(objects: Objects) -> None:
    for pod in objects.pods().values():
        (container,) = pod["spec"]["containers"]
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        (mount,) = [m for m in container["volumeMounts"] if not m.get("readOnly")]
        assert mount == {"name": "tmp", "mountPath": "/tmp"}
        (volume,) = [v for v in pod["spec"]["volumes"] if v["name"] == "tmp"]
        assert volume["emptyDir"]["sizeLimit"]


def test_a_component_writes_its_files_where_it_can(objects: Objects) -> None:
    for component in SERVICES:
        settings = loaded(component, environment(objects, component))
        for name in type(settings).model_fields:
            if name in ("data_folder", "audit_folder", "archive_path"):
                assert not (value := getattr(settings, name)) or value.startswith("/tmp/"), name


def test_the_user_is_the_one_of_the_image(objects: Objects) -> None:
    (user,) = re.findall(r"^USER (\d+):(\d+)$", DOCKERFILE.read_text(), re.MULTILINE)
    for pod in objects.pods().values():
        context = pod["spec"]["securityContext"]
        assert (str(context["runAsUser"]), str(context["runAsGroup"])) == user


def test_no_pod_holds_a_token_of_the_api_server(objects: Objects) -> None:
    accounts = objects.by_component("ServiceAccount")
    for component, pod in objects.pods().items():
        assert pod["spec"]["automountServiceAccountToken"] is False
        assert accounts[component]["automountServiceAccountToken"] is False
        assert pod["spec"]["serviceAccountName"] == accounts[component]["metadata"]["name"]


def test_each_component_has_an_identity_of_its_own(chart: HelmChart) -> None:
    objects = chart.render(chart.shipped("azure"))
    accounts = {p["spec"]["serviceAccountName"] for p in objects.pods().values()}
    assert len(accounts) == len(SERVICES)
    annotations = objects.by_component("ServiceAccount")["gateway"]["metadata"]["annotations"]
    assert "azure.workload.identity/client-id" in annotations
    for pod in objects.pods().values():
        assert pod["metadata"]["labels"]["azure.workload.identity/use"] == "true"


def test_resources_are_bounded_where_it_does_not_hurt_audio(objects: Objects) -> None:
    for component, container in objects.containers().items():
        resources = container["resources"]
        amounts = [*resources["requests"].values(), *resources["limits"].values()]
        assert set(resources["requests"]) == {"cpu", "memory"}
        assert set(resources["limits"]) == {"memory"}, f"a CPU limit throttles {component}"
        assert all(QUANTITY.fullmatch(amount) for amount in amounts), amounts
