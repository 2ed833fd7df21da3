"""Choosing the provider by settings."""

from __future__ import annotations

from typing import get_args

import pytest
from pydantic import ValidationError

from meshkit.startup import StartupError
from speech_pool.engines.local import LocalProvider, LocalSettings
from speech_pool.engines.selection import AUTO, HEARING, SPEAKING
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
