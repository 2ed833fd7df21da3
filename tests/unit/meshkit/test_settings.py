"""Environment over App Configuration over YAML over default, and one sentence for what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import AliasChoices, Field, SecretStr, ValidationError, model_validator

from meshkit.settings import (
    LIVE,
    SECRET,
    MeshSettings,
    SettingsError,
    Target,
    is_secret,
    live_names,
    load_settings,
    remote_values,
    variables_of,
)


class Settings(MeshSettings):
    seats: int = Field(4, ge=1, description="Seats at the table.")
    peer_target: Target = Field("static:127.0.0.1:1", description="Where the peer is.")
    api_key: str = Field("", max_length=4, description="A secret.")
    redis_url: str = Field("", max_length=4, description="May hold a password.")
    names: tuple[str, ...] = Field((), description="Who sits.", json_schema_extra=LIVE)
    region: str = Field(
        "",
        pattern="^[a-z]*$",
        validation_alias=AliasChoices("CLOUD_REGION", "VOICEMESH_REGION", "region"),
        description="Where.",
    )
    pin: SecretStr = Field(SecretStr(""), description="Opens the door.")
    motto: str = Field("", description="Said at the door.", json_schema_extra=SECRET)

    @model_validator(mode="after")
    def _one_seat_each(self) -> Settings:
        if len(self.names) > self.seats:
            raise ValueError("more names than seats")
        return self


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("VOICEMESH_SEATS", "VOICEMESH_CONFIG", "VOICEMESH_PEER_TARGET", "CLOUD_REGION"):
        monkeypatch.delenv(name, raising=False)


def yaml_file(tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "voicemesh.yaml"
    path.write_text(text)
    monkeypatch.setenv("VOICEMESH_CONFIG", str(path))
    return path


def test_default_then_yaml_then_app_configuration_then_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load_settings(Settings).seats == 4
    yaml_file(tmp_path, "seats: 5\n", monkeypatch)
    assert load_settings(Settings).seats == 5
    assert load_settings(Settings, {"seats": "6"}).seats == 6
    monkeypatch.setenv("VOICEMESH_SEATS", "7")
    assert load_settings(Settings, {"seats": "6"}).seats == 7


@pytest.mark.parametrize("variable", ["CLOUD_REGION", "VOICEMESH_REGION"])
def test_the_same_order_holds_where_a_setting_has_names_of_its_own(
    variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    yaml_file(tmp_path, "region: file\n", monkeypatch)
    assert load_settings(Settings).region == "file"
    assert load_settings(Settings, {"region": "remote"}).region == "remote"
    yaml_file(tmp_path, "CLOUD_REGION: file\n", monkeypatch)
    assert load_settings(Settings).region == "file"
    assert load_settings(Settings, {"region": "remote"}).region == "remote"
    monkeypatch.setenv(variable, "environment")
    assert load_settings(Settings, {"region": "remote"}).region == "environment"


def test_text_of_app_configuration_is_json_where_a_list_is_wanted() -> None:
    assert load_settings(Settings, {"names": '["Ann", "Bo"]'}).names == ("Ann", "Bo")
    assert load_settings(Settings, {"names": ["Ann"]}).names == ("Ann",)
    with pytest.raises(SettingsError, match="VOICEMESH_NAMES"):
        load_settings(Settings, {"names": "Ann, Bo"})


def test_values_of_app_configuration_hold_within_a_block_for_all_who_load() -> None:
    with remote_values({"seats": 6}):
        assert load_settings(Settings).seats == 6
        assert load_settings(Settings, {}).seats == 4
    assert load_settings(Settings).seats == 4


def test_an_error_names_a_setting_by_its_first_variable() -> None:
    with pytest.raises(SettingsError, match=r"Setting CLOUD_REGION is not valid.*Where\."):
        load_settings(Settings, {"region": "West Europe"})


def test_settings_that_do_not_fit_each_other_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOICEMESH_SEATS", "1")
    with pytest.raises(SettingsError, match="do not fit each other: more names than seats"):
        load_settings(Settings, {"names": ["Ann", "Bo"]})


def test_marks_and_names_tell_what_is_live_and_what_is_secret() -> None:
    assert live_names(Settings) == {"names", "log_level", "drain_seconds", "diagnostics"}
    secret = {name for name in Settings.model_fields if is_secret(Settings, name)}
    assert secret == {"api_key", "redis_url", "pin", "motto", "appconfig_endpoint", "tls_key"}


def test_the_variables_of_a_setting() -> None:
    assert variables_of(Settings, "seats") == ("VOICEMESH_SEATS",)
    assert variables_of(Settings, "region") == ("CLOUD_REGION", "VOICEMESH_REGION")


def test_where_the_store_is_comes_from_the_variables_of_the_seed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AZURE_APPCONFIG_ENDPOINT", "https://mine.azconfig.io")
    monkeypatch.setenv("AZURE_APPCONFIG_LABEL", "prod")
    settings = load_settings(Settings)
    assert settings.appconfig_endpoint.get_secret_value() == "https://mine.azconfig.io"
    assert settings.appconfig_label == "prod"


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
