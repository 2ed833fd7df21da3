"""`@tool`: what a declaration becomes, and which declarations are refused."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field

from toolkit import Effect, Tool, ToolContext, ToolkitError, ToolResult, tool, tools_of


class Address(BaseModel):
    city: str = Field(description="Town.")


class Arguments(BaseModel, extra="forbid"):
    near: Address
    kind: Literal["branch", "atm"] = "branch"
    radius: int | None = Field(None, ge=1, description="Miles.")


class Node(BaseModel):
    children: list[Node] = []


@tool("Find  a\n branch.", effect=Effect.READ_ONLY, tags={"places"})
async def find_branch(args: Arguments) -> ToolResult:
    return ToolResult(True, f"{args.kind} in {args.near.city}")


class Counter:
    def __init__(self, start: int) -> None:
        self.start = start

    @tool("Count.")
    def count(self) -> dict[str, Any]:
        return {"count": self.start}

    @tool("Say who.")
    def who(self, args: Address, context: ToolContext) -> dict[str, Any]:
        return {"client": context.client_id}


def test_the_schema_is_derived_and_readable() -> None:
    assert find_branch.schema == {
        "name": "find_branch",
        "description": "Find a branch.",
        "parameters": {
            "type": "object",
            "additionalProperties": False,
            "required": ["near"],
            "properties": {
                "near": {
                    "type": "object",
                    "properties": {"city": {"type": "string", "description": "Town."}},
                    "required": ["city"],
                },
                "kind": {"type": "string", "enum": ["branch", "atm"], "default": "branch"},
                "radius": {"type": "integer", "minimum": 1, "description": "Miles."},
            },
        },
    }


def test_a_tool_keeps_what_is_declared() -> None:
    assert find_branch.effect is Effect.READ_ONLY
    assert find_branch.tags == {"places"}
    assert find_branch.arguments is Arguments
    assert not find_branch.takes_context
    assert find_branch.as_function()["type"] == "function"


def test_who_says_nothing_of_the_effect_is_taken_to_act() -> None:
    @tool("Act.")
    async def act() -> None: ...

    assert act.effect is Effect.EFFECTFUL
    assert act.parameters == {"type": "object", "properties": {}, "additionalProperties": False}


def test_methods_become_tools_of_their_instance() -> None:
    tools = {declared.name: declared for declared in tools_of(Counter(3))}
    assert tools["count"].body() == {"count": 3}
    assert tools["who"].takes_context


def test_a_class_is_not_its_instance() -> None:
    with pytest.raises(ToolkitError, match="make an object of it"):
        tools_of(Counter)


def bad_no_annotation(args) -> None:  # type: ignore[no-untyped-def]
    ...


def bad_two_models(one: Address, two: Address) -> None: ...


def bad_context_only(context: ToolContext) -> None: ...


@pytest.mark.parametrize("body", [bad_no_annotation, bad_two_models, bad_context_only])
def test_a_signature_that_cannot_be_called(body: Any) -> None:
    with pytest.raises(ToolkitError, match=body.__name__):
        tool("Something.")(body)


def test_a_model_that_contains_itself() -> None:
    def tree(args: Node) -> None: ...

    tree.__annotations__["args"] = Node
    with pytest.raises(ToolkitError, match="Node contains itself"):
        tool("Tree.")(tree)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"timeout_seconds": 0}, "timeout_seconds"),
        ({"timeout_seconds": 4000}, "timeout_seconds"),
        ({"concurrency": 0}, "concurrency"),
        ({"attempts": 0}, "attempts"),
        ({"client_argument": "client_id", "requires": {"identity"}}, "not one of its arguments"),
        ({"client_argument": "city"}, "needs `requires`"),
        ({"name": "with space"}, "1 to 64"),
    ],
)
def test_declarations_that_cannot_be_kept(given: dict[str, Any], problem: str) -> None:
    def body(args: Address) -> None: ...

    body.__annotations__["args"] = Address
    with pytest.raises(ToolkitError, match=problem):
        tool("Something.", **given)(body)


def test_a_tool_equals_only_itself() -> None:
    other = Tool("find_branch", find_branch.schema, find_branch.body)
    assert find_branch != other
    assert len({find_branch, find_branch, other}) == 2
