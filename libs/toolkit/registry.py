"""The tools of a process, by name; and the module functions of the seed over a default registry."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

from toolkit.declaring import checked, takes_context
from toolkit.errors import DuplicateTool, ToolkitError, ToolNotFound
from toolkit.schema import checked_schema
from toolkit.tool import (
    DEFAULT_CONCURRENCY,
    DEFAULT_TIMEOUT_SECONDS,
    OPEN,
    Effect,
    Policy,
    Tool,
)

logger = logging.getLogger("voicemesh.toolkit")


class Registry:
    """Tools by name, in the order they came."""

    def __init__(self, tools: Iterable[Tool] = ()) -> None:
        self._tools: dict[str, Tool] = {}
        self.add_all(tools)

    def __len__(self) -> int:
        return len(self._tools)

    def __iter__(self) -> Iterator[Tool]:
        return iter(self._tools.values())

    def __contains__(self, name: object) -> bool:
        return name in self._tools

    def add(self, tool: Tool, *, override: bool = False) -> Tool:
        """Take a tool in. Raises DuplicateTool, unless the caller means to replace."""
        if not tool.bound:
            raise ToolkitError(f"tool {tool.name!r} is a method; add `tools_of(instance)` instead")
        if tool.name in self._tools and not override:
            raise DuplicateTool(
                f"tool {tool.name!r} is there already: rename one of the two, or drop one"
            )
        self._tools[tool.name] = tool
        return tool

    def add_all(self, tools: Iterable[Tool]) -> None:
        """Take several in. Raises DuplicateTool."""
        for tool in tools:
            self.add(tool)

    def remove(self, name: str) -> None:
        """Leave a tool out from now on; nothing if there is none of that name."""
        self._tools.pop(name, None)

    def get(self, name: str) -> Tool:
        """The tool of that name. Raises ToolNotFound."""
        try:
            return self._tools[name]
        except KeyError:
            raise ToolNotFound(f"no tool is named {name!r}") from None

    def with_tags(self, tags: Collection[str] = ()) -> list[Tool]:
        """The tools that have all of `tags`."""
        return [tool for tool in self if tool.tags.issuperset(tags)]

    def register(
        self,
        name: str,
        schema: Mapping[str, Any],
        executor: Callable[..., Any],
        *,
        tags: Collection[str] = (),
        effect: Effect = Effect.EFFECTFUL,
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
        concurrency: int = DEFAULT_CONCURRENCY,
        claimed: bool = False,
        cancellable: bool = False,
        long_running: bool = False,
        policy: Policy = OPEN,
        override: bool = False,
    ) -> Tool:
        """Take in a tool by a schema written by hand; `executor` takes a dict of arguments.

        Raises ToolkitError (DuplicateTool among them).
        """
        made = Tool(
            name=name,
            schema=checked_schema(name, schema),
            body=executor,
            takes_context=takes_context(executor),
            tags=frozenset(tags),
            effect=effect,
            timeout_seconds=timeout_seconds,
            concurrency=concurrency,
            claimed=claimed,
            cancellable=cancellable,
            long_running=long_running,
            policy=policy,
        )
        return self.add(checked(made), override=override)

    def functions(self, names: Iterable[str]) -> list[dict[str, Any]]:
        """The named tools as the OpenAI API takes them, in that order.

        A name that is not here is left out, with a warning: handoffs are no tools of a registry.
        """
        found: list[dict[str, Any]] = []
        for name in names:
            if name in self:
                found.append(self._tools[name].as_function())
            else:
                logger.warning("an agent names a tool that is not registered", extra={"tool": name})
        return found


def tools_of(source: object) -> list[Tool]:
    """The tools declared in a module, or on the class of an object, bound to it."""
    if isinstance(source, type):
        raise ToolkitError(
            f"{source.__name__} is a class; make an object of it, with what it needs"
        )
    kind = type(source)
    methods = [value for base in kind.__mro__ for value in vars(base).values()]
    bound = [value.bind(source) for value in methods if isinstance(value, Tool)]
    return bound or [value for value in vars(source).values() if isinstance(value, Tool)]
