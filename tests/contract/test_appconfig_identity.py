"""App Configuration and Key Vault as the identity of the process: tokens over TLS, no keys."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from azure.core.credentials import AccessToken

from meshkit.appconfig import AppConfigError, AppConfigProvider
from tests.support.appconfig_emulator import TOKEN, AppConfigEmulator
from tests.support.keyvault_emulator import DOMAIN, KeyVaultEmulator
from tests.support.web_thread import certificate, server_context


@dataclass
class Credential:
    """An identity whose tokens the store takes. `asked` is each scope."""

    token: str = TOKEN
    asked: list[str] = field(default_factory=list)

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        self.asked.extend(scopes)
        return AccessToken(self.token, int(time.time()) + 3600)


@pytest.fixture
def pem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A certificate for both servers, trusted; and the vault's name, resolved."""
    path = certificate(tmp_path, "localhost", f"mine.{DOMAIN}")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(path))
    resolve = socket.getaddrinfo

    def resolve_here(host: Any, *more: Any, **named: Any) -> Any:
        return resolve("127.0.0.1" if host == f"mine.{DOMAIN}" else host, *more, **named)

    monkeypatch.setattr(socket, "getaddrinfo", resolve_here)
    return path


@pytest.fixture
def store(pem: Path) -> Iterator[AppConfigEmulator]:
    with AppConfigEmulator(tls=server_context(pem)) as running:
        yield running


@pytest.fixture
def vault(pem: Path) -> Iterator[KeyVaultEmulator]:
    with KeyVaultEmulator(server_context(pem)) as running:
        yield running


async def test_settings_and_their_secrets_are_read_with_a_token(
    store: AppConfigEmulator, vault: KeyVaultEmulator
) -> None:
    vault.secrets["speech-key"] = "s3cret"
    store.set("a", "1")
    store.refer("key", vault.uri("speech-key"))
    credential = Credential()
    async with AppConfigProvider(store.endpoint, credential=credential) as provider:
        assert await provider.get_all_settings() == {"a": "1", "key": "s3cret"}
    assert vault.asked == [("speech-key", False), ("speech-key", True)]
    assert any(DOMAIN in scope for scope in credential.asked)


async def test_a_secret_that_is_not_there_is_named(
    store: AppConfigEmulator, vault: KeyVaultEmulator
) -> None:
    store.set("a", "1")
    store.refer("key", vault.uri("gone"))
    async with AppConfigProvider(store.endpoint, credential=Credential()) as provider:
        assert await provider.get_all_settings() == {"a": "1"}
        assert "secrets/gone cannot be read" in provider.status.problems["key"]
        assert "404" in provider.status.problems["key"]


async def test_a_vault_that_is_away_costs_its_own_key(
    store: AppConfigEmulator, vault: KeyVaultEmulator
) -> None:
    store.set("a", "1")
    store.refer("key", f"https://mine.{DOMAIN}:1/secrets/any")
    async with AppConfigProvider(store.endpoint, credential=Credential()) as provider:
        assert await provider.get_all_settings() == {"a": "1"}
        assert "cannot be read" in provider.status.problems["key"]


async def test_an_identity_that_the_store_does_not_know_is_told(store: AppConfigEmulator) -> None:
    async with AppConfigProvider(store.endpoint, credential=Credential("forged")) as provider:
        with pytest.raises(AppConfigError, match="401"):
            await provider.get_all_settings()
