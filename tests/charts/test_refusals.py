"""Values that make no sense are refused, with a sentence that says which and what to write."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.helm_chart import ChartRefused, HelmChart

GATEWAY = "components/gateway"

SENTENCES: list[tuple[dict[str, Any], str]] = [
    ({"image/repository": ""}, r"image\.repository is not set: name the registry"),
    ({"image/tag": "latest"}, r"image\.tag is latest, .* Use a version"),
    ({"image/tag": "Latest"}, r"image\.tag is latest"),
    ({"redis/url": ""}, r"No Redis is named: set redis\.url to redis://"),
    (
        {"redis/url": "redis://:hunter2@valkey:6379/0"},
        r"redis\.url holds a user or password.*secrets\.redis_url",
    ),
    (
        {"components/session-store/secrets": {"redis_url": {"existingSecret": "r", "key": "url"}}},
        r"Redis is named twice",
    ),
    ({"redis/tls/clientCertificate": True}, r"clientCertificate is set and no Secret"),
    ({"components/session-store/settings": {"redis_tls_ca": "x"}}, r"redis_tls_ca is the chart's"),
    ({"redis/peers": []}, r"redis\.peers is empty, so no pod could reach it"),
    ({"redis/url": "redis://valkey:6380/0"}, r"redis\.url goes to port 6380, .* redis\.port 6379"),
    ({"redis/url": "redis://valkey/0", "redis/port": 6380}, r"redis\.url goes to port 6379"),
    ({"model/url": ""}, r"model\.url is not set: name an OpenAI-compatible endpoint"),
    ({"model/name": ""}, r"model\.name is not set"),
    ({"model/url": "https://models.example.com/v1"}, r"model\.url goes to port 443"),
    ({"embeddings/url": ""}, r"embeddings\.url is not set"),
    ({"embeddings/name": ""}, r"embeddings\.name is not set"),
    (
        {f"{GATEWAY}/secrets": {"media_key": {"existingSecret": "", "key": "media-key"}}},
        r"secrets\.(control|media)_key\.existingSecret is not set.*kubectl create secret",
    ),
    (
        {f"{GATEWAY}/preStopSeconds": 60},
        r"preStopSeconds 60 \+ drainSeconds 600 \+ 5 to close needs at least 665",
    ),
    ({f"{GATEWAY}/settings": {"media_key": "k" * 32}}, r"would write a secret into a ConfigMap"),
    ({"components/orchestrator/settings": {"model_api_key": "k"}}, r"would write a secret"),
    (
        {f"{GATEWAY}/settings": {"appconfig_endpoint": "Endpoint=https://a;Id=i;Secret=s"}},
        r"appconfig_endpoint would write a secret",
    ),
    (
        {"tls": {"source": "secrets", "duration": "24h", "renewBefore": "24h"}},
        r"tls\.renewBefore 24h is not shorter than tls\.duration 24h",
    ),
    (
        {"tls": {"source": "secrets", "healthPort": 50054}},
        r"session-store\.ports\.grpc is 50054, and so is tls\.healthPort",
    ),
    ({f"{GATEWAY}/settings": {"allow_insecure": True}}, r"allow_insecure is the chart's own"),
    ({f"{GATEWAY}/settings": {"tls_key": "k"}}, r"tls_key is the chart's own"),
    ({f"{GATEWAY}/settings": {"http_port": 80}}, r"settings\.http_port is the chart's own"),
    (
        {f"{GATEWAY}/settings": {"telemetry_ring_port": 1}},
        r"telemetry_ring_port is the chart's own",
    ),
    ({f"{GATEWAY}/settings": {"drain_seconds": 9}}, r"drain_seconds is the chart's own"),
    ({"components/session-store/settings": {"redis_url": "x"}}, r"redis_url is the chart's own"),
    (
        {"components/orchestrator/settings": {"tool_executor_target": "dns:a:1"}},
        r"tool_executor_target is the chart's own",
    ),
]

BY_SCHEMA: list[tuple[str, Any, str]] = [
    ("replicas", 3, "replicas"),
    ("profile", "aws", "/profile"),
    ("image/tag", 1.0, "/image/tag"),
    ("image/repository", "registry.example.com/Voice:1", "/image/repository"),
    ("image/pullPolicy", "Sometimes", "/image/pullPolicy"),
    ("redis/url", "http://valkey:6379", "/redis/url"),
    ("redis/port", 70000, "/redis/port"),
    ("redis/peers", [{"ipblock": {"cidr": "10.0.0.0/8"}}], "/redis/peers/0"),
    ("redis/peers", [{"ipBlock": {"cidr": "10.0.0.0"}}], "/redis/peers/0/ipBlock/cidr"),
    ("redis/peers", [{}], "/redis/peers/0"),
    ("model/url", "my.openai.azure.com", "/model/url"),
    ("model/url", "https://key@my.openai.azure.com/v1", "/model/url"),
    ("model/key", "k", "key"),
    ("tls/source", "vault", "/tls/source"),
    ("tls/duration", "7d", "/tls/duration"),
    ("tls/issuer", {"name": "Mesh CA"}, "/tls/issuer/name"),
    ("networkPolicy/enabled", "yes", "/networkPolicy/enabled"),
    ("networkPolicy/dnsPeers", [], "/networkPolicy/dnsPeers"),
    ("components/planner", {"replicas": 1}, "planner"),
    ("components/speech_pool", {"replicas": 1}, "speech_pool"),
    (f"{GATEWAY}/replicas", -1, "/components/gateway/replicas"),
    (f"{GATEWAY}/replicas", 1.5, "/components/gateway/replicas"),
    (f"{GATEWAY}/replcias", 2, "replcias"),
    (f"{GATEWAY}/ports", {"media": None}, "media"),
    (f"{GATEWAY}/ports", {"http": 8080, "media": 0}, "/components/gateway/ports/media"),
    (f"{GATEWAY}/ports", {"http": 8080, "media": 8081, "ssh": 22}, "ssh"),
    (f"{GATEWAY}/calls", ["speech_pool"], "/components/gateway/calls/0"),
    (f"{GATEWAY}/calls", ["speech-pool", "speech-pool"], "/components/gateway/calls"),
    (f"{GATEWAY}/outside", ["internet"], "/components/gateway/outside/0"),
    (f"{GATEWAY}/settings", {"VOICEMESH_MAX_CALLS": 3}, "VOICEMESH_MAX_CALLS"),
    (f"{GATEWAY}/settings", {"max_calls": None}, "max_calls"),
    (f"{GATEWAY}/secrets", {"media_key": "a secret"}, "/components/gateway/secrets/media_key"),
    (f"{GATEWAY}/drainSeconds", 3601, "/components/gateway/drainSeconds"),
    (f"{GATEWAY}/preStopSeconds", 0, "/components/gateway/preStopSeconds"),
    (f"{GATEWAY}/disruption", {"maxUnavailable": 0}, "maxUnavailable"),
    (f"{GATEWAY}/disruption", {"maxUnavailable": "many"}, "maxUnavailable"),
    (f"{GATEWAY}/disruption", {"minAvailable": 1}, "minAvailable"),
    (f"{GATEWAY}/resources", {"limits": {"memory": "32Mib"}}, "memory"),
    (f"{GATEWAY}/resources", {"limits": {"gpu": 1}}, "gpu"),
    (f"{GATEWAY}/image", {"digest": "sha256:abc"}, "digest"),
    (f"{GATEWAY}/podLabels", {"spot": True}, "/components/gateway/podLabels/spot"),
    (f"{GATEWAY}/securityContext", {"runAsUser": 0}, "securityContext"),
]


@pytest.mark.parametrize(("changes", "sentence"), SENTENCES, ids=lambda v: str(v)[:50])
def test_a_refusal_says_what_to_write(
    chart: HelmChart, changes: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ChartRefused, match=sentence):
        chart.render(chart.shipped("local", changes))


@pytest.mark.parametrize(("path", "value", "place"), BY_SCHEMA)
def test_the_schema_names_the_place(chart: HelmChart, path: str, value: Any, place: str) -> None:
    with pytest.raises(ChartRefused) as refused:
        chart.render(chart.shipped("local", {path: value}))
    message = str(refused.value)
    assert "\n- at '" in message, "not the schema's words"
    assert place in message


def test_the_plain_values_lack_only_what_nobody_can_guess(chart: HelmChart) -> None:
    """Each refusal is answered in turn; then it renders."""
    keys = {"existingSecret": "voicemesh-keys", "key": "k"}
    answers: list[tuple[str, dict[str, Any]]] = [
        ("image.repository", {"image": {"repository": "registry.example.com/voicemesh"}}),
        ("No Redis", {"redis": {"url": "redis://cache:6379/0"}}),
        ("embeddings.url", {"embeddings": {"url": "https://e.example.com/v1"}}),
        ("embeddings.name", {"embeddings": {"name": "small"}}),
        ("model.url", {"model": {"url": "https://m.example.com/v1"}}),
        ("model.name", {"model": {"name": "large"}}),
        ("tls.source", {"tls": {"source": "cert-manager"}}),
        ("tls.issuer.name", {"tls": {"issuer": {"name": "mesh-ca"}}}),
        ("redis.peers", {"redis": {"peers": [{"ipBlock": {"cidr": "10.1.0.0/16"}}]}}),
        (
            "secrets.control_key",
            {"components": {"gateway": {"secrets": {"control_key": keys, "media_key": keys}}}},
        ),
    ]
    values: dict[str, Any] = {}
    for question, answer in answers:
        with pytest.raises(ChartRefused, match=question.replace(".", r"\.")):
            chart.render(values)
        for key, given in answer.items():
            values[key] = {**values.get(key, {}), **given}
    assert chart.render(values)
