"""Environment over YAML over default, and one sentence for what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import Field, ValidationError

from meshkit.settings import MeshSettings, SettingsError, Target, load_settings


class Settings(MeshSettings):
    seats: int = Field(4, ge=1, description="Seats at the table.")
    peer_target: Target = Field("static:127.0.0.1:1", description="Where the peer is.")
    api_key: str = Field("", max_length=4, description="A secret.")
    redis_url: str = Field("", max_length=4, description="May hold a password.")


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("VOICEMESH_SEATS", "VOICEMESH_CONFIG", "VOICEMESH_PEER_TARGET"):
        monkeypatch.delenv(name, raising=False)


def yaml_file(tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "voicemesh.yaml"
    path.write_text(text)
    monkeypatch.setenv("VOICEMESH_CONFIG", str(path))
    return path


def test_default_then_yaml_then_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load_settings(Settings).seats == 4
    yaml_file(tmp_path, "seats: 5\n", monkeypatch)
    assert load_settings(Settings).seats == 5
    monkeypatch.setenv("VOICEMESH_SEATS", "6")
    assert load_settings(Settings).seats == 6


def test_settings_do_not_change_under_the_hand() -> None:
    with pytest.raises(ValidationError):
        load_settings(Settings).seats = 9  # type: ignore[misc]


@pytest.mark.parametrize("value", ["0", "many"])
def test_a_bad_value_names_the_setting_the_value_and_the_meaning(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOICEMESH_SEATS", value)
    with pytest.raises(SettingsError) as caught:
        load_settings(Settings)
    assert "VOICEMESH_SEATS" in str(caught.value)
    assert repr(value) in str(caught.value)
    assert "Seats at the table." in str(caught.value)


def test_a_bad_target_says_what_to_write(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOICEMESH_PEER_TARGET", "somewhere")
    with pytest.raises(SettingsError, match=r"use static:host:port"):
        load_settings(Settings)


@pytest.mark.parametrize("name", ["VOICEMESH_API_KEY", "VOICEMESH_REDIS_URL"])
def test_a_secret_is_not_told(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "redis://:hunter2@host")
    with pytest.raises(SettingsError) as caught:
        load_settings(Settings)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("text", ["seats: [", "- seats", "just words"])
def test_a_file_that_is_no_settings_file_is_named(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = yaml_file(tmp_path, text, monkeypatch)
    with pytest.raises(SettingsError, match=path.name):
        load_settings(Settings)


def test_a_missing_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOICEMESH_CONFIG", str(tmp_path / "absent.yaml"))
    with pytest.raises(SettingsError, match="cannot be read"):
        load_settings(Settings)


def test_every_setting_says_what_it_means() -> None:
    undocumented = [
        name for name, field in MeshSettings.model_fields.items() if not field.description
    ]
    assert undocumented == []
