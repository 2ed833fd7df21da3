"""Running a tool by hand: always `{success, message, ...}`, whatever the body does."""

from __future__ import annotations

import asyncio
import functools
import threading
from typing import Any

import pytest
from pydantic import BaseModel

from toolkit import OutcomeUnknown, Registry, Tool, ToolContext, ToolResult, tool
from toolkit.local import execute


class Arguments(BaseModel):
    text: str


def registry_with(*bodies: Any, **declared: Any) -> Registry:
    registry = Registry()
    for body in bodies:
        registry.register("it", {}, body, **declared)
    return registry


async def test_a_coroutine_and_a_function_and_an_object() -> None:
    async def coroutine(args: dict[str, Any]) -> dict[str, Any]:
        return {"message": "hello", **args}

    class Callable:
        async def __call__(self, args: dict[str, Any]) -> dict[str, Any]:
            return {"message": "hello", **args}

    def function(args: dict[str, Any]) -> dict[str, Any]:
        return {"message": "hello", "thread": threading.get_ident() != loop_thread}

    loop_thread = threading.get_ident()
    for body in (coroutine, Callable(), functools.partial(coroutine)):
        result = await execute(registry_with(body), "it", {"a": 1})
        assert result == {"success": True, "message": "hello", "a": 1}
    result = await execute(registry_with(function), "it", {})
    assert result == {"success": True, "message": "hello", "thread": True}


@pytest.mark.parametrize("answer", [None, 7, "text", [1]])
async def test_what_is_no_mapping_is_wrapped(answer: object) -> None:
    result = await execute(registry_with(lambda args: answer), "it", {})
    assert result == {"success": True, "message": "", "result": answer}


async def test_a_body_that_raises() -> None:
    def body(args: dict[str, Any]) -> None:
        raise ValueError("no such town")

    result = await execute(registry_with(body), "it", {})
    assert result == {
        "success": False,
        "error": "ValueError: no such town",
        "message": "it failed.",
    }


async def test_a_body_that_hangs() -> None:
    async def body(args: dict[str, Any]) -> None:
        await asyncio.Event().wait()

    result = await execute(registry_with(body, timeout_seconds=0.01), "it", {})
    assert (result["success"], result["error"]) == (False, "TIMED_OUT")


async def test_bad_arguments_are_a_result() -> None:
    @tool("Say.")
    async def say(args: Arguments) -> ToolResult:
        return ToolResult(True, args.text)

    result = await execute(Registry([say]), "say", {"text": 5})
    assert (result["success"], result["error"]) == (False, "ARGUMENTS_INVALID")
    assert "`text` must be of type string" in result["message"]


async def test_the_context_is_given_where_it_is_wanted() -> None:
    async def body(args: dict[str, Any], context: ToolContext) -> dict[str, Any]:
        return {"client": context.client_id}

    registry = registry_with(body)
    result = await execute(registry, "it", {}, ToolContext(client_id="alice"))
    assert result["client"] == "alice"


async def test_a_tool_without_arguments() -> None:
    @tool("Tick.")
    async def tick() -> ToolResult:
        return ToolResult(True, "tick", {"n": 1})

    declared: Tool = tick
    result = await execute(Registry([declared]), "tick", {})
    assert result == {"success": True, "message": "tick", "n": 1}


async def test_a_body_of_which_nobody_knows_what_it_did() -> None:
    async def body(args: dict[str, Any]) -> None:
        raise OutcomeUnknown

    registry = Registry()
    registry.register("pay", {}, body)
    assert (await execute(registry, "pay", {}))["error"] == "OUTCOME_UNKNOWN"
