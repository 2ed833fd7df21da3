"""The samples of "Configuration Management" run as written, but for where they import from."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from cli.parts import mesh_parts
from cli.ports import Ports
from gateway.settings import GatewaySettings
from meshkit.appconfig import AppConfigProvider
from meshkit.settings import MeshSettings, SettingsError, load_settings
from orchestrator.settings import OrchestratorSettings
from speech_pool.settings import SpeechPoolSettings
from tests.support.appconfig_emulator import AppConfigEmulator


@pytest.fixture(autouse=True)
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[AppConfigEmulator]:
    with AppConfigEmulator() as running:
        monkeypatch.setenv("AZURE_APPCONFIG_ENDPOINT", running.connection_string)
        monkeypatch.setenv("AZURE_APPCONFIG_LABEL", "dev")
        yield running


async def test_azure_app_configuration(store: AppConfigEmulator) -> None:
    store.set("azure/openai/endpoint", "https://all.openai.azure.com")
    store.set("azure/openai/endpoint", "https://dev.openai.azure.com", label="dev")
    store.set("app/pools/tts-size", "50")

    # Initialize provider
    provider = AppConfigProvider(
        endpoint=os.getenv("AZURE_APPCONFIG_ENDPOINT"),
        label=os.getenv("AZURE_APPCONFIG_LABEL"),
    )

    # Get configuration
    config = await provider.get_all_settings()

    assert config == {
        "azure/openai/endpoint": "https://dev.openai.azure.com",
        "app/pools/tts-size": "50",
    }
    await provider.aclose()


VARIABLES: dict[str, tuple[type[MeshSettings], str, str]] = {
    "AZURE_APPCONFIG_ENDPOINT": (MeshSettings, "appconfig_endpoint", "https://mine.azconfig.io"),
    "AZURE_APPCONFIG_LABEL": (MeshSettings, "appconfig_label", "test"),
    "ACS_STREAMING_MODE": (GatewaySettings, "streaming_mode", "media"),
    "AZURE_SPEECH_KEY": (SpeechPoolSettings, "azure_speech_key", "k"),
    "AZURE_SPEECH_REGION": (SpeechPoolSettings, "azure_speech_region", "westeurope"),
    "AZURE_OPENAI_ENDPOINT": (
        OrchestratorSettings,
        "azure_openai_endpoint",
        "https://mine.openai.azure.com",
    ),
    "OTEL_EXPORTER_OTLP_ENDPOINT": (MeshSettings, "otlp_endpoint", "http://collector:4317"),
}
"""All of the source document: whose setting each is, and what it is set to here."""


@pytest.mark.parametrize("variable", VARIABLES)
def test_environment_variables(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kind, field, value = VARIABLES[variable]
    monkeypatch.setenv(variable, value)
    found = getattr(load_settings(kind), field)
    assert (found.get_secret_value() if isinstance(found, SecretStr) else found) == value


@pytest.mark.parametrize("mode", ["voice_live", "transcription"])
def test_a_streaming_mode_that_is_none_of_ours_is_refused_by_its_name(
    mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACS_STREAMING_MODE", mode)
    with pytest.raises(SettingsError, match="ACS_STREAMING_MODE"):
        load_settings(GatewaySettings)


def test_what_a_local_mesh_suggests_is_none_of_them() -> None:
    """So that whoever sets one before `voicemesh up` has it honoured by every process."""
    for part in mesh_parts(Ports(), "redis://x", Path("data"), {}, planner=True, ring=True):
        assert not part.environment.keys() & VARIABLES.keys()
