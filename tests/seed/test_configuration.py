"""The samples of "Configuration Management" run as written, but for where they import from."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from meshkit.appconfig import AppConfigProvider
from meshkit.settings import MeshSettings, load_settings
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


def test_environment_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_SPEECH_KEY", "k")
    monkeypatch.setenv("AZURE_SPEECH_REGION", "westeurope")
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", "https://mine.openai.azure.com")
    speech = load_settings(SpeechPoolSettings)
    assert speech.azure_speech_key.get_secret_value() == "k"
    assert speech.azure_speech_region == "westeurope"
    assert (
        load_settings(OrchestratorSettings).azure_openai_endpoint
        == os.environ["AZURE_OPENAI_ENDPOINT"]
    )
    assert load_settings(MeshSettings).appconfig_label == "dev"
