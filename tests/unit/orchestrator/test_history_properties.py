"""Whatever happens in a call, the messages are ones that a model endpoint accepts."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.history import History, Message, Round, Segment, ToolCall

TEXT = st.text(alphabet="ab .é🎉", min_size=1, max_size=12).filter(str.strip)
ARGUMENTS = st.sampled_from(['{"a": 1}', "{}", "[1]", "{broken", "", "null"])


@dataclass(frozen=True)
class Call:
    """A call of a round, whether its result came."""

    arguments: str
    came_out: bool


@dataclass(frozen=True)
class Happened:
    """A turn as it went. `heard`: the length of each segment that the gateway told of."""

    said: list[str]
    rounds: list[tuple[list[str], list[Call]]]
    interrupted: bool
    heard: dict[int, int] = field(default_factory=dict)


CALLS = st.lists(st.builds(Call, ARGUMENTS, st.booleans()), max_size=3)
TURNS = st.lists(
    st.builds(
        Happened,
        st.lists(TEXT, max_size=3),
        st.lists(st.tuples(st.lists(TEXT, max_size=3), CALLS), max_size=3),
        st.booleans(),
        st.dictionaries(st.integers(0, 8), st.integers(-1, 15), max_size=4),
    ),
    max_size=6,
)


def told(turns: list[Happened], max_turns: int = 100) -> History:
    """A history in which this happened."""
    history = History(max_turns)
    for number, turn in enumerate(turns):
        record = history.begin(f"t{number}", turn.said)
        segments = 0
        for texts, calls in turn.rounds:
            round_ = Round()
            for text in texts:
                round_.segments.append(Segment(f"t{number}/s{segments}", text))
                segments += 1
            names = [f"call_{segments}_{k}" for k in range(len(calls))]
            round_.calls = tuple(
                ToolCall(f"sessions/a/t{number}/0/{k}", name, "look_up", call.arguments)
                for k, (name, call) in enumerate(zip(names, calls, strict=True))
            )
            came = [n for n, call in zip(names, calls, strict=True) if call.came_out]
            round_.results = dict.fromkeys(came, '{"success": true}')
            record.rounds.append(round_)
        for ordinal, length in turn.heard.items():
            history.heard(f"t{number}/s{ordinal}", length)
        if turn.interrupted:
            history.interrupted(f"t{number}")
    return history


def results_wanted(message: Message) -> list[Any]:
    return [call["id"] for call in message.get("tool_calls", ())]


@given(TURNS)
def test_the_messages_are_ones_that_an_endpoint_accepts(turns: list[Happened]) -> None:
    wanted: list[Any] = []
    for message in told(turns).messages():
        if message["role"] == "tool":
            assert message["tool_call_id"] == wanted.pop(0), "results follow in the calls' order"
            assert isinstance(json.loads(message["content"]), dict)
            continue
        assert not wanted, "each call has its result before anything else is said"
        wanted = results_wanted(message)
        assert message["content"] or wanted, "an empty message is refused"
        for call in message.get("tool_calls", ()):
            assert isinstance(json.loads(call["function"]["arguments"]), dict)
    assert not wanted


def letters(text: str) -> str:
    return "".join(filter(str.isalpha, text))


def letters_heard(turn: Happened) -> str:
    """What the caller is known to have heard; all of it where a turn simply went on."""
    texts = [text for texts, _ in turn.rounds for text in texts]
    unknown = 0 if turn.interrupted else 99
    lengths = [max(0, turn.heard.get(k, unknown)) for k in range(len(texts))]
    return letters("".join(t[:n] for t, n in zip(texts, lengths, strict=True)))


@given(TURNS)
def test_exactly_what_was_heard_is_shown_as_said(turns: list[Happened]) -> None:
    shown = [m["content"] or "" for m in told(turns).messages() if m["role"] == "assistant"]
    assert letters("".join(shown)) == "".join(map(letters_heard, turns))


@given(TURNS.filter(bool), st.integers(1, 4))
def test_the_last_turns_are_shown_as_if_there_had_been_no_others(
    turns: list[Happened], most: int
) -> None:
    everything, last = told(turns).messages(), told(turns, most).messages()
    assert everything[len(everything) - len(last) :] == last
