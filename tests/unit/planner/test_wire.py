"""Requests of the OpenAI wire: what is read, and how what is wrong is named."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.conversation import Message, Tool, ToolCall
from planner.fields import MAX_TEXT, BadRequest, read_json
from planner.wire import (
    MAX_INPUTS,
    MAX_MESSAGES,
    MAX_TOOLS,
    MODEL,
    error_body,
    read_chat,
    read_embeddings,
)

USER = {"role": "user", "content": "hello"}
TOOL = {"type": "function", "function": {"name": "t", "description": "d", "parameters": {}}}
CALL = {"id": "c1", "type": "function", "function": {"name": "t", "arguments": '{"a": 1}'}}


def chat(**more: Any) -> dict[str, Any]:
    return {"messages": [USER], **more}


def test_a_plain_request() -> None:
    request = read_chat(chat())

    assert request.messages == (Message("user", "hello"),)
    assert (request.tools, request.choice, request.model) == ((), "auto", MODEL)
    assert not request.stream
    assert not request.include_usage


def test_a_whole_conversation() -> None:
    request = read_chat(
        {
            "model": "gpt",
            "messages": [
                {"role": "developer", "content": "Be Ava."},
                {
                    "role": "user",
                    "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
                },
                {"role": "assistant", "content": None, "tool_calls": [CALL]},
                {"role": "tool", "tool_call_id": "c1", "content": "{}"},
            ],
            "tools": [TOOL],
            "stream": True,
            "stream_options": {"include_usage": True},
            "temperature": 0.3,
            "max_tokens": 5,
            "parallel_tool_calls": False,
        }
    )

    assert request.messages == (
        Message("system", "Be Ava."),
        Message("user", "a b"),
        Message("assistant", "", (ToolCall("c1", "t", '{"a": 1}'),)),
        Message("tool", "{}", (), "c1"),
    )
    assert request.tools == (Tool("t", "d", {}),)
    assert request.stream
    assert request.include_usage


@pytest.mark.parametrize(
    ("choice", "read"),
    [
        (None, "auto"),
        ("none", "none"),
        ("required", "required"),
        ({"type": "function", "function": {"name": "t"}}, "t"),
    ],
)
def test_the_tool_choice(choice: Any, read: str) -> None:
    assert read_chat(chat(tools=[TOOL], tool_choice=choice)).choice == read


@pytest.mark.parametrize(
    ("body", "param", "says"),
    [
        ({}, "messages", "at least one"),
        ({"messages": []}, "messages", "at least one"),
        ({"messages": "hi"}, "messages", "list"),
        ({"messages": [USER] * (MAX_MESSAGES + 1)}, "messages", str(MAX_MESSAGES)),
        ({"messages": ["hi"]}, "messages[0]", "an object, not a text"),
        (
            {"messages": [{"role": "user", "content": 3}]},
            "messages[0].content",
            "a text, not a number",
        ),
        ({"messages": [USER, {"content": "x"}]}, "messages[1].role", "developer"),
        ({"messages": [{"role": ["user"], "content": "x"}]}, "messages[0].role", "developer"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].tool_call_id", "not empty"),
        (
            {"messages": [{"role": "user", "content": "x" * (MAX_TEXT + 1)}]},
            "messages[0].content",
            str(MAX_TEXT),
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
            "messages[0].content",
            "text only",
        ),
        (
            {"messages": [{"role": "user", "content": "x", "tool_calls": [CALL]}]},
            "messages[0].tool_calls",
            "assistant",
        ),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{"id": "c"}]}]},
            "messages[0].tool_calls[0]",
            "function is missing",
        ),
        (chat(n=2), "n", "deterministic"),
        (chat(response_format={"type": "json_object"}), "response_format", "not a language model"),
        (chat(response_format="json"), "response_format", "an object"),
        (chat(tools={}), "tools", "a list"),
        (chat(tools=[TOOL] * (MAX_TOOLS + 1)), "tools", str(MAX_TOOLS)),
        (chat(tools=[{"function": {"name": "t"}}]), "tools[0]", "type"),
        (chat(tools=[{"type": "function", "function": {}}]), "tools[0].function.name", "not empty"),
        (
            chat(tools=[{"type": "function", "function": {"name": "t", "parameters": []}}]),
            "tools[0].function.parameters",
            "an object, not a list",
        ),
        (chat(tool_choice="sometimes"), "tool_choice", "auto, none"),
        (chat(tool_choice=["auto"]), "tool_choice", "auto, none"),
        (chat(tool_choice={"function": {"name": "x"}}), "tool_choice", "not among the tools"),
        (chat(model=3), "model", "a text"),
        (chat(stream_options=True), "stream_options", "an object"),
    ],
)
def test_what_is_wrong_is_named(body: dict[str, Any], param: str, says: str) -> None:
    with pytest.raises(BadRequest, match=says.replace("[", r"\[")) as refused:
        read_chat(body)

    assert refused.value.param == param


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"x"', b"\xff", b"[" * 100_000])
def test_a_body_that_is_no_json_object(body: bytes) -> None:
    with pytest.raises(BadRequest, match="the body"):
        read_json(body)


def test_embeddings_of_one_and_of_many() -> None:
    assert read_embeddings({"input": "a"}).inputs == ("a",)
    request = read_embeddings({"input": ["a", "b"], "encoding_format": "base64", "model": "m"})
    assert (request.inputs, request.base64, request.model) == (("a", "b"), True, "m")


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "input"),
        ({"input": []}, "input"),
        ({"input": [1, 2, 3]}, "input[0]"),
        ({"input": ["a", " "]}, "input[1]"),
        ({"input": ["a"] * (MAX_INPUTS + 1)}, "input"),
        ({"input": "x" * (MAX_TEXT + 1)}, "input[0]"),
        ({"input": "a", "encoding_format": "int8"}, "encoding_format"),
        ({"input": "a", "dimensions": 8}, "dimensions"),
    ],
)
def test_embeddings_that_cannot_be_made(body: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequest) as refused:
        read_embeddings(body)

    assert refused.value.param == param


def test_an_error_has_the_four_fields_that_clients_read() -> None:
    body = error_body("no", "invalid_request_error", "n")

    assert body == {
        "error": {"message": "no", "type": "invalid_request_error", "param": "n", "code": None}
    }


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=10,
)
_OF_CHAT = ["messages", "tools", "tool_choice", "n", "model", "stream", "stream_options"]
_OF_MESSAGES = ["role", "content", "tool_calls", "function", "name", "parameters"]
_OF_EMBEDDINGS = ["input", "encoding_format", "dimensions", "response_format"]
FIELDS = st.sampled_from([*_OF_CHAT, *_OF_MESSAGES, *_OF_EMBEDDINGS])


@given(st.dictionaries(FIELDS, JSON))
def test_any_object_is_read_or_refused(body: dict[str, Any]) -> None:
    for read in (read_chat, read_embeddings):
        with contextlib.suppress(BadRequest):
            assert read(body).model


@given(st.lists(st.dictionaries(FIELDS, JSON), min_size=1, max_size=3))
def test_any_messages_are_read_or_refused(messages: list[Any]) -> None:
    for message in messages:
        message["role"] = "assistant"
    with contextlib.suppress(BadRequest):
        assert len(read_chat({"messages": messages, "tools": messages}).messages) == len(messages)
