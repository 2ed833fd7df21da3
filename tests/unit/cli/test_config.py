"""`voicemesh config explain`, as an operator types it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cli.config import config
from meshkit.call_graph import SERVICES
from tests.support.appconfig_emulator import AppConfigEmulator, Fault


@pytest.fixture
def store() -> Iterator[AppConfigEmulator]:
    with AppConfigEmulator() as running:
        yield running


def run(*words: str, **environment: str) -> Result:
    return CliRunner().invoke(config, ["explain", *words], env=environment)


def rows(service: str, **environment: str) -> dict[str, dict[str, Any]]:
    result = run(service, "--json", **environment)
    assert result.exit_code == 0, result.stderr
    return {row["name"]: row for row in json.loads(result.stdout)[service]}


def test_every_service_is_explained_with_a_sentence_for_each_setting() -> None:
    explained = json.loads(run("--json").stdout)
    assert list(explained) == list(SERVICES)
    without = [r["name"] for settings in explained.values() for r in settings if not r["meaning"]]
    assert without == []


@pytest.mark.parametrize("service", SERVICES)
def test_the_table_names_every_setting(service: str) -> None:
    result = run(service, COLUMNS="200")
    assert result.exit_code == 0
    assert all(name in result.stdout for name in rows(service))


def test_environment_over_app_configuration_over_file_over_default(
    store: AppConfigEmulator, tmp_path: Path
) -> None:
    file = tmp_path / "voicemesh.yaml"
    file.write_text("max_calls: 5\nhttp_port: 5\nmedia_port: 5\n")
    store.set("voicemesh/max_calls", "6")
    store.set("voicemesh/gateway/http_port", "6", label="prod")
    settings = rows(
        "gateway",
        VOICEMESH_CONFIG=str(file),
        AZURE_APPCONFIG_ENDPOINT=store.connection_string,
        AZURE_APPCONFIG_LABEL="prod",
        VOICEMESH_MAX_CALLS="7",
    )
    found = {name: (settings[name]["value"], settings[name]["source"]) for name in settings}
    assert found["max_calls"] == (7, "environment")
    assert found["http_port"] == (6, "app configuration")
    assert found["media_port"] == (5, "file")
    assert found["default_scenario"] == ("banking", "default")
    assert found["appconfig_endpoint"] == ("****", "environment")


def test_no_secret_is_shown() -> None:
    secret = "not-to-be-seen-" + "x" * 32
    for words in (("gateway",), ("gateway", "--json")):
        shown = run(*words, VOICEMESH_MEDIA_KEY=secret).output
        assert "not-to-be-seen" not in shown
        assert "****" in shown


@pytest.mark.parametrize(
    ("service", "variable", "value"),
    [
        ("gateway", "ACS_STREAMING_MODE", "media"),
        ("speech-pool", "AZURE_SPEECH_KEY", "k" * 32),
        ("speech-pool", "AZURE_SPEECH_REGION", "westeurope"),
        ("orchestrator", "AZURE_OPENAI_ENDPOINT", "https://mine.openai.azure.com"),
        *((name, "AZURE_APPCONFIG_LABEL", "prod") for name in SERVICES),
    ],
)
def test_the_variables_of_the_seed_are_honoured(service: str, variable: str, value: str) -> None:
    (row,) = [
        r for r in rows(service, **{variable: value}).values() if r["source"] == "environment"
    ]
    assert row["variable"] == variable
    assert row["value"] in (value, "****")


def test_an_unknown_service_is_exit_code_2_with_a_sentence() -> None:
    result = run("speech")
    assert result.exit_code == 2
    assert "there is no service 'speech'; use one of gateway, speech-pool" in result.stderr


def test_settings_that_a_service_would_not_start_with_are_exit_code_2() -> None:
    result = run("gateway", VOICEMESH_MAX_CALLS="many")
    assert result.exit_code == 2
    assert "VOICEMESH_MAX_CALLS is not valid" in result.stderr


def test_a_store_that_is_away_is_told_and_the_rest_is_shown(store: AppConfigEmulator) -> None:
    store.always = Fault(503)
    result = run("gateway", "--json", AZURE_APPCONFIG_ENDPOINT=store.connection_string)
    assert result.exit_code == 0
    assert "503" in result.stderr
    assert "What follows is without it." in result.stderr
    assert json.loads(result.stdout)["gateway"]


def test_a_value_that_does_not_hold_is_told(store: AppConfigEmulator) -> None:
    store.set("voicemesh/max_calls", "many")
    result = run("gateway", "--json", AZURE_APPCONFIG_ENDPOINT=store.connection_string)
    assert "gateway refuses max_calls of App Configuration" in result.stderr
    row = next(r for r in json.loads(result.stdout)["gateway"] if r["name"] == "max_calls")
    assert (row["value"], row["source"]) == (100, "default")
