"""Who can reach whom, as Kubernetes would judge it, is the call graph and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from meshkit.call_graph import EDGES, OUTSIDE_EDGES, SERVICES, built
from tests.support.helm_chart import HelmChart, Object, Objects
from tests.support.ports import PORTS

Labels = Mapping[str, str]
Rule = dict[str, Any]
DNS = 53


class Judge:
    """NetworkPolicy as its API documents it: a selected pod is closed but for what rules allow.

    A connection needs the caller's egress and the callee's ingress. Covers what the chart writes:
    pods of one namespace by matchLabels, and numbered ports.
    """

    def __init__(self, objects: Objects) -> None:
        self.pods = {name: pod["metadata"]["labels"] for name, pod in objects.pods().items()}
        self._policies = [item["spec"] for item in objects.of("NetworkPolicy")]

    def allows(self, caller: Labels, callee: Labels, port: int) -> bool:
        """Whether one pod may open a TCP connection to another."""
        out = self._open(caller, "Egress", "to", callee, port)
        return out and self._open(callee, "Ingress", "from", caller, port)

    def rules(self, labels: Labels, direction: str) -> list[Rule] | None:
        """The rules that apply to a pod; None: no policy selects it, all is open."""
        chosen = [
            policy
            for policy in self._policies
            if direction in policy["policyTypes"] and _selects(policy["podSelector"], labels)
        ]
        if not chosen:
            return None
        return [rule for policy in chosen for rule in policy.get(direction.lower()) or []]

    def _open(self, own: Labels, direction: str, side: str, other: Labels, port: int) -> bool:
        rules = self.rules(own, direction)
        if rules is None:
            return True
        return any(_matches(rule, side, other, port) for rule in rules)


def _matches(rule: Rule, side: str, other: Labels, port: int) -> bool:
    ports = {p["port"] for p in rule.get("ports", []) if p["protocol"] == "TCP"}
    near = [p for p in rule[side] if set(p) == {"podSelector"}]
    return port in ports and any(_selects(peer["podSelector"], other) for peer in near)


def _selects(selector: Object, labels: Labels) -> bool:
    assert set(selector) <= {"matchLabels"}, "the judge knows matchLabels only"
    return bool(selector.get("matchLabels", {}).items() <= labels.items())


def reachable(objects: Objects) -> set[tuple[str, str, str]]:
    """Caller, callee and port of every connection that may be opened within the mesh."""
    judge = Judge(objects)
    return {
        (caller, callee, port)
        for caller in SERVICES
        for callee in SERVICES
        for port, number in PORTS[callee].items()
        if judge.allows(judge.pods[caller], judge.pods[callee], number)
    }


def outward(objects: Objects) -> set[tuple[str, str]]:
    """Component and outside end, by the port and the peers that a rule names."""
    return {
        (component, end)
        for component, policy in objects.by_component("NetworkPolicy").items()
        for rule in policy["spec"]["egress"]
        for end in _ends(rule)
    }


def _ends(rule: Rule) -> set[str]:
    address = str(rule["to"])
    return {end for end, mark in AZURE_ENDS.items() if mark in address}


AZURE_ENDS = {
    "redis": "10.20.1.0/27",
    "model": "10.20.2.0/27",
    "embeddings": "10.20.3.0/27",
    "speech-provider": "10.20.4.0/27",
    "mcp": "10.20.5.0/27",
    "app-configuration": "10.20.6.0/27",
    "key-vault": "10.20.7.0/27",
    "entra": "10.20.8.0/27",
    "otlp": "10.20.9.0/27",
    "cosmos": "10.20.10.0/27",
}


@pytest.fixture(scope="module")
def azure(chart: HelmChart) -> Objects:
    """The Azure values with every outside end at an address of its own."""
    own = {
        f"{end}/peers": [{"ipBlock": {"cidr": AZURE_ENDS[end]}}]
        for end in AZURE_ENDS.keys() - {"redis", "model"}
    }
    return chart.render(chart.shipped("azure", own))


def test_the_local_profile_reaches_no_speech_provider(chart: HelmChart) -> None:
    assert ("speech-pool", "speech-provider") not in outward(chart.render(chart.shipped("local")))


def test_the_policies_allow_the_call_graph_and_nothing_else(azure: Objects) -> None:
    expected = {(edge.caller, edge.callee, edge.port) for edge in built(EDGES)}
    assert reachable(azure) == expected


def test_the_policies_let_out_what_the_call_graph_names(azure: Objects) -> None:
    edges = built(OUTSIDE_EDGES)
    assert outward(azure) == {(e.caller, e.callee) for e in edges if not e.optional}


def test_what_a_deployment_may_add_is_let_out_once_it_is_named(chart: HelmChart) -> None:
    for edge in (edge for edge in built(OUTSIDE_EDGES) if edge.optional):
        usual = chart.values["components"][edge.caller].get("outside", [])
        own = {
            f"{edge.callee}/peers": [{"ipBlock": {"cidr": AZURE_ENDS[edge.callee]}}],
            f"components/{edge.caller}/outside": [*usual, edge.callee],
        }
        assert (edge.caller, edge.callee) in outward(chart.render(chart.shipped("azure", own)))


def test_the_values_name_the_same_calls(chart: HelmChart) -> None:
    components = chart.values["components"]
    for component in SERVICES:
        calls = {edge.callee for edge in built(EDGES) if edge.caller == component}
        outside = {
            edge.callee
            for edge in built(OUTSIDE_EDGES)
            if edge.caller == component and not edge.optional
        }
        assert set(components[component].get("calls", [])) == calls
        assert set(components[component].get("outside", [])) == outside


def test_a_call_taken_from_the_values_is_closed(chart: HelmChart) -> None:
    values = chart.shipped("azure", {"components/orchestrator/calls": ["session-store"]})
    assert ("orchestrator", "tool-executor", "grpc") not in reachable(chart.render(values))


def test_every_pod_of_the_mesh_is_closed_by_default(objects: Objects) -> None:
    (deny,) = [i for i in objects.of("NetworkPolicy") if i["metadata"]["name"].endswith("-deny")]
    assert sorted(deny["spec"]["policyTypes"]) == ["Egress", "Ingress"]
    assert not {"ingress", "egress"} & set(deny["spec"])
    for pod in objects.pods().values():
        assert _selects(deny["spec"]["podSelector"], pod["metadata"]["labels"])


def test_a_stranger_in_the_namespace_reaches_no_service(azure: Objects) -> None:
    judge, stranger = Judge(azure), {"app": "stranger"}
    for component, ports in PORTS.items():
        for number in ports.values():
            assert not judge.allows(stranger, judge.pods[component], number)


def test_every_pod_may_ask_dns(objects: Objects) -> None:
    for component, policy in objects.by_component("NetworkPolicy").items():
        (rule,) = [r for r in policy["spec"]["egress"] if r["ports"][0]["port"] == DNS]
        assert {p["protocol"] for p in rule["ports"]} == {"TCP", "UDP"}, component
        assert "kube-dns" in str(rule["to"])


def test_no_rule_is_open_to_everybody(objects: Objects) -> None:
    """An empty peer list in a rule means the whole world."""
    for policy in objects.of("NetworkPolicy"):
        for side, direction in (("from", "ingress"), ("to", "egress")):
            for rule in policy["spec"].get(direction) or []:
                assert rule[side], policy["metadata"]["name"]
                assert rule["ports"], policy["metadata"]["name"]


def test_the_gateway_opens_its_two_ports_to_those_named(chart: HelmChart) -> None:
    peers = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress"}}}]
    objects = chart.render(chart.shipped("azure", {"components/gateway/ingressPeers": peers}))
    (rule,) = objects.by_component("NetworkPolicy")["gateway"]["spec"]["ingress"]
    assert rule["from"] == peers
    assert {p["port"] for p in rule["ports"]} == set(PORTS["gateway"].values())


def test_a_gateway_with_nobody_named_is_closed(chart: HelmChart) -> None:
    objects = chart.render(chart.shipped("azure", {"components/gateway/ingressPeers": []}))
    assert objects.by_component("NetworkPolicy")["gateway"]["spec"]["ingress"] == []


def test_the_port_let_out_is_the_one_of_the_url(chart: HelmChart) -> None:
    policies = chart.render(chart.shipped("local")).by_component("NetworkPolicy")
    ports = {rule["ports"][0]["port"] for rule in policies["orchestrator"]["spec"]["egress"]}
    assert 8090 in ports


def test_by_default_a_public_model_does_not_open_private_networks(chart: HelmChart) -> None:
    (peer,) = chart.values["model"]["peers"]
    assert peer["ipBlock"]["cidr"] == "0.0.0.0/0"
    for private in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"):
        assert private in peer["ipBlock"]["except"]


def test_policies_can_be_left_to_others(chart: HelmChart) -> None:
    off = {"networkPolicy/enabled": False, "redis/peers": []}
    assert chart.render(chart.shipped("azure", off)).of("NetworkPolicy") == []
