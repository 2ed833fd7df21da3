"""What the doctor makes of what it found."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cli import doctor_checks as checks
from cli.doctor_checks import GIB, Finding, Status

NOW = datetime(2026, 11, 24, tzinfo=UTC)
OK, WARN, FAIL = Status.OK, Status.WARN, Status.FAIL


def of(finding: Finding) -> Status:
    assert bool(finding.advice) is (finding.status is not OK), "advice where there is something"
    return finding.status


@pytest.mark.parametrize(
    ("version", "status"), [((3, 10, 9), FAIL), ((3, 11, 0), OK), ((3, 14, 1), OK)]
)
def test_python(version: tuple[int, int, int], status: Status) -> None:
    assert of(checks.python(version)) is status


def test_platform() -> None:
    assert of(checks.platform("Linux", "x86_64")) is OK
    assert of(checks.platform("Darwin", "arm64")) is WARN


@pytest.mark.parametrize(
    ("free", "status"), [(GIB - 1, FAIL), (GIB, WARN), (2 * GIB - 1, WARN), (2 * GIB, OK)]
)
def test_space(free: int, status: Status) -> None:
    assert of(checks.space("memory", free, (GIB, 2 * GIB), "Stop programs.")) is status


def test_engines() -> None:
    assert of(checks.engines("recogniser", [])) is WARN
    assert checks.engines("recogniser", ["a", "b"]).said == "a, b"


def test_ports_are_named() -> None:
    assert of(checks.ports({})) is OK
    taken = checks.ports({"gateway_http": 8080})
    assert of(taken) is WARN
    assert "8080 (gateway-http)" in taken.said


@pytest.mark.parametrize(
    ("skew", "status"), [(0.0, OK), (-3.0, OK), (3.5, WARN), (-31.0, WARN), (31.5, FAIL)]
)
def test_the_clock_is_off_by_more_than_the_reference_is_blurred(
    skew: float, status: Status
) -> None:
    finding = checks.clock(skew, "there")
    assert of(finding) is status
    assert ("behind" in finding.said) is (skew <= 0)


@pytest.mark.parametrize(("days", "status"), [(13.9, WARN), (14.1, OK)])
def test_a_certificate_that_ends_soon(days: float, status: Status) -> None:
    finding = checks.certificate("gateway", NOW + timedelta(days=days), NOW)
    assert of(finding) is status
    assert f"{days} days" in finding.said


def test_versions() -> None:
    assert of(checks.version("gateway", "1.0", "1.0")) is OK
    assert of(checks.version("gateway", "0.9", "1.0")) is WARN
    assert "not told" in checks.version("gateway", "", "1.0").said


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({}, OK),
        ({"leased": 16}, WARN),
        ({"breaker": "open"}, FAIL),
        ({"breaker": "half_open"}, FAIL),
    ],
)
def test_pools(more: dict[str, Any], status: Status) -> None:
    row = {"kind": "recognizer", "leased": 1, "max": 16, "warm": 2, "target": 2}
    assert of(checks.pool({**row, "breaker": "closed", **more})) is status


@pytest.mark.parametrize(
    ("info", "durability", "status"),
    [
        (b"# Server\r\nvalkey_version:9.0.1\r\naof_enabled:1\r\n", "disk", OK),
        (b"redis_version:7.2\r\naof_enabled:0\r\n", "disk", FAIL),
        (b"aof_enabled:0\r\n", "replica", OK),
    ],
)
def test_redis_keeps_what_it_must(info: bytes, durability: str, status: Status) -> None:
    assert of(checks.redis(info, durability)) is status


def test_redis_tells_its_own_name_before_the_one_it_stands_for() -> None:
    info = b"redis_version:7.2.4\r\nvalkey_version:9.0.1\r\naof_enabled:1\r\n"
    assert "9.0.1" in checks.redis(info, "disk").said


def test_quotas_that_nobody_has() -> None:
    used = {"recognizer_quota": "quotas/speech", "synthesizer_quota": "quotas/gone", "x": ""}
    found = {f.check: of(f) for f in checks.quota_names(used, ["speech"])}
    assert found == {"recognizer_quota": OK, "synthesizer_quota": FAIL}


SPEECH = {
    "profile": "local",
    "speech_provider": "",
    "azure_speech_key": "",
    "azure_speech_region": "",
    "azure_speech_endpoint": "",
}
MODEL = {"azure_openai_endpoint": "", "azure_openai_api_key": "", "model_api_key": ""}


@pytest.mark.parametrize(
    ("service", "settings", "status"),
    [
        ("speech-pool", SPEECH, OK),
        ("speech-pool", SPEECH | {"profile": "azure"}, FAIL),
        ("speech-pool", SPEECH | {"profile": "azure", "speech_provider": "local"}, OK),
        ("speech-pool", SPEECH | {"speech_provider": "azure", "azure_speech_key": "s"}, FAIL),
        (
            "speech-pool",
            SPEECH
            | {
                "speech_provider": "azure",
                "azure_speech_key": "s",
                "azure_speech_region": "westeurope",
            },
            OK,
        ),
        (
            "speech-pool",
            SPEECH | {"speech_provider": "azure", "azure_speech_endpoint": "https://x"},
            OK,
        ),
        ("orchestrator", MODEL, OK),
        ("orchestrator", MODEL | {"azure_openai_endpoint": "https://x"}, OK),
        (
            "orchestrator",
            MODEL | {"azure_openai_endpoint": "https://x", "model_api_key": "s"},
            FAIL,
        ),
        (
            "orchestrator",
            MODEL | {"azure_openai_endpoint": "https://x", "azure_openai_api_key": "s"},
            OK,
        ),
        ("gateway", {"media_key": "", "control_key": "s"}, WARN),
        ("gateway", {"media_key": "s", "control_key": "s"}, OK),
    ],
)
def test_credentials(service: str, settings: dict[str, Any], status: Status) -> None:
    found = checks.credentials(service, settings)
    worst = max((of(f) for f in found), key=[OK, WARN, FAIL].index)
    assert worst is status


def test_a_credential_is_never_shown() -> None:
    secret = "hush-hush"
    found = checks.credentials("gateway", {"media_key": secret, "control_key": secret})
    found += checks.credentials("speech-pool", SPEECH | {"azure_speech_key": secret})
    assert secret not in repr(found)
    assert checks.credentials("session-store", {}) == []
