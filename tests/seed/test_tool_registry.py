"""The seed's Tool Registry section: its samples as written, but for the package's name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from toolkit import (
    execute_tool,
    get_tools_for_agent,
    initialize_tools,
    list_tools,
    register_tool,
    reset_registry,
)


@pytest.fixture(autouse=True)
def registry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setenv("VOICEMESH_DATA_FOLDER", str(tmp_path))
    reset_registry()
    yield
    reset_registry()


async def test_initialize_get_and_execute() -> None:
    # Initialize all tools at startup
    initialize_tools()
    # Get tools for a specific agent
    tools = get_tools_for_agent(["get_account_summary", "handoff_fraud_agent"])
    # Execute a tool
    result = await execute_tool("get_account_summary", {"client_id": "123"})

    assert [tool["type"] for tool in tools] == ["function"]
    function = tools[0]["function"]
    assert function["name"] == "get_account_summary"
    assert function["parameters"]["type"] == "object"
    assert "client_id" in function["parameters"]["properties"]
    assert result["success"] is False
    assert result["message"] == "I could not find that customer."


async def test_a_known_client_has_accounts() -> None:
    initialize_tools()
    result = await execute_tool("get_account_summary", {"client_id": "alice_brown_ab"})
    assert result["success"] is True
    assert [account["type"] for account in result["accounts"]] == ["checking", "savings"]
    assert "2,450.67 dollars" in result["message"]


async def test_registering_a_custom_tool() -> None:
    # Define schema (OpenAI function calling format)
    my_tool_schema = {
        "name": "my_custom_tool",
        "description": "Does something useful",
        "parameters": {
            "type": "object",
            "properties": {
                "param1": {"type": "string", "description": "First parameter"},
                "param2": {"type": "integer", "description": "Second parameter"},
            },
            "required": ["param1"],
        },
    }

    # Define executor
    async def my_custom_tool(args: dict) -> dict:  # type: ignore[type-arg]
        param1 = args.get("param1", "")
        param2 = args.get("param2", 0)  # noqa: F841
        # Your logic here
        return {"success": True, "result": f"Processed {param1}"}

    # Register the tool
    register_tool(
        "my_custom_tool",
        my_tool_schema,
        my_custom_tool,
        tags={"custom"},  # Optional categorization
    )

    assert list_tools(tags={"custom"}) == ["my_custom_tool"]
    result = await execute_tool("my_custom_tool", {"param1": "this"})
    assert result == {"success": True, "message": "", "result": "Processed this"}


async def test_initialize_tools_is_done_once() -> None:
    assert initialize_tools() == initialize_tools() >= 4


async def test_an_unknown_tool_is_a_result() -> None:
    result = await execute_tool("no_such_tool", {})
    assert result["success"] is False
    assert result["error"] == "Tool 'no_such_tool' not found"
