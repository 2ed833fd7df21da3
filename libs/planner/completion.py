"""A decision in the shapes of the OpenAI wire: a whole completion, or its chunks. Pure.

Usage counts words, for the planner has no tokens of its own.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from planner.conversation import Decision, PlannedCall
from planner.minilm import Array
from planner.wire import ChatRequest

FINGERPRINT = "planner-not-a-language-model"
ARGUMENT_PIECE = 12
"""Characters of a tool call's arguments in one streamed delta."""

_WORD = re.compile(r"\S+\s*")


@dataclass(frozen=True, slots=True)
class Completion:
    """An answer with what the wire wants to know of it."""

    id: str
    created: int
    """Unix seconds."""
    request: ChatRequest
    decision: Decision
    call_ids: Sequence[str]

    def whole(self) -> dict[str, Any]:
        """The body of an answer that is not streamed."""
        message: dict[str, Any] = {"role": "assistant", "content": self.decision.text or None}
        if self.decision.calls:
            message["tool_calls"] = [
                {"id": call_id, "type": "function", "function": _function(call)}
                for call_id, call in zip(self.call_ids, self.decision.calls, strict=True)
            ]
        choice = {
            "index": 0,
            "message": message,
            "logprobs": None,
            "finish_reason": self._finish_reason,
        }
        return self._frame("chat.completion", [choice]) | {"usage": self._usage()}

    def chunks(self) -> Iterator[dict[str, Any]]:
        """The answer word by word, calls in pieces, then why it ended, then usage if asked for."""
        yield self._delta({"role": "assistant", "content": "" if self.decision.text else None})
        for word in _WORD.findall(self.decision.text):
            yield self._delta({"content": word})
        for index, call in enumerate(self.decision.calls):
            yield from self._call_deltas(index, call)
        yield self._delta({}, self._finish_reason)
        if self.request.include_usage:
            yield self._frame("chat.completion.chunk", []) | {"usage": self._usage()}

    def _call_deltas(self, index: int, call: PlannedCall) -> Iterator[dict[str, Any]]:
        function = _function(call)
        head = {"index": index, "id": self.call_ids[index], "type": "function"}
        opening = {"name": function["name"], "arguments": ""}
        yield self._delta({"tool_calls": [{**head, "function": opening}]})
        arguments = function["arguments"]
        for start in range(0, len(arguments), ARGUMENT_PIECE):
            piece = {"arguments": arguments[start : start + ARGUMENT_PIECE]}
            yield self._delta({"tool_calls": [{"index": index, "function": piece}]})

    def _delta(self, delta: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return self._frame("chat.completion.chunk", [choice])

    def _frame(self, kind: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.request.model,
            "system_fingerprint": FINGERPRINT,
            "choices": choices,
        }

    @property
    def _finish_reason(self) -> str:
        return "tool_calls" if self.decision.calls else "stop"

    def _usage(self) -> dict[str, int]:
        read = sum(len(message.text.split()) for message in self.request.messages)
        said = len(self.decision.text.split())
        said += sum(len(_function(call)["arguments"].split()) for call in self.decision.calls)
        return {"prompt_tokens": read, "completion_tokens": said, "total_tokens": read + said}


def event(chunk: dict[str, Any]) -> bytes:
    """A chunk as a server-sent event."""
    return b"data: " + json.dumps(chunk, separators=(",", ":")).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"


def embeddings_body(
    vectors: Sequence[Array], tokens: int, model: str, as_base64: bool
) -> dict[str, Any]:
    """The body of an embeddings answer; base64 is of little-endian float32, as OpenAI sends it."""
    found = [
        {"object": "embedding", "index": index, "embedding": _encoded(vector, as_base64)}
        for index, vector in enumerate(vectors)
    ]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "data": found, "model": model, "usage": usage}


def _encoded(vector: Array, as_base64: bool) -> str | list[float]:
    if as_base64:
        return base64.b64encode(vector.astype(np.dtype("<f4")).tobytes()).decode()
    return [float(number) for number in vector]


def _function(call: PlannedCall) -> dict[str, str]:
    return {"name": call.tool, "arguments": json.dumps(dict(call.arguments), ensure_ascii=False)}
