"""The registry: names are unique, order is kept, tags must all be there."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from toolkit import DuplicateTool, Registry, ToolkitError, ToolNotFound, tool


def schema(name: str = "one", **more: Any) -> dict[str, Any]:
    return {"name": name, "parameters": {"type": "object", "properties": {}}, **more}


async def body(args: dict[str, Any]) -> dict[str, Any]:
    return {"success": True}


def test_a_duplicate_name_is_an_error() -> None:
    registry = Registry()
    registry.register("one", schema(), body)
    with pytest.raises(DuplicateTool, match="'one' is there already"):
        registry.register("one", schema(), body)


def test_replacing_must_be_meant() -> None:
    registry = Registry()
    registry.register("one", schema(), body)
    replaced = registry.register("one", schema(description="New."), body, override=True)
    assert registry.get("one") is replaced
    assert len(registry) == 1


def test_unknown_names() -> None:
    with pytest.raises(ToolNotFound, match="'none'"):
        Registry().get("none")


def test_functions_keep_the_order_and_leave_out_the_unknown(
    caplog: pytest.LogCaptureFixture,
) -> None:
    registry = Registry()
    registry.register("one", schema(), body)
    registry.register("two", schema("two"), body)
    with caplog.at_level(logging.WARNING, "voicemesh.toolkit"):
        functions = registry.functions(["two", "handoff_fraud_agent", "one"])
    assert [function["function"]["name"] for function in functions] == ["two", "one"]
    (record,) = caplog.records
    assert record.__dict__["tool"] == "handoff_fraud_agent"


def test_all_of_the_tags() -> None:
    registry = Registry()
    registry.register("one", schema(), body, tags={"a", "b"})
    registry.register("two", schema("two"), body, tags={"a"})
    assert [found.name for found in registry.with_tags({"a"})] == ["one", "two"]
    assert [found.name for found in registry.with_tags({"a", "b"})] == ["one"]
    assert "two" in registry
    assert [found.name for found in registry] == ["one", "two"]


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (schema("other"), "is named 'other'"),
        ({"parameters": {"type": "array"}}, '"type": "object"'),
        ({"parameters": {"type": "object", "properties": {"a": {"type": "text"}}}}, "properties.a"),
    ],
)
def test_schemas_that_are_none(given: dict[str, Any], problem: str) -> None:
    with pytest.raises(ToolkitError, match=problem):
        Registry().register("one", given, body)


def test_a_schema_without_parameters_takes_none() -> None:
    registered = Registry().register("one", {"description": "Do."}, body)
    assert registered.parameters == {"type": "object", "properties": {}}
    assert registered.schema["name"] == "one"


def test_a_method_without_its_instance() -> None:
    class Group:
        @tool("Do.")
        def do(self) -> None: ...

    with pytest.raises(ToolkitError, match=r"tools_of\(instance\)"):
        Registry().add(Group.do)
