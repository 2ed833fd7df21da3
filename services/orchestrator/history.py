"""What the model is shown: what was said and done, amended by what the caller heard. Pure.

Nothing that was cut off before it was heard is shown as said. A tool call whose result never came is
shown with a result that says so, because a model endpoint refuses one without.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

Message = dict[str, Any]
"""A chat message of the OpenAI wire."""

NO_RESULT = json.dumps(
    {"success": False, "reason": "NOT_FINISHED", "message": "This was broken off and not finished."}
)


@dataclass(slots=True)
class Segment:
    """A stretch of an answer that was sent to be spoken."""

    name: str
    text: str
    heard_length: int | None = None
    """Code points that the caller heard; None while it is not known."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool call that the model made."""

    request_id: str
    call_id: str
    """The model's own id; only the model needs it back."""
    tool: str
    arguments: str
    """JSON, exactly as the model wrote it."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """The calls that were made before one: how often the same, how many in all."""

    same_in_turn: int = 0
    in_turn: int = 0
    in_call: int = 0


NOTHING_EARLIER = Earlier()


@dataclass(slots=True)
class Round:
    """One answer of the model: text, tool calls, and what came of them."""

    segments: list[Segment] = field(default_factory=list)
    calls: tuple[ToolCall, ...] = ()
    results: dict[str, str] = field(default_factory=dict)
    """Call id to the JSON that the model is told."""


@dataclass(slots=True)
class TurnRecord:
    """What the caller said, and the rounds that answered it."""

    turn: str
    utterances: list[str] = field(default_factory=list)
    rounds: list[Round] = field(default_factory=list)
    interrupted: bool = False
    calls_before: int = 0
    """Tool calls of the turns before."""

    @property
    def calls(self) -> list[ToolCall]:
        """Its tool calls, in the order in which they were made."""
        return [call for round_ in self.rounds for call in round_.calls]

    def earlier(self, call: ToolCall) -> Earlier:
        """What was called before this call of the turn."""
        calls = self.calls
        at = next((n for n, one in enumerate(calls) if one is call), len(calls))
        before = calls[:at]
        same = [one for one in before if one.tool == call.tool and _alike(one, call)]
        return Earlier(len(same), at, self.calls_before + at)


def _alike(one: ToolCall, other: ToolCall) -> bool:
    """Whether two calls have the same arguments, however they are written."""
    if one.arguments == other.arguments:
        return True
    return _object_json(one.arguments) != "{}" and _canonical(one) == _canonical(other)


def _canonical(call: ToolCall) -> str:
    return json.dumps(json.loads(_object_json(call.arguments)), sort_keys=True)


class History:
    """The conversation so far, at most `max_turns` of it."""

    def __init__(self, max_turns: int) -> None:
        self._max_turns = max_turns
        self._turns: list[TurnRecord] = []

    def begin(self, turn: str, utterances: Iterable[str] = ()) -> TurnRecord:
        """A turn begins, caused by these utterances."""
        last = self._turns[-1] if self._turns else None
        before = last.calls_before + len(last.calls) if last else 0
        record = TurnRecord(turn, list(utterances), calls_before=before)
        self._turns.append(record)
        del self._turns[: -self._max_turns]
        return record

    def heard(self, segment: str, length: int) -> None:
        """The caller heard this much of a segment. Unknown segments are passed over."""
        for record in reversed(self._turns):
            for round_ in record.rounds:
                for sent in round_.segments:
                    if sent.name == segment:
                        sent.heard_length = max(0, min(length, len(sent.text)))
                        return

    def interrupted(self, turn: str) -> None:
        """A turn was cut off: what is not known to be heard was not."""
        for record in self._turns:
            if record.turn == turn:
                record.interrupted = True

    def messages(self) -> list[Message]:
        """The chat messages, oldest first."""
        return [message for record in self._turns for message in _turn_messages(record)]


def _turn_messages(record: TurnRecord) -> Iterable[Message]:
    for text in record.utterances:
        yield {"role": "user", "content": text}
    for round_ in record.rounds:
        yield from _round_messages(round_, record.interrupted)


def _round_messages(round_: Round, interrupted: bool) -> Iterable[Message]:
    text = _heard_text(round_.segments, interrupted)
    if round_.calls:
        calls = [_wire_call(call) for call in round_.calls]
        yield {"role": "assistant", "content": text or None, "tool_calls": calls}
        for call in round_.calls:
            result = round_.results.get(call.call_id, NO_RESULT)
            yield {"role": "tool", "tool_call_id": call.call_id, "content": result}
    elif text:
        yield {"role": "assistant", "content": text}


def _heard_text(segments: Iterable[Segment], interrupted: bool) -> str:
    heard = []
    for segment in segments:
        unknown = 0 if interrupted else len(segment.text)
        length = unknown if segment.heard_length is None else segment.heard_length
        if length:
            cut = "" if length >= len(segment.text) else "…"
            heard.append(segment.text[:length].rstrip() + cut)
    return " ".join(heard)


def _wire_call(call: ToolCall) -> Message:
    function = {"name": call.tool, "arguments": _object_json(call.arguments)}
    return {"id": call.call_id, "type": "function", "function": function}


def _object_json(arguments: str) -> str:
    """Arguments as they were written, if they are an object: some endpoints fail on anything else."""
    try:
        return arguments if isinstance(json.loads(arguments), dict) else "{}"
    except ValueError:
        return "{}"
