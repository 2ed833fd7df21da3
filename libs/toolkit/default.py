"""The seed's module functions, over one registry of the process.

While a registry of somebody else's reads a module, `register_tool` fills that one instead, so that
a module written for these functions is found like any other.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from toolkit.discovery import add_folder, add_installed, registry_being_filled
from toolkit.local import execute
from toolkit.registry import Registry
from toolkit.tool import (
    DEFAULT_CONCURRENCY,
    DEFAULT_TIMEOUT_SECONDS,
    OPEN,
    Effect,
    Policy,
    Tool,
)

FOLDER = "VOICEMESH_TOOLS_FOLDER"
"""Environment variable that names a folder of tool modules."""


@dataclass
class _Default:
    """The registry, and whether the installed tools are in it."""

    registry: Registry = field(default_factory=Registry)
    initialized: bool = False


_default = _Default()


def default_registry() -> Registry:
    """The registry that the functions of this module act on."""
    return registry_being_filled() or _default.registry


def reset_registry() -> None:
    """Forget every tool; for tests."""
    _default.registry, _default.initialized = Registry(), False


def initialize_tools() -> int:
    """Add the tools of installed packages and of the folder that VOICEMESH_TOOLS_FOLDER names.

    How many tools there are then; a second call adds nothing. Raises ToolkitError.
    """
    if not _default.initialized:
        add_installed(_default.registry)
        if folder := os.environ.get(FOLDER):
            add_folder(_default.registry, Path(folder))
        _default.initialized = True
    return len(_default.registry)


def register_tool(
    name: str,
    schema: Mapping[str, Any],
    executor: Callable[..., Any],
    *,
    tags: Collection[str] | None = None,
    effect: Effect = Effect.EFFECTFUL,
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
    concurrency: int = DEFAULT_CONCURRENCY,
    claimed: bool = False,
    cancellable: bool = False,
    long_running: bool = False,
    policy: Policy = OPEN,
    override: bool = False,
) -> Tool:
    """Register a tool by its OpenAI function schema. Raises ToolkitError, for a duplicate too."""
    return default_registry().register(
        name,
        schema,
        executor,
        tags=tags or (),
        effect=effect,
        timeout_seconds=timeout_seconds,
        concurrency=concurrency,
        claimed=claimed,
        cancellable=cancellable,
        long_running=long_running,
        policy=policy,
        override=override,
    )


def get_tools_for_agent(names: Iterable[str]) -> list[dict[str, Any]]:
    """The named tools as `{"type": "function", "function": schema}`; unknown names are left out."""
    return default_registry().functions(names)


async def execute_tool(name: str, args: Mapping[str, Any]) -> dict[str, Any]:
    """Run a tool here and now: `{success, message, ...}`, whatever happens. See `toolkit.local`."""
    return await execute(default_registry(), name, args)


def get_tool_definition(name: str) -> Tool:
    """The tool. Raises ToolNotFound."""
    return default_registry().get(name)


def get_tool_schema(name: str) -> Mapping[str, Any]:
    """Its function schema. Raises ToolNotFound."""
    return get_tool_definition(name).schema


def get_tool_executor(name: str) -> Callable[..., Any]:
    """Its function. Raises ToolNotFound."""
    return get_tool_definition(name).body


def list_tools(*, tags: Collection[str] | None = None) -> list[str]:
    """Names of the tools that have all of `tags`."""
    return [tool.name for tool in default_registry().with_tags(tags or ())]
