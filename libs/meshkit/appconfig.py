"""Azure App Configuration: settings with labels, Key Vault secrets and feature flags, kept fresh.

    provider = AppConfigProvider(endpoint=..., label=...)
    config = await provider.get_all_settings()

The client library blocks: its `load` sleeps five seconds before it raises, and its `refresh` waits
for retries. So one daemon thread owns it, and the event loop only takes over what the thread found.
A store that is away, throttles or answers nonsense changes nothing: the last good settings stay,
and `status` and the log say why. Secrets are resolved here and not by the library, so that a dead
reference costs its own key and is named by it, where the library would give up the whole refresh.

The libraries themselves are `meshkit.appconfig_store`'s; what a key means to a service is left to
`meshkit.remote`.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from meshkit.appconfig_store import Snapshot, Store, retry_after
from meshkit.keyvault import ReadSecret
from meshkit.logging import get_logger

logger = get_logger("meshkit.appconfig")

CLOSE_SECONDS = 1.0
"""How long closing waits for the thread; a daemon, it holds no process back."""


class AppConfigError(Exception):
    """The store gave no settings. The message is one sentence: which store, why, what to do."""


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
"""Called in the event loop with all settings, and the keys that changed: at first, all of them."""


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
        self._store = Store(endpoint, label, credential, key_filter, refresh_seconds, read_secret)
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
        """Call this with each change, the first answer among them; what it raises is logged only."""
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
                wait = max(wait, retry_after(error))
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
        self._status = Status(True, "", 0, snapshot.problems)
        changed = _differing(before.settings, snapshot.settings)
        if changed:
            self._tell(changed)

    def _tell(self, changed: frozenset[str]) -> None:
        for callback in self._callbacks:
            try:
                callback(self._snapshot.settings, changed)
            except Exception:
                logger.exception("a listener failed", extra={"keys": sorted(changed)})


def _differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> frozenset[str]:
    missing = object()
    return frozenset(
        key
        for key in before.keys() | after.keys()
        if before.get(key, missing) != after.get(key, missing)
    )
