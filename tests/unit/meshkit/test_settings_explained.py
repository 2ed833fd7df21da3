"""Value, source, default and meaning of each setting, and never a secret."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import AliasChoices, Field, SecretStr

from meshkit.explain import MASK, Explained, explain, shown
from meshkit.settings import SECRET, MeshSettings, build_settings


class Settings(MeshSettings):
    seats: int = Field(4, description="Seats at the table.")
    first_token_seconds: float = Field(8.0, description="A number is no secret.")
    region: str = Field(
        "", validation_alias=AliasChoices("CLOUD_REGION", "VOICEMESH_REGION", "region")
    )
    pin: SecretStr = Field(SecretStr(""), description="Opens the door.")
    media_key: str = Field("", description="Secret by its name.")
    motto: str = Field("", description="Secret by its mark.", json_schema_extra=SECRET)
    redis_url: str = Field("redis://h:1/0", description="May hold a password.")
    limits: dict[str, int] = Field(default_factory=dict, description="Limits.")


def explained(
    values: dict[str, Any] | None = None, **sources: dict[str, Any]
) -> dict[str, Explained]:
    settings = build_settings(Settings, values or {})
    rows = explain(
        settings, sources.get("environment", {}), sources.get("remote", {}), sources.get("file", {})
    )
    return {row.name: row for row in rows}


def test_every_setting_is_there_once_in_its_order() -> None:
    assert list(explained()) == list(Settings.model_fields)


def test_the_strongest_source_is_told() -> None:
    def source(**sources: dict[str, Any]) -> str:
        return explained(**sources)["seats"].source

    one = {"seats": 5}
    assert source() == "default"
    assert source(file=one) == "file"
    assert source(file=one, remote=one) == "app configuration"
    assert source(file=one, remote=one, environment={"VOICEMESH_SEATS": "5"}) == "environment"


def test_the_variable_that_set_it_is_told_or_the_one_that_could() -> None:
    assert explained()["region"].variable == "CLOUD_REGION"
    set_by = explained(environment={"voicemesh_region": "x"})["region"]
    assert (set_by.variable, set_by.source) == ("VOICEMESH_REGION", "environment")
    assert explained(file={"CLOUD_REGION": "x"})["region"].source == "file"


def test_value_default_meaning_and_whether_it_is_live() -> None:
    row = explained({"seats": 5})["seats"]
    assert (row.value, row.default, row.meaning, row.live) == (5, 4, "Seats at the table.", False)
    assert explained()["log_level"].live
    assert explained({"limits": {"a": 1}})["limits"].value == {"a": 1}


@pytest.mark.parametrize("name", ["pin", "media_key", "motto"])
def test_a_secret_is_masked_and_an_empty_one_is_seen_to_be_empty(name: str) -> None:
    row = explained({name: "hunter2"})[name]
    assert (row.value, row.default) == (MASK, "")
    assert "hunter2" not in repr(explained({name: "hunter2"}))


def test_a_url_is_shown_without_who_asks() -> None:
    rows = explained({"redis_url": "rediss://ann:hunter2@host:1/0"})
    assert rows["redis_url"].value == "rediss://****@host:1/0"
    assert explained()["redis_url"].value == "redis://h:1/0"


def test_a_number_is_no_secret_whatever_its_name() -> None:
    assert shown(Settings, "first_token_seconds", 8.0) == 8.0
