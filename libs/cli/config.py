"""`voicemesh config explain`: each setting of a service, where its value comes from, what it means.

It reads what a service started here and now would read: this environment, the file of
VOICEMESH_CONFIG and, if an endpoint is set, App Configuration. It needs no mesh.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from meshkit.appconfig import AppConfigError
from meshkit.call_graph import SERVICES
from meshkit.configuration import provider_of
from meshkit.explain import Explained, explain
from meshkit.remote import accept, of_service
from meshkit.settings import MeshSettings, SettingsError, load_settings, yaml_settings

WRONG = 2
"""Exit code where a service with these settings would not start."""


@click.group()
def config() -> None:
    """Where the settings of the services come from."""


@config.command("explain")
@click.argument("service", required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON object: service to its settings.")
def explain_command(service: str | None, as_json: bool) -> None:
    """Show each setting of SERVICE, or of every service: value, source, default, meaning."""
    if service is not None and service not in SERVICES:
        raise click.UsageError(f"there is no service {service!r}; use one of {', '.join(SERVICES)}")
    chosen = [service] if service else list(SERVICES)
    try:
        said = asyncio.run(said_remotely())
        explained = {name: _explained(name, said) for name in chosen}
    except SettingsError as error:
        click.echo(f"voicemesh: {error}", err=True)
        raise click.exceptions.Exit(WRONG) from None
    if as_json:
        click.echo(
            json.dumps({name: [asdict(s) for s in rows] for name, rows in explained.items()})
        )
        return
    for name, rows in explained.items():
        Console().print(_table(name, rows))


async def said_remotely() -> Mapping[str, Any]:
    """What App Configuration says; nothing, with a sentence on standard error, where it is away."""
    base = load_settings(MeshSettings, {})
    if not base.appconfig_endpoint.get_secret_value():
        return {}
    async with provider_of(base) as provider:
        try:
            return await provider.get_all_settings()
        except AppConfigError as error:
            click.echo(f"voicemesh: {error} What follows is without it.", err=True)
            return {}


def _explained(service: str, said: Mapping[str, Any]) -> list[Explained]:
    accepted = accept(settings_class(service), of_service(said, service), {})
    for name, why in accepted.refused.items():
        click.echo(f"voicemesh: {service} refuses {name} of App Configuration. {why}", err=True)
    return explain(accepted.settings, os.environ, accepted.values, yaml_settings(os.environ))


def settings_class(service: str) -> type[MeshSettings]:
    """By name, since the command starts services and never imports them."""
    module = importlib.import_module(f"{service.replace('-', '_')}.settings")
    (found,) = [
        kind
        for _, kind in inspect.getmembers(module, inspect.isclass)
        if issubclass(kind, MeshSettings) and kind.__module__ == module.__name__
    ]
    return found


def _table(service: str, rows: list[Explained]) -> Table:
    table = Table(title=service, title_justify="left", show_lines=False, expand=True)
    for column in ("setting", "value", "source", "default", "meaning"):
        table.add_column(column, overflow="fold")
    for row in rows:
        source = f"{row.source} ({row.variable})" if row.source == "environment" else row.source
        meaning = f"{row.meaning} Live." if row.live else row.meaning
        cells = (row.name, _cell(row.value), source, _cell(row.default), meaning)
        table.add_row(*(Text(cell) for cell in cells))
    return table


def _cell(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
