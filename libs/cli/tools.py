"""`voicemesh tools`: what tools there are, what one declares, a run by hand, a skeleton of a new one.

It reads the tools as the tool-executor does, from installed packages and a folder, but needs no mesh:
`run` has no session, so no policy holds, and it says so.
"""

from __future__ import annotations

import asyncio
import json
import keyword
import re
from collections.abc import Mapping
from dataclasses import fields
from importlib import resources
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Column, Table

from toolkit import (
    ArgumentsInvalid,
    Limit,
    Registry,
    Tool,
    ToolContext,
    ToolkitError,
    ToolNotFound,
    add_folder,
    add_installed,
    parse_arguments,
)
from toolkit.local import execute

TOOL_FAILED = 4
"""Exit code of a run whose result says no success."""

FOLDER = click.option(
    "--folder",
    type=click.Path(path_type=Path),
    envvar="VOICEMESH_TOOLS_FOLDER",
    help="Folder of further tool modules, besides installed packages.",
)


@click.group()
def tools() -> None:
    """List, show, run and begin tools; no mesh is needed."""


@tools.command("list")
@FOLDER
@click.option("--tag", "tags", multiple=True, help="Only tools with this tag; may be repeated.")
@click.option("--json", "as_json", is_flag=True, help="One JSON array.")
def list_tools(folder: Path | None, tags: tuple[str, ...], as_json: bool) -> None:
    """The tools that a tool-executor would serve here."""
    found = _registry(folder).with_tags(tags)
    if as_json:
        click.echo(json.dumps([_summary(tool) for tool in found]))
        return
    table = Table(
        Column("tool", no_wrap=True), "effect", "requires", "does", box=None, pad_edge=False
    )
    for tool in found:
        needs = ", ".join(sorted(tool.policy.requires)) or "nothing"
        table.add_row(tool.name, tool.effect.value, needs, _first_sentence(tool.description))
    Console().print(table)


@tools.command()
@FOLDER
@click.argument("name")
def show(folder: Path | None, name: str) -> None:
    """What NAME declares, as JSON: its schema for the model, and what the executor enforces."""
    click.echo(json.dumps(_declared(_tool(_registry(folder), name)), indent=2))


@tools.command()
@FOLDER
@click.argument("name")
@click.option("--args", "arguments", default="{}", show_default=True, help="Arguments as JSON.")
@click.option("--client-id", default="", help="Whom the caller has proved to be.")
def run(folder: Path | None, name: str, arguments: str, client_id: str) -> None:
    """Run NAME here and now, outside a call: no policy holds, and effects are real."""
    registry = _registry(folder)
    tool = _tool(registry, name)
    try:
        given = parse_arguments(arguments)
    except ArgumentsInvalid as error:
        raise click.UsageError(f"--args: {error}") from None
    context = ToolContext(client_id=client_id, request_id="command-line")
    result = asyncio.run(execute(registry, tool.name, given, context))
    click.echo(json.dumps(result, indent=2, default=str))
    if not result["success"]:
        raise click.exceptions.Exit(
            2 if result.get("error") == "ARGUMENTS_INVALID" else TOOL_FAILED
        )


@tools.command()
@click.argument("name")
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("tools"),
    show_default=True,
    help="Folder to write into; made if it is not there.",
)
def new(name: str, folder: Path) -> None:
    """Write a working tool NAME and its test; nothing that exists is touched."""
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,63}", name) or keyword.iskeyword(name):
        raise click.UsageError(
            f"NAME {name!r} is not a tool's name: use lower-case letters, digits and _, such as"
            " find_branch"
        )
    written = {
        folder / f"{name}.py": "tool.py.txt",
        folder / "tests" / f"test_{name}.py": "test_tool.py.txt",
    }
    there = [str(path) for path in written if path.exists()]
    if there:
        raise click.UsageError(f"{' and '.join(there)} exists already; choose another name")
    for path, template in written.items():
        _write(path, template, name)
    click.echo(
        f'try it:   voicemesh tools run {name} --folder {folder} --args \'{{"topic": "x"}}\''
    )
    click.echo(f"test it:  python -m pytest {folder / 'tests'}")
    click.echo(f"serve it: VOICEMESH_TOOLS_FOLDER={folder.resolve()} voicemesh up")


def _write(path: Path, template: str, name: str) -> None:
    text = (resources.files("cli") / "templates" / template).read_text(encoding="utf-8")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("{{name}}", name), encoding="utf-8")
    except OSError as error:
        raise click.UsageError(f"{path} cannot be written: {error.strerror}") from None
    click.echo(f"wrote {path}")


def _registry(folder: Path | None) -> Registry:
    registry = Registry()
    try:
        add_installed(registry)
        if folder:
            add_folder(registry, folder)
    except ToolkitError as error:
        raise click.UsageError(str(error)) from None
    return registry


def _tool(registry: Registry, name: str) -> Tool:
    try:
        return registry.get(name)
    except ToolNotFound as error:
        raise click.UsageError(f"{error}; `voicemesh tools list` shows all") from None


def _summary(tool: Tool) -> dict[str, Any]:
    return {
        "name": tool.name,
        "effect": tool.effect.value,
        "tags": sorted(tool.tags),
        "requires": sorted(tool.policy.requires),
        "description": tool.description,
    }


def _declared(tool: Tool) -> dict[str, Any]:
    policy = {field.name: _plain(getattr(tool.policy, field.name)) for field in fields(tool.policy)}
    return {
        "function": dict(tool.schema),
        "effect": tool.effect.value,
        "timeout_seconds": tool.timeout_seconds,
        "concurrency": tool.concurrency,
        "claimed": tool.claimed,
        "cancellable": tool.cancellable,
        "long_running": tool.long_running,
        "tags": sorted(tool.tags),
        "policy": policy,
    }


def _plain(value: object) -> object:
    if isinstance(value, Limit):
        bounds = {name: str(most) for name, most in value.bounds().items() if most is not None}
        return {"argument": value.argument or "runs", **bounds}
    if isinstance(value, frozenset | set | tuple | list):
        return sorted((_plain(each) for each in value), key=str)
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _first_sentence(text: str) -> str:
    return re.split(r"(?<=[.!?])\s", text, maxsplit=1)[0]
