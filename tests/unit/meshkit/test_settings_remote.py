"""Which keys of App Configuration a service takes, and which values hold."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import Field, model_validator

from meshkit.remote import accept, of_service, unknown_keys
from meshkit.settings import MeshSettings, SettingsError


class Settings(MeshSettings):
    seats: int = Field(4, ge=1, description="Seats at the table.")
    guests: int = Field(2, ge=0, description="Who sits.")
    cups: int = Field(9, ge=0, description="Cups on the table.")

    @model_validator(mode="after")
    def _room(self) -> Settings:
        if self.guests > self.seats:
            raise ValueError(f"{self.guests} guests for {self.seats} seats")
        return self


SAID = {
    "voicemesh/seats": "5",
    "voicemesh/cups": "1",
    "voicemesh/gateway/seats": "6",
    "voicemesh/gateway/saets": "7",
    "voicemesh/speech-pool/seats": "8",
    "voicemesh/appconfig_label": "other",
    "other/seats": "9",
}


def test_a_key_of_the_service_goes_before_one_for_all() -> None:
    assert of_service(SAID, "gateway") == {"seats": "6", "cups": "1", "saets": "7"}
    assert of_service(SAID, "session-store") == {"seats": "5", "cups": "1"}


def test_a_key_for_one_service_that_is_no_setting_of_it_is_told() -> None:
    assert unknown_keys(SAID, "gateway", Settings) == ["voicemesh/gateway/saets"]
    assert unknown_keys(SAID, "session-store", Settings) == []


def test_what_is_valid_holds() -> None:
    accepted = accept(Settings, {"seats": "6"}, {"seats": "5"})
    assert (accepted.settings.seats, accepted.refused) == (6, {})


@pytest.mark.parametrize(("kept", "seats"), [({"seats": "5"}, 5), ({}, 4), ({"seats": "none"}, 4)])
def test_a_wrong_value_is_named_and_the_last_good_stays(kept: dict[str, Any], seats: int) -> None:
    accepted = accept(Settings, {"seats": "none", "cups": "2"}, kept)
    assert accepted.settings.seats == seats
    assert accepted.settings.cups == 2
    assert list(accepted.refused) == ["seats"]
    assert "VOICEMESH_SEATS" in accepted.refused["seats"]


def test_of_values_that_do_not_fit_only_the_one_to_blame_is_taken_back() -> None:
    accepted = accept(Settings, {"cups": "3", "guests": "7"}, {"guests": "1"})
    assert (accepted.settings.cups, accepted.settings.guests) == (3, 1)
    assert list(accepted.refused) == ["guests"]
    assert "7 guests for 4 seats" in accepted.refused["guests"]


def test_values_that_fit_each_other_are_taken_together() -> None:
    accepted = accept(Settings, {"seats": "8", "guests": "7"}, {})
    assert (accepted.settings.seats, accepted.settings.guests) == (8, 7)


def test_a_value_that_the_environment_goes_before_is_not_judged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("VOICEMESH_SEATS", "6")
    accepted = accept(Settings, {"seats": "none"}, {})
    assert (accepted.settings.seats, accepted.refused) == (6, {})


def test_a_wrong_environment_is_not_blamed_on_app_configuration(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("VOICEMESH_SEATS", "none")
    with pytest.raises(SettingsError, match="VOICEMESH_SEATS"):
        accept(Settings, {"cups": "3"}, {})
