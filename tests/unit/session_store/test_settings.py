"""Settings of the session-store are read from the environment and bounded."""

from __future__ import annotations

import pytest

from meshkit.settings import SettingsError, load_settings
from session_store.settings import QuotaLimit, SessionStoreSettings


def test_the_defaults_are_the_documented_ones() -> None:
    settings = load_settings(SessionStoreSettings)
    assert (settings.grpc_port, settings.redis_url) == (50054, "")
    assert (settings.session_seconds, settings.store_durability) == (7200, "disk")
    assert settings.quotas == {}


def test_quotas_are_json_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    given = '{"calls": {"limit": 3}, "dials": {"limit": 30, "window_seconds": 60}}'
    monkeypatch.setenv("VOICEMESH_QUOTAS", given)
    settings = load_settings(SessionStoreSettings)
    assert settings.quotas["calls"] == QuotaLimit(limit=3)
    assert settings.quotas["dials"].window_seconds == 60


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SESSION_SECONDS", "0"),
        ("STORE_DURABILITY", "paper"),
        ("QUOTAS", '{"calls": {"limit": -1}}'),
        ("QUOTAS", '{"calls": {"limit": 1, "windows": 2}}'),
    ],
)
def test_nonsense_is_refused_by_name(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"VOICEMESH_{name}", value)
    with pytest.raises(SettingsError, match=f"VOICEMESH_{name} is not valid"):
        load_settings(SessionStoreSettings)
