"""The App Configuration provider over the real client library, against the store on the wire."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from meshkit.appconfig import AppConfigError, AppConfigProvider
from meshkit.keyvault import SecretUnavailable
from tests.support.appconfig_emulator import AppConfigEmulator, Fault


@pytest.fixture
def store() -> Iterator[AppConfigEmulator]:
    with AppConfigEmulator() as running:
        yield running


class Changes:
    """What a provider told, to wait for."""

    def __init__(self, provider: AppConfigProvider) -> None:
        self.keys: asyncio.Queue[frozenset[str]] = asyncio.Queue()
        provider.on_change(self._changed)

    def _changed(self, settings: Mapping[str, Any], keys: frozenset[str]) -> None:
        self.keys.put_nowait(keys)

    async def next(self) -> frozenset[str]:
        return await asyncio.wait_for(self.keys.get(), 10)


@asynccontextmanager
async def provided(
    store: AppConfigEmulator, label: str | None = None, **options: Any
) -> AsyncIterator[AppConfigProvider]:
    async with AppConfigProvider(
        store.connection_string, label, refresh_seconds=1, **options
    ) as provider:
        yield provider


async def until(provider: AppConfigProvider, true: Callable[[], bool]) -> None:
    """Wait for what a background refresh brings about."""
    async with asyncio.timeout(10):
        while not true():
            await provider.next_round()


async def test_a_label_overlays_what_has_none(store: AppConfigEmulator) -> None:
    store.set("a", "plain")
    store.set("b", "plain")
    store.set("b", "ours", label="prod")
    store.set("b", "theirs", label="test")
    store.set("n", "3", content_type="application/json")
    async with provided(store, "prod") as provider:
        assert await provider.get_all_settings() == {"a": "plain", "b": "ours", "n": 3}


async def test_pages_are_followed() -> None:
    with AppConfigEmulator(page=2) as store:
        for number in range(5):
            store.set(f"k{number}", str(number))
        async with provided(store) as provider:
            assert len(await provider.get_all_settings()) == 5


async def test_a_change_is_told_and_read(store: AppConfigEmulator) -> None:
    store.set("a", "1")
    store.set("b", "1")
    async with provided(store) as provider:
        changes = Changes(provider)
        await provider.get_all_settings()
        assert await changes.next() == {"a", "b"}
        store.set("a", "2")
        assert await changes.next() == {"a"}
        store.delete("b")
        assert await changes.next() == {"b"}
        assert await provider.get_all_settings() == {"a": "2"}


async def test_a_flag_without_filters_is_told(store: AppConfigEmulator) -> None:
    store.flag("recording", True)
    store.flag("beta", True, filters=("Microsoft.Targeting",))
    async with provided(store) as provider:
        await provider.get_all_settings()
        assert provider.flag("recording")
        assert not provider.flag("beta")
        assert provider.flag("unheard-of", default=True)
        store.flag("recording", False)
        await until(provider, lambda: not provider.flag("recording"))


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault(429, {"Retry-After": "1"}), "429"),
        (Fault(503), "503"),
        (Fault(200, {"Content-Type": "application/json"}, "<html>"), "not read"),
        (Fault(200, {"Content-Type": "application/json"}, '["what"]'), "not read"),
        (Fault(200, {"Content-Type": "application/json"}, '{"items": [7]}'), "not read"),
    ],
)
async def test_the_last_good_settings_outlive_a_fault(
    store: AppConfigEmulator, fault: Fault, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    store.set("a", "1")
    async with provided(store) as provider:
        assert await provider.get_all_settings() == {"a": "1"}
        store.always = fault
        store.set("a", "2")
        await until(provider, lambda: provider.status.failures > 0)
        assert said in provider.status.failing
        assert await provider.get_all_settings() == {"a": "1"}
        assert "app configuration not read" in caplog.messages
        store.always = None
        await until(provider, lambda: not provider.status.failing)
        assert await provider.get_all_settings() == {"a": "2"}


async def test_a_store_that_is_away_at_start_is_named_and_found_later(
    store: AppConfigEmulator,
) -> None:
    store.set("a", "1")
    store.always = Fault(503)
    async with provided(store) as provider:
        with pytest.raises(AppConfigError, match=f"{store.endpoint} was not read.*503"):
            await provider.get_all_settings()
        store.always = None
        await until(provider, lambda: provider.status.loaded)
        assert await provider.get_all_settings() == {"a": "1"}


async def test_a_refused_key_and_a_closed_port_are_told_without_the_secret(
    store: AppConfigEmulator,
) -> None:
    forged = store.connection_string.replace("Secret=c3", "Secret=d3")
    closed = forged.replace(f":{store.port};", ":1;")
    for endpoint in (forged, closed):
        async with AppConfigProvider(endpoint) as provider:
            with pytest.raises(AppConfigError) as caught:
                await provider.get_all_settings()
        assert "127.0.0.1" in str(caught.value)
        assert "Secret=" not in str(caught.value)


async def test_a_dead_and_a_cyclic_reference_are_named_and_cost_their_own_key(
    store: AppConfigEmulator,
) -> None:
    vault = {
        "https://v.example/secrets/good": "s3cret",
        "https://v.example/secrets/a": '{"uri": "https://v.example/secrets/b"}',
        "https://v.example/secrets/b": '{"uri": "https://v.example/secrets/a"}',
    }

    def read(uri: str) -> str:
        if uri not in vault:
            raise SecretUnavailable("SecretNotFound")
        return vault[uri]

    store.set("plain", "1")
    for key, name in {"good": "good", "cyclic": "a", "dead": "gone"}.items():
        store.refer(key, f"https://v.example/secrets/{name}")
    store.refer("malformed", "not-a-uri")
    async with provided(store, read_secret=read) as provider:
        assert await provider.get_all_settings() == {"plain": "1", "good": "s3cret"}
        problems = provider.status.problems
        assert "secrets/a -> https://v.example/secrets/b -> " in problems["cyclic"]
        assert "secrets/gone cannot be read" in problems["dead"]
        assert "names no secret" in problems["malformed"]
        vault["https://v.example/secrets/gone"] = "back"
        await until(provider, lambda: "dead" not in provider.status.problems)
        assert (await provider.get_all_settings())["dead"] == "back"


async def test_a_listener_that_fails_does_not_keep_the_next_from_hearing(
    store: AppConfigEmulator, caplog: pytest.LogCaptureFixture
) -> None:
    store.set("a", "1")
    async with provided(store) as provider:
        provider.on_change(lambda settings, keys: {}["absent"])
        changes = Changes(provider)
        await provider.get_all_settings()
        store.set("a", "2")
        assert await changes.next() == {"a"}
        assert "a listener failed" in caplog.messages


def test_no_endpoint_says_what_to_set() -> None:
    with pytest.raises(AppConfigError, match="AZURE_APPCONFIG_ENDPOINT"):
        AppConfigProvider(endpoint=None)
