"""The adapter of the App Configuration and Key Vault libraries: the only module that imports them.

Everything here blocks, and is called by the one thread of `meshkit.appconfig`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from meshkit.credentials import process_credential
from meshkit.keyvault import ReadSecret, References, SecretUnavailable

MAX_RETRY_AFTER_SECONDS = 600.0
"""Longest wait that a throttling store may ask for."""
_QUICK: dict[str, Any] = {"retry_total": 0, "connection_timeout": 3, "read_timeout": 5}
"""How a request is made: the next round is the retry, and a long Retry-After would hold this one."""
_NO_LABEL = "\0"
_NOWHERE = "https://malformed.invalid/secrets/malformed"
_FLAGS = "feature_management"


@dataclass(frozen=True)
class Snapshot:
    """What the store said at one time."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    flags: Mapping[str, bool] = field(default_factory=dict)
    """Feature flags without filters; a flag with filters is on for some, and is left out."""
    problems: Mapping[str, str] = field(default_factory=dict)
    """Key to why it has no fresh value: its last good one stands in, or it is missing."""


class Store:
    """The client library, used by one thread."""

    def __init__(
        self,
        endpoint: str,
        label: str | None,
        credential: Any,
        key_filter: str,
        refresh_seconds: float,
        read_secret: ReadSecret | None,
    ) -> None:
        self._signed = endpoint.lower().startswith("endpoint=")
        self._endpoint = endpoint
        self.where = _address(endpoint)
        self._label = label
        self._credential = credential
        self._key_filter = key_filter
        self._refresh_seconds = refresh_seconds
        self._references = References(read_secret or self._key_vault, time.monotonic)
        self._malformed: dict[str, str] = {}
        self._provider: Any = None
        self._owned: list[Any] = []

    def read(self) -> Snapshot:
        """Load or refresh, and resolve secrets. Raises whatever the library raises."""
        if self._provider is None:
            self._probe()
            self._provider = self._load()
        else:
            self._provider.refresh()
        raw = dict(self._provider)
        flags = raw.pop(_FLAGS, {}).get("feature_flags", [])
        settings, problems = self._references.resolve(raw, self._malformed)
        return Snapshot(settings, _plain_flags(flags), problems)

    def _probe(self) -> None:
        """Ask for one page: `load` would sleep before it raises, and hide why."""
        from azure.appconfiguration import AzureAppConfigurationClient

        client = (
            AzureAppConfigurationClient.from_connection_string(self._endpoint, **_QUICK)
            if self._signed
            else AzureAppConfigurationClient(self._endpoint, self._identity(), **_QUICK)
        )
        with client:
            pages = client.list_configuration_settings(key_filter=self._key_filter).by_page()
            list(next(pages, ()))

    def _load(self) -> Any:
        from azure.appconfiguration.provider import SettingSelector, load

        labels = [_NO_LABEL, *([self._label] if self._label else [])]
        selects = [SettingSelector(key_filter=self._key_filter, label_filter=n) for n in labels]
        flags = [SettingSelector(key_filter="*", label_filter=name) for name in labels]
        options: dict[str, Any] = {
            "selects": selects,
            "refresh_enabled": True,
            "refresh_interval": self._refresh_seconds,
            "feature_flag_enabled": True,
            "feature_flag_selectors": flags,
            "feature_flag_refresh_enabled": True,
            "secret_resolver": self._references.refer,
            "configuration_mapper": self._check_reference,
            "startup_timeout": 1,
            **_QUICK,
        }
        if self._signed:
            return load(connection_string=self._endpoint, **options)
        return load(endpoint=self._endpoint, credential=self._identity(), **options)

    def _check_reference(self, setting: Any) -> None:
        """Note a reference that names no secret; the library would give up on all settings."""
        from azure.appconfiguration import SecretReferenceConfigurationSetting
        from azure.keyvault.secrets import KeyVaultSecretIdentifier

        self._malformed.pop(setting.key, None)
        if not isinstance(setting, SecretReferenceConfigurationSetting):
            return
        try:
            KeyVaultSecretIdentifier(setting.secret_id or "")
        except ValueError:
            self._malformed[setting.key] = "its Key Vault reference names no secret"
            setting.secret_id = _NOWHERE

    def _identity(self) -> Any:
        if self._credential is None:
            self._credential = process_credential()
            self._owned.append(self._credential)
        return self._credential

    def _key_vault(self, uri: str) -> str:
        from azure.core.exceptions import AzureError
        from azure.keyvault.secrets import KeyVaultSecretIdentifier, SecretClient

        try:
            secret = KeyVaultSecretIdentifier(uri)
            with SecretClient(secret.vault_url, self._identity(), **_QUICK) as client:
                return client.get_secret(secret.name, secret.version).value or ""
        except (AzureError, ValueError) as error:
            raise SecretUnavailable(_reason(error)) from None

    def sentence(self, error: Exception) -> str:
        """Why the store was not read."""
        if isinstance(error, ImportError):
            return "App Configuration needs its client libraries: install voicemesh[appconfig]."
        return f"App Configuration at {self.where} was not read: {_reason(error)}."

    def close(self) -> None:
        """Close what was opened."""
        for opened in (self._provider, *self._owned):
            if opened is not None:
                opened.close()


def _address(endpoint: str) -> str:
    """The address alone, since a connection string holds a secret."""
    parts = dict(part.partition("=")[::2] for part in endpoint.split(";"))
    lowered = {name.lower(): value for name, value in parts.items()}
    return lowered.get("endpoint", endpoint)


def _reason(error: Exception) -> str:
    """What went wrong, on one line and without the library's dump of the response."""
    status = getattr(error, "status_code", None)
    text = " ".join(str(error).split())[:200].rstrip(".")
    return f"{type(error).__name__}{f' {status}' if status else ''}: {text}"


def retry_after(error: Exception) -> float:
    """Seconds that the store asked to wait for; 0 if it did not."""
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    try:
        return min(float(headers.get("Retry-After", 0)), MAX_RETRY_AFTER_SECONDS)
    except ValueError:
        return 0.0


def _plain_flags(flags: list[dict[str, Any]]) -> dict[str, bool]:
    return {
        str(flag.get("id")): bool(flag.get("enabled"))
        for flag in flags
        if not (flag.get("conditions") or {}).get("client_filters")
    }
