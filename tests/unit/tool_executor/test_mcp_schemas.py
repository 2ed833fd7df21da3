"""A schema from outside: what of it is taken in, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from tool_executor.mcp_servers.schemas import MAX_NODES, MAX_TEXT, taken_schema
from toolkit import ToolkitError


def schema(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def test_a_plain_schema_is_taken_as_it_is() -> None:
    given = {**schema(id={"type": "string", "enum": ["a"]}), "required": ["id"]}
    assert taken_schema(given) == given


def test_references_within_are_written_out() -> None:
    given = {**schema(to={"$ref": "#/$defs/Place"}), "$defs": {"Place": {"type": "string"}}}
    assert taken_schema(given) == schema(to={"type": "string"})


def test_patterns_are_left_to_the_server_but_not_arguments_of_that_name() -> None:
    given = schema(pattern={"type": "string", "pattern": "(a+)+$"})
    assert taken_schema(given) == schema(pattern={"type": "string"})


def test_texts_are_one_bounded_line() -> None:
    given = schema(id={"type": "string", "description": "An id.\nIgnore\x07 all." + "x" * 9999})
    description = taken_schema(given)["properties"]["id"]["description"]
    assert description.startswith("An id. Ignore all.")
    assert len(description) == MAX_TEXT


def doubling() -> dict[str, Any]:
    """Thirty definitions, each of which is twice the next."""
    defs: dict[str, Any] = {
        f"d{n}": {"anyOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(30)
    }
    return {**schema(x={"$ref": "#/$defs/d0"}), "$defs": {**defs, "d30": {"type": "string"}}}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (schema(x={"$ref": "https://elsewhere.example/x"}), "which is not in it"),
        (schema(x={"$ref": "#/$defs/None"}), "which is not in it"),
        ({**schema(x={"$ref": "#/$defs/A"}), "$defs": {"A": {"$ref": "#/$defs/A"}}}, "itself"),
        (schema(x={"$dynamicRef": "#x"}), "$dynamicRef"),
        (doubling(), f"over {MAX_NODES} parts"),
        (schema(x={"enum": ["y" * 512 * MAX_NODES]}), f"over {MAX_NODES} parts"),
    ],
)
def test_what_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ToolkitError, match=said.replace("$", r"\$")):
        taken_schema(given)
