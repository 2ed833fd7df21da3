"""A service's settings out of App Configuration: at start, while it runs, and when the store is away."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from pydantic import Field

from meshkit.configuration import configured
from meshkit.settings import LIVE, MeshSettings, SettingsError, load_settings
from tests.support.appconfig_emulator import AppConfigEmulator, Fault


class Settings(MeshSettings):
    seats: int = Field(4, ge=1, description="Seats.", json_schema_extra=LIVE)
    tables: int = Field(1, ge=1, description="Tables.")


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[AppConfigEmulator]:
    with AppConfigEmulator() as running:
        monkeypatch.setenv("AZURE_APPCONFIG_ENDPOINT", running.connection_string)
        monkeypatch.setenv("AZURE_APPCONFIG_LABEL", "prod")
        monkeypatch.setenv("VOICEMESH_APPCONFIG_REFRESH_SECONDS", "1")
        yield running


class Logged(logging.Handler):
    """What is logged, to wait for."""

    def __init__(self) -> None:
        super().__init__()
        self._messages: asyncio.Queue[str] = asyncio.Queue()

    def emit(self, record: logging.LogRecord) -> None:
        self._messages.put_nowait(record.getMessage())

    def forget(self) -> None:
        """Pass over what was logged until now."""
        while not self._messages.empty():
            self._messages.get_nowait()

    async def wait_for(self, message: str) -> None:
        """Until this is logged."""
        async with asyncio.timeout(10):
            while await self._messages.get() != message:
                pass


@pytest.fixture
async def logged() -> AsyncIterator[Logged]:
    handler = Logged()
    logger = logging.getLogger("voicemesh.meshkit.configuration")
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)


@asynccontextmanager
async def listened() -> AsyncIterator[tuple[Settings, asyncio.Queue[int]]]:
    """The settings of a gateway, and each number of seats that it is told."""
    async with configured("gateway", Settings) as settings:
        told: asyncio.Queue[int] = asyncio.Queue()
        settings.live.on_change("seats", told.put_nowait)
        yield settings, told


async def after(told: asyncio.Queue[int]) -> int:
    return await asyncio.wait_for(told.get(), 10)


async def test_the_store_is_read_at_start_and_the_environment_goes_before(
    store: AppConfigEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.set("voicemesh/seats", "5")
    store.set("voicemesh/seats", "6", label="prod")
    store.set("voicemesh/tables", "7")
    monkeypatch.setenv("VOICEMESH_TABLES", "2")
    async with configured("gateway", Settings) as settings:
        assert (settings.seats, settings.tables) == (6, 2)
        assert load_settings(Settings).seats == 6  # whoever loads again sees the same
    assert load_settings(Settings).seats == 4


async def test_a_change_is_in_force_without_a_restart(store: AppConfigEmulator) -> None:
    async with listened() as (settings, told):
        store.set("voicemesh/gateway/seats", "8")
        assert await after(told) == 8
        assert settings.now("seats") == 8


async def test_a_wrong_value_is_refused_and_the_last_good_stays(
    store: AppConfigEmulator, logged: Logged
) -> None:
    store.set("voicemesh/seats", "none")
    async with listened() as (settings, told):
        assert settings.seats == 4
        store.set("voicemesh/seats", "5")
        assert await after(told) == 5
        logged.forget()
        store.set("voicemesh/seats", "0")
        store.set("voicemesh/tables", "3")
        await logged.wait_for("setting refused")
        assert settings.now("seats") == 5


async def test_an_outage_changes_nothing(store: AppConfigEmulator) -> None:
    store.set("voicemesh/seats", "5")
    async with listened() as (settings, told):
        store.set("voicemesh/seats", "6")
        store.faults.extend([Fault(429)] * 3)
        assert await after(told) == 6
        assert not store.faults
        assert told.empty()
        assert settings.now("seats") == 6


async def test_a_store_that_is_away_at_start_is_warned_of_and_followed_once_it_is_back(
    store: AppConfigEmulator, caplog: pytest.LogCaptureFixture
) -> None:
    store.set("voicemesh/seats", "5")
    store.always = Fault(503)
    async with listened() as (settings, told):
        assert settings.seats == 4
        assert "starting without app configuration" in caplog.messages
        store.always = None
        assert await after(told) == 5


async def test_a_store_that_is_required_keeps_the_process_from_starting(
    store: AppConfigEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.always = Fault(503)
    monkeypatch.setenv("VOICEMESH_APPCONFIG_REQUIRED", "true")
    with pytest.raises(SettingsError, match=r"503.*VOICEMESH_APPCONFIG_REQUIRED"):
        async with configured("gateway", Settings):
            pass


async def test_a_misspelt_key_is_told(
    store: AppConfigEmulator, caplog: pytest.LogCaptureFixture
) -> None:
    store.set("voicemesh/gateway/saets", "5")
    async with configured("gateway", Settings):
        assert "app configuration has unknown settings" in caplog.messages


async def test_without_an_endpoint_nobody_is_asked(
    store: AppConfigEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AZURE_APPCONFIG_ENDPOINT")
    async with configured("gateway", Settings) as settings:
        assert settings.seats == 4
    assert store.asked == []


@pytest.fixture(autouse=True)
def heard_by_caplog(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="voicemesh")
