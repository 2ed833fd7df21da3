"""The main of a service: settings, logs, then its own `serve`, with startup errors as sentences."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib.metadata import version
from typing import TypeVar

from meshkit.configuration import configured
from meshkit.identity import identified
from meshkit.logging import configure_logging, set_level
from meshkit.metrics_export import measured
from meshkit.settings import MeshSettings, SettingsError, load_settings
from meshkit.startup import StartupError, run_process
from meshkit.trace_export import traced

S = TypeVar("S", bound=MeshSettings)


def run_service(service: str, kind: type[S], serve: Callable[[S], Awaitable[None]]) -> None:
    """Run a service by its settings class and its coroutine, and exit with a meaningful code."""

    async def main() -> None:
        try:
            base = load_settings(MeshSettings, {})
            configure_logging(service, base.log_level, base.log_format)
            async with configured(service, kind, base) as settings:
                configure_logging(service, settings.log_level, settings.log_format)
                settings.live.on_change("log_level", set_level)
                async with (
                    measured(service, version("voicemesh"), settings),
                    traced(service, version("voicemesh"), settings),
                    identified(service, settings),
                ):
                    await serve(settings)
        except SettingsError as error:
            raise StartupError(str(error)) from None

    run_process(service, main)
