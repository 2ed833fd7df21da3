"""Decisions in the shapes of the OpenAI wire."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
import pytest

from planner.completion import ARGUMENT_PIECE, Completion, embeddings_body, event
from planner.conversation import Decision, Message, PlannedCall
from planner.wire import ChatRequest

CALLS = (PlannedCall("verify", {"name": "Zoë", "last": "1234"}), PlannedCall("look_up", {}))
BOTH = Decision("One moment. ", CALLS)


def completion(decision: Decision, include_usage: bool = False) -> Completion:
    request = ChatRequest((Message("user", "one two three"),), include_usage=include_usage)
    return Completion("chatcmpl-1", 1_700_000_000, request, decision, ["call_a", "call_b"])


def deltas(chunks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [chunk["choices"][0]["delta"] for chunk in chunks if chunk["choices"]]


def test_words_only() -> None:
    whole = completion(Decision("Hello there.")).whole()

    assert whole["object"] == "chat.completion"
    assert whole["choices"][0]["message"] == {"role": "assistant", "content": "Hello there."}
    assert whole["choices"][0]["finish_reason"] == "stop"
    assert whole["usage"] == {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    assert whole["system_fingerprint"] == "planner-not-a-language-model"


def test_calls_only() -> None:
    whole = completion(Decision(calls=CALLS)).whole()
    message = whole["choices"][0]["message"]

    assert message["content"] is None
    assert [call["id"] for call in message["tool_calls"]] == ["call_a", "call_b"]
    arguments = [json.loads(call["function"]["arguments"]) for call in message["tool_calls"]]
    assert arguments == [{"name": "Zoë", "last": "1234"}, {}]
    assert whole["choices"][0]["finish_reason"] == "tool_calls"


def test_the_stream_says_the_same_as_the_whole() -> None:
    chunks = list(completion(BOTH, include_usage=True).chunks())
    said = "".join(delta.get("content") or "" for delta in deltas(chunks))
    calls: dict[int, dict[str, str]] = {}
    for delta in deltas(chunks):
        for call in delta.get("tool_calls", ()):
            known = calls.setdefault(call["index"], {"id": "", "name": "", "arguments": ""})
            known["id"] += call.get("id", "")
            known["name"] += call["function"].get("name", "")
            known["arguments"] += call["function"].get("arguments", "")

    whole = completion(BOTH).whole()
    assert said == whole["choices"][0]["message"]["content"]
    assert [calls[n] for n in sorted(calls)] == [
        {"id": call["id"], **call["function"]}
        for call in whole["choices"][0]["message"]["tool_calls"]
    ]
    assert chunks[-1]["usage"] == whole["usage"]
    assert chunks[-1]["choices"] == []


def test_the_role_comes_first_and_the_reason_last() -> None:
    chunks = list(completion(BOTH).chunks())

    assert deltas(chunks)[0]["role"] == "assistant"
    reasons = [chunk["choices"][0]["finish_reason"] for chunk in chunks]
    assert reasons[-1] == "tool_calls"
    assert set(reasons[:-1]) == {None}
    assert all("usage" not in chunk for chunk in chunks)


def test_arguments_come_in_small_pieces() -> None:
    call = PlannedCall("t", {"query": "x" * 100})
    chunks = list(completion(Decision(calls=(call, call))).chunks())
    pieces = [c["function"]["arguments"] for d in deltas(chunks) for c in d.get("tool_calls", ())]

    assert max(map(len, pieces)) == ARGUMENT_PIECE


def test_an_event_is_one_line_and_a_blank_one() -> None:
    written = event({"content": "a\nb"})

    assert written.startswith(b"data: {")
    assert written.endswith(b"}\n\n")
    assert written.count(b"\n") == 2


@pytest.mark.parametrize("as_base64", [False, True])
def test_embeddings_keep_their_numbers(as_base64: bool) -> None:
    vector = np.array([0.25, -0.5, 0.125], np.float32)
    body = embeddings_body([vector], 7, "m", as_base64)
    sent = body["data"][0]["embedding"]
    received = np.frombuffer(base64.b64decode(sent), "<f4") if as_base64 else np.array(sent)

    assert np.array_equal(received, vector)
    assert body["usage"] == {"prompt_tokens": 7, "total_tokens": 7}
