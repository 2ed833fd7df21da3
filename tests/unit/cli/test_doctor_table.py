"""Every check of the doctor's table in the README has a case where all is well, and one where not."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cli import doctor_checks as checks
from cli.doctor_checks import GIB, Finding, Status
from cli.doctor_deployment import quota_rooms
from cli.doctor_pods import Told, of_status
from meshkit.health import NotReady
from session_store.settings import SessionStoreSettings
from speech_pool.settings import SpeechPoolSettings

README = Path(__file__).parents[3] / "libs" / "cli" / "README.md"
NOW = datetime(2026, 11, 24, tzinfo=UTC)
OK, WARN, FAIL = Status.OK, Status.WARN, Status.FAIL
LIMITS = (GIB, 2 * GIB)
SPEECH = {
    "profile": "azure",
    "speech_provider": "",
    "azure_speech_key": "",
    "azure_speech_region": "",
    "azure_speech_endpoint": "",
}
MODEL = {"azure_openai_endpoint": "https://x", "azure_openai_api_key": "", "model_api_key": ""}
POOL = {"kind": "recognizer", "leased": 1, "max": 2, "warm": 1, "target": 1, "breaker": "closed"}


def status(**more: Any) -> list[Finding]:
    """What a pod's status is found to be."""
    told = {"version": "1", "waiting_settings": [], **more}
    return of_status("orchestrator", "pod:1", told, NOW)


def keys(key: str) -> list[Finding]:
    return checks.credentials("gateway", {"media_key": key, "control_key": key})


def room(clients: int) -> list[Finding]:
    """Two pods whose pools may open this many recognisers each, of a quota of ten."""
    pool = SpeechPoolSettings(recognizer_quota="quotas/speech")
    store = SessionStoreSettings(quotas={"speech": {"limit": 10}})  # type: ignore[dict-item]
    pods = [Told([], {"recognizer": clients, "synthesizer": 99})] * 2
    return quota_rooms({"speech-pool": pool, "session-store": store}, pods)


Case = Callable[[], list[Finding]]
CASES: dict[str, tuple[Case, Case]] = {
    "python": (lambda: [checks.python((3, 11, 1))], lambda: [checks.python((3, 10, 1))]),
    "platform": (
        lambda: [checks.platform("Linux", "x86_64")],
        lambda: [checks.platform("Darwin", "arm64")],
    ),
    "recogniser": (
        lambda: [checks.engines("recogniser", ["moonshine"])],
        lambda: [checks.engines("recogniser", [])],
    ),
    "synthesiser": (
        lambda: [checks.engines("synthesiser", ["hibari"])],
        lambda: [checks.engines("synthesiser", [])],
    ),
    "disk": (
        lambda: [checks.space("disk", 2 * GIB, LIMITS, "Free space.")],
        lambda: [checks.space("disk", 0, LIMITS, "Free space.")],
    ),
    "memory": (
        lambda: [checks.space("memory", 2 * GIB, LIMITS, "Stop programs.")],
        lambda: [checks.space("memory", GIB, LIMITS, "Stop programs.")],
    ),
    "open files": (lambda: [checks.open_files(4096)], lambda: [checks.open_files(1024)]),
    "ports": (lambda: [checks.ports({})], lambda: [checks.ports({"planner": 8090})]),
    "clock": (lambda: [checks.clock(0.5, "there")], lambda: [checks.clock(-40.0, "there")]),
    "settings": (
        lambda: status()[1:] or [checks.ok("settings", "none wait")],
        lambda: status(waiting_settings=["grpc_port"])[1:],
    ),
    "media_key": (lambda: keys("s")[:1], lambda: keys("")[:1]),
    "control_key": (lambda: keys("s")[1:], lambda: keys("")[1:]),
    "speech credentials": (
        lambda: checks.credentials("speech-pool", SPEECH | {"azure_speech_endpoint": "https://x"}),
        lambda: checks.credentials("speech-pool", SPEECH),
    ),
    "model credentials": (
        lambda: checks.credentials("orchestrator", MODEL | {"azure_openai_api_key": "s"}),
        lambda: checks.credentials("orchestrator", MODEL | {"model_api_key": "s"}),
    ),
    "model endpoint": (
        lambda: [checks.model_endpoint("model endpoint", "https://x", 200)],
        lambda: [checks.model_endpoint("model endpoint", "https://x", 401)],
    ),
    "embeddings endpoint": (
        lambda: [checks.model_endpoint("embeddings endpoint", "https://x", 404)],
        lambda: [checks.model_endpoint("embeddings endpoint", "https://x", 403)],
    ),
    "certificate": (
        lambda: [checks.certificate("gateway", NOW + timedelta(days=15), NOW)],
        lambda: status(certificate_end_time=(NOW + timedelta(days=13)).isoformat())[1:],
    ),
    "version": (
        lambda: [checks.version("gateway", "1", "1")],
        lambda: [checks.version("gateway", "1", "2")],
    ),
    "pools": (lambda: [checks.pool(POOL)], lambda: [checks.pool(POOL | {"leased": 2})]),
    "quotas": (lambda: room(5), lambda: room(6)),
    "redis": (
        lambda: [checks.redis(b"redis_version:8\r\naof_enabled:1\r\n", "disk")],
        lambda: [checks.redis(b"redis_version:8\r\naof_enabled:0\r\n", "disk")],
    ),
}
ASKED = {"voicemesh", "valkey", "service", "status", "app configuration"}
"""Those that are nothing without somebody who answers: test_doctor.py and test_doctor_mtls.py."""


def rows() -> list[str]:
    """The checks of the table."""
    table = README.read_text().partition("## What the doctor checks")[2]
    named = re.findall(r"^\| ([a-z_, ]+) \| (?:machine|deployment|both) \|", table, re.MULTILINE)
    return [check for row in named for check in row.split(", ")]


def test_the_table_has_each_check_and_each_check_a_case() -> None:
    assert sorted(rows()) == sorted(CASES.keys() | ASKED)


@pytest.mark.parametrize("check", CASES)
def test_a_check_tells_what_is_well_from_what_is_not(check: str) -> None:
    well, ill = (case() for case in CASES[check])
    assert [finding.status for finding in well] == [OK]
    assert [finding.status for finding in ill if finding.status is OK] == []
    assert ill
    assert all(finding.advice for finding in ill)


def test_each_reason_that_a_process_gives_has_its_advice() -> None:
    assert set(checks.ADVICE) == set(NotReady)
    told = checks.advice_of(NotReady.WAITING_FOR_TOOLS.told("PeerUnreachable"))
    assert "tool-executor" in told
    assert "logs" in checks.advice_of("")


def test_a_rate_is_not_compared_with_how_many_are_open() -> None:
    pool = SpeechPoolSettings(recognizer_quota="quotas/speech")
    limit = {"speech": {"limit": 1, "window_seconds": 60}}
    store = SessionStoreSettings(quotas=limit)  # type: ignore[arg-type]
    pods = [Told([], {"recognizer": 9})]
    assert quota_rooms({"speech-pool": pool, "session-store": store}, pods) == []
    assert quota_rooms({"speech-pool": pool}, pods) == []


@pytest.mark.parametrize(("status_code", "wanted"), [(403, FAIL), (429, WARN), (503, WARN)])
def test_what_a_model_endpoint_answers(status_code: int, wanted: Status) -> None:
    assert checks.model_endpoint("model endpoint", "https://x", status_code).status is wanted
