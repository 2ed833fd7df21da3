"""How a process comes to its settings: environment, App Configuration, file, and changes while it runs.

App Configuration is asked if an endpoint is set, for a bounded time. Without an answer the process
starts on its file and defaults with a warning, or not at all if `appconfig_required`. Afterwards a
background thread looks for changes; a live setting changes at once, any other at the next start.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Generic, TypeVar

from meshkit.appconfig import AppConfigError, AppConfigProvider
from meshkit.live import SettingRefused
from meshkit.logging import get_logger
from meshkit.remote import PREFIX, Accepted, accept, of_service, unknown_keys
from meshkit.settings import MeshSettings, SettingsError, load_settings, remote_values

logger = get_logger("meshkit.configuration")

S = TypeVar("S", bound=MeshSettings)


@asynccontextmanager
async def configured(
    service: str, kind: type[S], base: MeshSettings | None = None
) -> AsyncIterator[S]:
    """The settings of a service, kept up to date within the block. Raises SettingsError.

    `base` says how App Configuration is reached; default: read from the environment and the file.
    """
    base = base or load_settings(MeshSettings, {})
    if not base.appconfig_endpoint.get_secret_value():
        yield load_settings(kind)
        return
    async with provider_of(base) as provider:
        said = await _asked(provider, required=base.appconfig_required)
        accepted = accept(kind, of_service(said, service), {})
        _tell(service, kind, said, accepted)
        provider.on_change(Following(service, kind, accepted).changed)
        with remote_values(accepted.values):
            yield accepted.settings


def provider_of(base: MeshSettings) -> AppConfigProvider:
    """The store that these settings name, for the keys of the mesh."""
    return AppConfigProvider(
        base.appconfig_endpoint.get_secret_value(),
        base.appconfig_label or None,
        key_filter=f"{PREFIX}*",
        start_seconds=base.appconfig_start_seconds,
        refresh_seconds=base.appconfig_refresh_seconds,
    )


async def _asked(provider: AppConfigProvider, *, required: bool) -> Mapping[str, Any]:
    try:
        return await provider.get_all_settings()
    except AppConfigError as error:
        if required:
            raise SettingsError(
                f"{error} VOICEMESH_APPCONFIG_REQUIRED is set, so this process does not start"
                " without it."
            ) from None
        logger.warning(
            "starting without app configuration",
            extra={"why": str(error), "so": "file and defaults hold until it answers"},
        )
        return {}


class Following(Generic[S]):
    """Changes of App Configuration, put in force in one process."""

    def __init__(self, service: str, kind: type[S], accepted: Accepted[S]) -> None:
        self._service = service
        self._kind = kind
        self._started = accepted.settings
        self._accepted = accepted

    def changed(self, said: Mapping[str, Any], keys: frozenset[str]) -> None:
        """Take over what App Configuration says now."""
        wanted = of_service(said, self._service)
        accepted = accept(self._kind, wanted, self._accepted.values)
        self._accepted = accepted
        _tell(self._service, self._kind, said, accepted)
        live = self._started.live.names
        for name in self._kind.model_fields:
            if name in live:
                self._put_in_force(name, getattr(accepted.settings, name))
        waiting = self._waiting(live)
        self._started.live.taken_over(waiting)
        if waiting:
            logger.info("settings change at the next start", extra={"settings": waiting})

    def _waiting(self, live: frozenset[str]) -> list[str]:
        started, wanted = self._started, self._accepted.settings
        return [
            name
            for name in self._kind.model_fields
            if name not in live and getattr(started, name) != getattr(wanted, name)
        ]

    def _put_in_force(self, name: str, value: Any) -> None:
        before = self._started.now(name)
        if value == before:
            return
        try:
            self._started.live.change(name, value, before)
        except SettingRefused as error:
            logger.warning("setting refused", extra={"setting": name, "why": str(error)})
        else:
            logger.info("setting changed", extra={"setting": name})


def _tell(
    service: str, kind: type[MeshSettings], said: Mapping[str, Any], accepted: Accepted[Any]
) -> None:
    for name, why in accepted.refused.items():
        logger.warning("setting refused", extra={"setting": name, "why": why})
    unknown = unknown_keys(said, service, kind)
    if unknown:
        logger.warning("app configuration has unknown settings", extra={"keys": unknown})
