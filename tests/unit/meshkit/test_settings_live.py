"""Settings that change while the process runs: told, refused, taken over."""

from __future__ import annotations

import logging

import pytest
from pydantic import Field

from meshkit.configuration import Following
from meshkit.live import SettingRefused
from meshkit.remote import accept
from meshkit.settings import LIVE, MeshSettings


class Settings(MeshSettings):
    seats: int = Field(4, ge=1, description="Seats.", json_schema_extra=LIVE)
    tables: int = Field(1, ge=1, description="Tables.")


def no_more_than_six(seats: int) -> None:
    if seats > 6:
        raise ValueError("the room holds six")


@pytest.fixture
def settings() -> Settings:
    return accept(Settings, {}, {}).settings


@pytest.fixture
def following(settings: Settings) -> Following[Settings]:
    accepted = accept(Settings, {}, {})
    object.__setattr__(accepted, "settings", settings)
    return Following("gateway", Settings, accepted)


def test_a_change_is_told_and_in_force(settings: Settings, following: Following[Settings]) -> None:
    told: list[int] = []
    settings.live.on_change("seats", told.append)
    following.changed({"voicemesh/seats": "5"}, frozenset({"voicemesh/seats"}))
    assert told == [5]
    assert settings.now("seats") == 5
    assert settings.seats == 4  # the settings of the start do not change under the hand
    following.changed({}, frozenset({"voicemesh/seats"}))
    assert told == [5, 4]


def test_what_did_not_change_is_not_told(
    settings: Settings, following: Following[Settings]
) -> None:
    told: list[int] = []
    settings.live.on_change("seats", told.append)
    following.changed({"voicemesh/seats": "4"}, frozenset({"voicemesh/seats"}))
    assert told == []


def test_a_listener_is_told_no_more_when_it_says_so(settings: Settings) -> None:
    told: list[int] = []
    end = settings.live.on_change("seats", told.append)
    end()
    settings.live.change("seats", 5, 4)
    assert told == []


def test_a_wrong_value_is_refused_and_the_old_kept(
    settings: Settings, following: Following[Settings], caplog: pytest.LogCaptureFixture
) -> None:
    following.changed({"voicemesh/seats": "5"}, frozenset())
    following.changed({"voicemesh/seats": "none"}, frozenset())
    assert settings.now("seats") == 5
    (refusal,) = [r for r in caplog.records if r.message == "setting refused"]
    assert refusal.__dict__["setting"] == "seats"


def test_a_value_that_a_listener_refuses_is_taken_back_from_the_others(settings: Settings) -> None:
    told: list[int] = []
    settings.live.on_change("seats", told.append)
    settings.live.on_change("seats", no_more_than_six)
    with pytest.raises(SettingRefused, match="the room holds six"):
        settings.live.change("seats", 7, 4)
    assert told == [7, 4]
    assert settings.now("seats") == 4


def test_a_refusal_of_a_listener_is_logged_by_the_name_of_the_setting(
    settings: Settings, following: Following[Settings], caplog: pytest.LogCaptureFixture
) -> None:
    settings.live.on_change("seats", no_more_than_six)
    following.changed({"voicemesh/gateway/seats": "7"}, frozenset())
    assert settings.now("seats") == 4
    (refusal,) = [r for r in caplog.records if r.message == "setting refused"]
    assert (refusal.__dict__["setting"], refusal.__dict__["why"]) == ("seats", "the room holds six")


def test_a_setting_that_is_not_live_waits_for_the_next_start(
    settings: Settings, following: Following[Settings], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="voicemesh"):
        following.changed({"voicemesh/tables": "2"}, frozenset())
    (record,) = [r for r in caplog.records if r.message == "settings change at the next start"]
    assert record.__dict__["settings"] == ["tables"]
    assert (settings.live.generation, settings.live.waiting) == (1, ("tables",))
    following.changed({}, frozenset())
    assert (settings.live.generation, settings.live.waiting) == (2, ())
    with pytest.raises(KeyError, match="not live"):
        settings.now("tables")
    with pytest.raises(KeyError, match="not live"):
        settings.live.on_change("tables", print)


def test_settings_that_nothing_listens_to_are_equal() -> None:
    assert Settings() == Settings()
    assert Settings(seats=5) != Settings()
