"""Certificates of the components: asked for by name, mounted where the settings look, never needed
by a kubelet."""

from __future__ import annotations

from typing import Any

import pytest

from meshkit.authorization import name_of
from meshkit.call_graph import SERVICES
from meshkit.settings import MeshSettings
from tests.support.helm_chart import HelmChart, Objects
from tests.support.pod_environment import environment
from tests.support.service_settings import loaded

GRPC = [service for service in SERVICES if service != "gateway"]
CONFIGURED = ("cert-manager", "secrets")


def rendered(chart: HelmChart, source: str, profile: str = "local", **tls: Any) -> Objects:
    """The chart with certificates of this source."""
    given = {"source": source, "issuer": {"name": "mesh-ca"}, **tls}
    return chart.render(chart.shipped(profile, {"tls": given}))


@pytest.mark.parametrize("source", CONFIGURED)
@pytest.mark.parametrize("component", SERVICES)
def test_a_service_looks_where_its_certificate_is_mounted(
    chart: HelmChart, component: str, source: str
) -> None:
    objects = rendered(chart, source)
    settings = loaded(component, environment(objects, component))
    pod = objects.pods()[component]["spec"]
    (mount,) = [m for m in pod["containers"][0]["volumeMounts"] if m["name"] == "tls"]
    (volume,) = [v for v in pod["volumes"] if v["name"] == "tls"]
    assert mount["readOnly"] is True
    assert "subPath" not in mount, "a file mounted so is never rotated"
    assert volume["secret"]["secretName"] == f"blue-voicemesh-{component}-tls"
    assert "items" not in volume["secret"]
    told = (settings.tls_certificate, settings.tls_key, settings.tls_ca)
    assert told == tuple(f"{mount['mountPath']}/{f}" for f in ("tls.crt", "tls.key", "ca.crt"))


def test_the_key_is_not_readable_by_everybody(chart: HelmChart) -> None:
    for pod in rendered(chart, "secrets").pods().values():
        (volume,) = [v for v in pod["spec"]["volumes"] if v["name"] == "tls"]
        assert volume["secret"]["defaultMode"] == 0o440
        assert pod["spec"]["securityContext"]["fsGroup"]


def test_an_issuer_is_asked_for_the_names_that_callers_check(chart: HelmChart) -> None:
    asked = rendered(chart, "cert-manager").by_component("Certificate")
    assert set(asked) == set(SERVICES)
    for component, certificate in asked.items():
        spec = certificate["spec"]
        assert certificate["apiVersion"] == "cert-manager.io/v1"
        assert spec["dnsNames"] == [name_of(component)]
        assert spec["secretName"] == f"blue-voicemesh-{component}-tls"
        assert {"server auth", "client auth"} <= set(spec["usages"])
        assert spec["privateKey"]["rotationPolicy"] == "Always"
        issuer = {"name": "mesh-ca", "kind": "Issuer", "group": "cert-manager.io"}
        assert spec["issuerRef"] == issuer
        assert (spec["duration"], spec["renewBefore"]) == ("168h", "56h")


@pytest.mark.parametrize("source", ["", "secrets", "none"])
def test_nobody_is_asked_otherwise(chart: HelmChart, source: str) -> None:
    assert rendered(chart, source).of("Certificate") == []


def test_kubelets_ask_where_no_certificate_is_needed(chart: HelmChart) -> None:
    objects = rendered(chart, "secrets", healthPort=50070)
    for component in GRPC:
        container = objects.containers()[component]
        settings = loaded(component, environment(objects, component))
        assert settings.health_port == 50070
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            assert container[probe]["grpc"]["port"] == 50070
        assert {"name": "health", "containerPort": 50070, "protocol": "TCP"} in container["ports"]
        service = objects.by_component("Service")[component]["spec"]
        assert 50070 not in {p["port"] for p in service["ports"]}
    for policy in objects.of("NetworkPolicy"):
        assert "50070" not in str(policy), "kubelets are let in without a rule, and nobody else is"


@pytest.mark.parametrize("component", SERVICES)
def test_a_component_without_certificates_is_told_that_this_is_meant(
    chart: HelmChart, component: str
) -> None:
    def told(source: str, profile: str) -> MeshSettings:
        return loaded(component, environment(rendered(chart, source, profile), component))

    meant = told("none", "azure")
    assert meant.allow_insecure
    assert not meant.tls_certificate
    assert not told("", "local").allow_insecure
    assert not told("cert-manager", "azure").allow_insecure


def test_the_notes_warn_of_connections_in_the_clear(chart: HelmChart) -> None:
    warning = "connections between the components are not encrypted"
    assert warning in chart.notes(chart.shipped("azure", {"tls": {"source": "none"}}))
    assert warning not in chart.notes(chart.shipped("azure"))
