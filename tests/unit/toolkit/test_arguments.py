"""Arguments as a model writes them: what is refused, and that no refusal repeats a value."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import BaseModel, Field, field_validator

from toolkit import ArgumentsInvalid, Registry, check_arguments, parse_arguments, tool


class Arguments(BaseModel, extra="forbid"):
    digits: str = Field(description="Exactly four digits.", pattern=r"^\d{4}$")
    count: int = Field(1, ge=1, le=9)
    kind: str | None = None

    @field_validator("kind")
    @classmethod
    def _known(cls, value: str | None) -> str | None:
        if value == "forbidden":
            raise ValueError("that kind is not sold any more")
        return value


@tool("Try.")
async def attempt(args: Arguments) -> None: ...


@pytest.mark.parametrize("text", ["", "  ", "{}"])
def test_no_arguments(text: str) -> None:
    assert parse_arguments(text) == {}


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "digits: 1234",
        '{"a": NaN}',
        '{"a": 1} trailing',
        "[" * 20_000,
        '{"a": "\\ud800"}',
        '{"a": ' + "9" * 5000 + "}",
        "\x00",
    ],
)
def test_what_is_not_json(text: str) -> None:
    with pytest.raises(ArgumentsInvalid, match="not valid JSON"):
        parse_arguments(text)


@pytest.mark.parametrize("text", ["[]", '"text"', "12", "null", "true"])
def test_what_is_no_object(text: str) -> None:
    with pytest.raises(ArgumentsInvalid, match="one JSON object"):
        parse_arguments(text)


def test_too_long() -> None:
    with pytest.raises(ArgumentsInvalid, match="too long"):
        parse_arguments(json.dumps({"a": "x" * 40_000}))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "missing: `digits`"),
        ({"digits": 1234}, "`digits` must be of type string"),
        ({"digits": "98765"}, r"`digits` does not have the required form \(Exactly four digits\)"),
        ({"digits": "1234", "count": 10}, "`count` breaks its limit, maximum 9"),
        ({"digits": "1234", "count": "3"}, "`count` must be of type integer"),
        ({"digits": "1234", "evil": "x"}, "it takes `digits`, `count`, `kind`"),
        ({"digits": "1234", "kind": "forbidden"}, "not sold any more"),
    ],
)
def test_what_is_wrong_is_said(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ArgumentsInvalid, match=said) as caught:
        check_arguments(attempt, given)
    assert "call it again" in str(caught.value)
    assert "98765" not in str(caught.value)


def test_several_problems_at_once_and_no_more_than_five() -> None:
    properties = {f"p{n}": {"type": "integer"} for n in range(9)}
    registered = Registry().register(
        "many", {"parameters": {"type": "object", "properties": properties}}, lambda args: args
    )
    with pytest.raises(ArgumentsInvalid) as caught:
        check_arguments(registered, dict.fromkeys(properties, "secret"))
    assert str(caught.value).count("must be of type integer") == 5
    assert "secret" not in str(caught.value)


def test_the_body_is_given_its_model() -> None:
    given = check_arguments(attempt, {"digits": "0042", "kind": None})
    assert given == Arguments(digits="0042")


def test_a_null_that_a_schema_wants_is_kept() -> None:
    parameters = {
        "type": "object",
        "properties": {"a": {"type": ["string", "null"]}},
        "required": ["a"],
    }
    registered = Registry().register("nullable", {"parameters": parameters}, lambda args: args)
    assert check_arguments(registered, {"a": None}) == {"a": None}


@pytest.mark.parametrize(
    ("schema", "value", "said"),
    [
        ({"enum": ["a", 1]}, "b", '"a", 1'),
        ({"anyOf": [{"type": "string"}, {"type": "integer"}]}, [], "none of the forms"),
        ({"type": "array", "maxItems": 1}, [1, 2], "maxItems 1"),
        ({"type": ["string", "integer"]}, [], "string or integer"),
        ({"multipleOf": 5}, 7, "the rule multipleOf"),
        ({"type": "object", "additionalProperties": False}, {"x": 1}, "it takes none"),
    ],
)
def test_rules_of_schemas_written_by_hand(schema: dict[str, Any], value: Any, said: str) -> None:
    parameters = {"type": "object", "properties": {"a": schema}}
    registered = Registry().register("hand", {"parameters": parameters}, lambda args: args)
    with pytest.raises(ArgumentsInvalid, match=said):
        check_arguments(registered, {"a": value})
