"""Choosing the provider by settings."""

from __future__ import annotations

import sys
from typing import get_args

import pytest
from pydantic import ValidationError

from meshkit.startup import StartupError
from speech_pool.engines.azure.provider import AzureProvider
from speech_pool.engines.azure.settings import AzureSettings
from speech_pool.engines.local import LocalProvider, LocalSettings
from speech_pool.engines.selection import AUTO, HEARING, SPEAKING
from speech_pool.ports import ProviderUnavailable
from speech_pool.providers import make_provider
from speech_pool.settings import SpeechPoolSettings
from tests.support.scripted_engine import ScriptedProvider


async def test_the_local_profile_has_the_local_engines_set_up_as_told() -> None:
    settings = SpeechPoolSettings(
        recognizer_engine="whisper",
        synthesizer_engine="espeak",
        engine_threads=3,
        endpointing_silence_seconds=0.8,
    )

    provider = make_provider(settings)

    assert isinstance(provider, LocalProvider)
    assert provider.settings.recognizer_engine == "whisper"
    assert provider.settings.synthesizer_engine == "espeak"
    assert provider.settings.worker_threads == 3
    assert provider.settings.endpointing.silence_seconds == 0.8
    await provider.aclose()


async def test_defaults_are_those_of_the_engines() -> None:
    provider = make_provider(SpeechPoolSettings())

    assert isinstance(provider, LocalProvider)
    assert provider.settings == LocalSettings()
    await provider.aclose()


@pytest.mark.parametrize(
    ("field", "engines"), [("recognizer_engine", HEARING), ("synthesizer_engine", SPEAKING)]
)
def test_the_settings_know_the_engines_that_there_are(
    field: str, engines: dict[str, object]
) -> None:
    allowed = get_args(SpeechPoolSettings.model_fields[field].annotation)

    assert allowed == (AUTO, *engines)
    with pytest.raises(ValidationError, match=field):
        SpeechPoolSettings.model_validate({field: "other"})


def test_a_provider_can_be_named_by_its_path() -> None:
    path = "tests.support.scripted_engine:ScriptedProvider"

    assert isinstance(make_provider(SpeechPoolSettings(speech_provider=path)), ScriptedProvider)


@pytest.mark.parametrize("name", ["cloud", "no.such.module:Provider", "speech_pool.ports:Nothing"])
def test_a_provider_that_does_not_exist_is_named(name: str) -> None:
    with pytest.raises(StartupError, match=f"VOICEMESH_SPEECH_PROVIDER names '{name}'"):
        make_provider(SpeechPoolSettings(speech_provider=name))


@pytest.fixture
def azure_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_SPEECH_KEY", "some-key")
    monkeypatch.setenv("AZURE_SPEECH_REGION", "westeurope")


@pytest.mark.usefixtures("azure_environment")
@pytest.mark.parametrize("settings", [{"profile": "azure"}, {"speech_provider": "azure"}])
def test_azure_is_set_up_by_the_names_of_the_seed(settings: dict[str, str]) -> None:
    provider = make_provider(SpeechPoolSettings.model_validate(settings))

    assert isinstance(provider, AzureProvider)
    assert provider.settings.key == "some-key"
    assert provider.settings.address == "https://westeurope.api.cognitive.microsoft.com"
    assert "some-key" not in repr(provider.settings)


@pytest.mark.usefixtures("azure_environment")
def test_an_endpoint_of_ones_own_goes_before_the_region(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_SPEECH_ENDPOINT", "https://mine.cognitiveservices.azure.com")

    provider = make_provider(SpeechPoolSettings(profile="azure"))

    assert isinstance(provider, AzureProvider)
    assert provider.settings.address == "https://mine.cognitiveservices.azure.com"


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({}, "needs AZURE_SPEECH_ENDPOINT, or AZURE_SPEECH_KEY with AZURE_SPEECH_REGION"),
        ({"key": "k"}, "AZURE_SPEECH_REGION"),
        ({"region": "westeurope"}, "needs AZURE_SPEECH_ENDPOINT: the resource's own domain"),
        ({"key": "k", "endpoint": "mine"}, "AZURE_SPEECH_ENDPOINT must be an address"),
    ],
)
async def test_azure_says_what_is_missing(settings: dict[str, str], problem: str) -> None:
    provider = AzureProvider(AzureSettings(**settings))  # type: ignore[arg-type]

    with pytest.raises(ProviderUnavailable, match=problem):
        await provider.load()
    await provider.aclose()


async def test_azure_says_that_the_sdk_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "speech_pool.engines.azure.sdk", None)
    monkeypatch.delattr("speech_pool.engines.azure.sdk", raising=False)
    provider = AzureProvider(AzureSettings(key="k", region="westeurope"))

    with pytest.raises(ProviderUnavailable, match=r"install voicemesh\[azure\]"):
        await provider.load()
    await provider.aclose()
