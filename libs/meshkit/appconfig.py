"""Azure App Configuration: settings with labels, Key Vault secrets and feature flags, kept fresh.

    provider = AppConfigProvider(endpoint=..., label=...)
    config = await provider.get_all_settings()

The client library blocks: its `load` sleeps five seconds before it raises, and its `refresh` waits
for retries. So one daemon thread owns it, and the event loop only takes over what the thread found.
A store that is away, throttles or answers nonsense changes nothing: the last good settings stay,
and `status` and the log say why. Secrets are resolved here and not by the library, so that a dead
reference costs its own key and is named by it, where the library would give up the whole refresh.

This is the only module that imports the App Configuration and Key Vault libraries. What a key
means to a service is left to `meshkit.remote`.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from meshkit.keyvault import ReadSecret, References, SecretUnavailable
from meshkit.logging import get_logger

logger = get_logger("meshkit.appconfig")

MAX_RETRY_AFTER_SECONDS = 600.0
"""Longest wait that a throttling store may ask for."""
CLOSE_SECONDS = 1.0
"""How long closing waits for the thread; a daemon, it holds no process back."""
_QUICK: dict[str, Any] = {"retry_total": 0, "connection_timeout": 3, "read_timeout": 5}
"""How a request is made: the next round is the retry, and a long Retry-After would hold this one."""
_NO_LABEL = "\0"
_NOWHERE = "https://malformed.invalid/secrets/malformed"
_FLAGS = "feature_management"


class AppConfigError(Exception):
    """The store gave no settings. The message is one sentence: which store, why, what to do."""


@dataclass(frozen=True)
class Snapshot:
    """What the store said at one time."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    flags: Mapping[str, bool] = field(default_factory=dict)
    """Feature flags without filters; a flag with filters is on for some, and is left out."""
    problems: Mapping[str, str] = field(default_factory=dict)
    """Key to why it has no fresh value: its last good one stands in, or it is missing."""


@dataclass(frozen=True)
class Status:
    """How fresh the settings are."""

    loaded: bool = False
    failing: str = ""
    """Why the last refresh failed, in one sentence; empty: it did not."""
    failures: int = 0
    """Refreshes that failed since one succeeded."""
    problems: Mapping[str, str] = field(default_factory=dict)


OnChange = Callable[[Mapping[str, Any], frozenset[str]], None]
"""Called in the event loop with all settings, and the keys that changed."""


