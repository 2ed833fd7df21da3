"""Running a tool in this process, without a session: for scripts, notebooks and an author's tests.

No policy holds here, because there is no verified caller to hold it against; on a call, the
tool-executor runs tools. What the caller gets keeps the seed's convention: `{success, message, ...}`.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Mapping
from typing import Any

from toolkit.arguments import ArgumentsInvalid, check_arguments
from toolkit.errors import OutcomeUnknown, ToolNotFound
from toolkit.registry import Registry
from toolkit.tool import Tool, ToolContext, ToolResult


async def execute(
    registry: Registry, name: str, arguments: Mapping[str, Any], context: ToolContext | None = None
) -> dict[str, Any]:
    """Run a tool and give its result. A failure of any kind is a result with `success` false."""
    try:
        tool = registry.get(name)
        given = check_arguments(tool, arguments)
    except ToolNotFound:
        return _failed(f"Tool '{name}' not found", "That is not something I can do.")
    except ArgumentsInvalid as error:
        return _failed("ARGUMENTS_INVALID", str(error))
    try:
        async with asyncio.timeout(tool.timeout_seconds):
            return as_result(await call_body(tool, given, context or ToolContext())).as_fields()
    except TimeoutError:
        return _failed("TIMED_OUT", f"{name} did not answer in time.")
    except OutcomeUnknown:
        return _failed("OUTCOME_UNKNOWN", f"It is not known whether {name} was done.")
    except Exception as error:
        return _failed(f"{type(error).__name__}: {error}", f"{name} failed.")


async def call_body(tool: Tool, given: Any, context: ToolContext) -> Any:
    """Call the tool's function with what it takes; one that is not a coroutine runs in a thread."""
    positional = positional_of(tool, given, context)
    if is_async(tool):
        return await tool.body(*positional)
    answer = await asyncio.to_thread(tool.body, *positional)
    return await answer if inspect.isawaitable(answer) else answer


@functools.lru_cache(maxsize=1024)
def is_async(tool: Tool) -> bool:
    """Whether the body is a coroutine function, or an object that is called as one."""
    return tool.is_async


def as_result(answer: object) -> ToolResult:
    """What a tool returned, in one form; what is no mapping is wrapped."""
    if isinstance(answer, ToolResult):
        return answer
    if not isinstance(answer, Mapping):
        return ToolResult(True, "", {"result": answer})
    fields = {str(key): value for key, value in answer.items()}
    success = bool(fields.pop("success", True))
    return ToolResult(success, str(fields.pop("message", "")), fields)


def positional_of(tool: Tool, given: Any, context: ToolContext) -> tuple[Any, ...]:
    """The arguments of the tool's function."""
    takes_none = tool.arguments is None and not inspect.signature(tool.body).parameters
    arguments = () if takes_none else (given,)
    return (*arguments, context) if tool.takes_context else arguments


def _failed(error: str, message: str) -> dict[str, Any]:
    return {"success": False, "error": error, "message": message}
