"""The gateway's settings."""

from __future__ import annotations

import pytest

from gateway.settings import GatewaySettings
from meshkit.settings import SettingsError, load_settings


def test_the_defaults_are_the_ports_of_the_mesh() -> None:
    settings = load_settings(GatewaySettings)
    assert (settings.http_port, settings.media_port) == (8080, 8081)
    assert settings.speech_pool_target == "static:127.0.0.1:50051"
    assert settings.orchestrator_target == "static:127.0.0.1:50052"
    assert settings.session_store_target == "static:127.0.0.1:50054"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AUDIO_CHUNK_MS", "25"),
        ("DTMF_TERMINATOR", "x"),
        ("MAX_CALLS", "0"),
        ("MEDIA_PORT", "70000"),
        ("ORCHESTRATOR_TARGET", "somewhere"),
    ],
)
def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"VOICEMESH_{name}", value)
    with pytest.raises(SettingsError, match=f"VOICEMESH_{name}"):
        load_settings(GatewaySettings)


def test_languages_are_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOICEMESH_LANGUAGE_CODES", '["en-US","de-DE"]')
    assert load_settings(GatewaySettings).language_codes == ("en-US", "de-DE")


@pytest.mark.parametrize("variable", ["ACS_STREAMING_MODE", "VOICEMESH_STREAMING_MODE"])
def test_the_streaming_mode_that_is_not_there_yet_is_told(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "media")
    assert load_settings(GatewaySettings).streaming_mode == "media"
    monkeypatch.setenv(variable, "voice_live")
    with pytest.raises(SettingsError, match=r"ACS_STREAMING_MODE.*not available yet; set media"):
        load_settings(GatewaySettings)
    monkeypatch.setenv(variable, "telepathy")
    with pytest.raises(SettingsError, match=r"ACS_STREAMING_MODE.*'media'"):
        load_settings(GatewaySettings)