class AppConfigProvider:
    """Settings of one store, those with `label` over those without any.

    `endpoint` is an address, with the identity of the process (DefaultAzureCredential) or
    `credential`; or a connection string, whose key signs. `key_filter` selects keys, `*` for all.
    The store is asked every `refresh_seconds`, at least one. `read_secret` reads a secret by its
    URI; default: from Key Vault, with the credential. Raises AppConfigError for no endpoint.
    """

    def __init__(
        self,
        endpoint: str | None,
        label: str | None = None,
        *,
        credential: Any = None,
        key_filter: str = "*",
        start_seconds: float = 10.0,
        refresh_seconds: float = 30.0,
        read_secret: ReadSecret | None = None,
    ) -> None:
        if not endpoint:
            raise AppConfigError(
                "App Configuration has no endpoint; set AZURE_APPCONFIG_ENDPOINT to the store's"
                " address, such as https://NAME.azconfig.io."
            )
        if refresh_seconds < 1:
            raise AppConfigError("refresh_seconds must be at least 1; the library asks no oftener.")
        self._store = _Store(endpoint, label, credential, key_filter, refresh_seconds, read_secret)
        self._start_seconds = start_seconds
        self._refresh_seconds = refresh_seconds
        self._callbacks: list[OnChange] = []
        self._snapshot = Snapshot()
        self._status = Status()
        self._round = asyncio.Event()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    async def get_all_settings(self) -> dict[str, Any]:
        """The settings as last known; the first call asks the store, for `start_seconds` at most.

        Raises AppConfigError if there never was an answer; asking goes on in the background.
        """
        self._start()
        if not self._status.loaded and not self._status.failing:
            await self._first_answer()
        if not self._status.loaded:
            raise AppConfigError(self._status.failing)
        return dict(self._snapshot.settings)

    def flag(self, name: str, default: bool = False) -> bool:
        """Whether a feature flag is on; `default` where it is unknown or has filters."""
        return self._snapshot.flags.get(name, default)

    @property
    def status(self) -> Status:
        """How fresh the settings are."""
        return self._status

    def on_change(self, callback: OnChange) -> None:
        """Call this with each change; what it raises is logged, and the others are still called."""
        self._callbacks.append(callback)

    async def next_round(self) -> None:
        """Wait until the store was asked once more, whatever came of it."""
        self._start()
        await self._round.wait()

    async def aclose(self) -> None:
        """Ask no more."""
        self._stop.set()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join, CLOSE_SECONDS)

    async def __aenter__(self) -> Self:
        self._start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    def _start(self) -> None:
        if self._thread is None:
            loop = asyncio.get_running_loop()
            self._thread = threading.Thread(
                target=self._follow, args=(loop,), name="appconfig", daemon=True
            )
            self._thread.start()

    async def _first_answer(self) -> None:
        try:
            async with asyncio.timeout(self._start_seconds):
                await self.next_round()
        except TimeoutError:
            raise AppConfigError(
                f"App Configuration at {self._store.where} did not answer within"
                f" {self._start_seconds:g} s; check the address and the network."
            ) from None

    # In the thread.

    def _follow(self, loop: asyncio.AbstractEventLoop) -> None:
        wait = 0.0
        while not self._stop.wait(wait):
            wait = self._refresh_seconds + 0.05  # the library's own timer must have run out
            try:
                heard: Snapshot | str = self._store.read()
            except Exception as error:  # whatever the library makes of what it was answered
                heard = self._store.sentence(error)
                wait = max(wait, _retry_after(error))
            try:
                loop.call_soon_threadsafe(self._heard, heard)
            except RuntimeError:  # the loop is closed: nobody listens
                break
        self._store.close()

    # In the loop.

    def _heard(self, heard: Snapshot | str) -> None:
        if isinstance(heard, str):
            self._failed(heard)
        else:
            self._read(heard)
        finished, self._round = self._round, asyncio.Event()
        finished.set()

    def _failed(self, why: str) -> None:
        before = self._status
        if why != before.failing:
            kept = "the last good settings stay" if before.loaded else "there are no settings yet"
            logger.warning("app configuration not read", extra={"why": why, "so": kept})
        self._status = Status(before.loaded, why, before.failures + 1, before.problems)

    def _read(self, snapshot: Snapshot) -> None:
        before, self._snapshot = self._snapshot, snapshot
        if self._status.failing:
            logger.info("app configuration read again", extra={"failures": self._status.failures})
        for key in snapshot.problems.keys() - before.problems.keys():
            logger.warning(
                "setting not resolved", extra={"key": key, "why": snapshot.problems[key]}
            )
        first = not self._status.loaded
        self._status = Status(True, "", 0, snapshot.problems)
        changed = _differing(before.settings, snapshot.settings)
        if changed and not first:
            self._tell(changed)

    def _tell(self, changed: frozenset[str]) -> None:
        for callback in self._callbacks:
            try:
                callback(self._snapshot.settings, changed)
            except Exception:
                logger.exception("a listener failed", extra={"keys": sorted(changed)})


class _Store:
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
            from azure.identity import DefaultAzureCredential

            self._credential = DefaultAzureCredential()
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


def _retry_after(error: Exception) -> float:
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


def _differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> frozenset[str]:
    missing = object()
    return frozenset(
        key
        for key in before.keys() | after.keys()
        if before.get(key, missing) != after.get(key, missing)
    )
