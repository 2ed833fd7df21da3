"""What tools answer, read for the ear."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.results import MAX_SPOKEN, ToolResult, read_result


def read(value: Any) -> ToolResult:
    return read_result(json.dumps(value))


@pytest.mark.parametrize(
    "value",
    [
        {"success": True, "message": "It is 12 dollars."},
        {"result": {"message": "It is 12 dollars."}},
        {"message": "It is 12 dollars.", "accounts": [{"balance": 12}]},
        "It is 12 dollars.",
    ],
)
def test_the_message_is_spoken(value: Any) -> None:
    assert read(value) == ToolResult(True, "It is 12 dollars.")


def test_plain_text_is_its_own_message() -> None:
    assert read_result("It is done.") == ToolResult(True, "It is done.")


@pytest.mark.parametrize(
    "value",
    [
        {"success": False, "reason": "NOT_VERIFIED", "message": "Who are you?"},
        {"error": {"reason": "not_verified", "message": "Who are you?"}},
        {"failure": {"reason": "NOT_VERIFIED", "message": "Who are you?", "retryable": True}},
    ],
)
def test_a_refusal_for_want_of_identity(value: Any) -> None:
    result = read(value)

    assert result.unverified
    assert result.message == "Who are you?"


def test_a_failure_without_reason() -> None:
    result = read({"success": False, "message": "No match."})

    assert (result.ok, result.unverified, result.technical) == (False, False, False)


def test_a_complaint_about_arguments_is_for_the_model() -> None:
    assert read({"error": {"reason": "ARGUMENTS_INVALID", "message": "x: too short"}}).technical


def test_a_success_that_mentions_verification_is_no_refusal() -> None:
    assert not read({"success": True, "reason": "NOT_VERIFIED"}).unverified


@pytest.mark.parametrize(
    ("value", "spoken"),
    [
        ({"results": [{"title": "Fees", "content": "Three percent."}]}, "Three percent."),
        (
            {"balance": 12.5, "currency": "USD", "client_id": "C1"},
            "The balance is 12.5. The currency is USD.",
        ),
        ({"success": True}, ""),
        ({"rows": [1, 2, 3]}, ""),
        ({"message": '{"raw": true}'}, ""),
        ([1, 2], ""),
        ({"error": "KeyError: 'x'"}, ""),
    ],
)
def test_without_a_message(value: Any, spoken: str) -> None:
    assert read(value).message == spoken


def test_a_long_message_ends_with_a_sentence() -> None:
    message = read({"message": "This is one sentence of many. " * 100}).message

    assert len(message) <= MAX_SPOKEN
    assert message.endswith("of many.")


def test_a_long_message_without_sentences_still_ends() -> None:
    assert len(read({"message": "word " * 1000}).message) <= MAX_SPOKEN + 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["message", "error", "result", "results", "reason", "success", "x"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=15,
)


@given(JSON)
def test_raw_json_is_never_spoken(value: Any) -> None:
    message = read(value).message

    assert not message.lstrip().startswith(("{", "["))


@given(st.text(max_size=300))
def test_any_content_is_read_without_failing(content: str) -> None:
    assert not read_result(content).message.lstrip().startswith(("{", "["))
