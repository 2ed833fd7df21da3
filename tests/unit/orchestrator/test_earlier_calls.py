"""What was called before a call: of the same, in the turn, and in the whole conversation."""

from __future__ import annotations

import pytest

from orchestrator.history import Earlier, History, Round, ToolCall, TurnRecord


def call(turn: int, number: int, arguments: str = "{}", tool: str = "balance") -> ToolCall:
    return ToolCall(f"sessions/a/t{turn}/{number}/0", f"c{number}", tool, arguments)


def with_calls(record: TurnRecord, *calls: ToolCall) -> TurnRecord:
    record.rounds += [Round(calls=(one,)) for one in calls]
    return record


def test_the_first_call_has_none_before_it() -> None:
    first = call(0, 0)
    assert with_calls(History(5).begin("t0"), first).earlier(first) == Earlier()


@pytest.mark.parametrize(
    ("before", "now", "same"),
    [
        ('{"a": 1, "b": 2}', '{"b": 2, "a": 1}', 1),
        ('{"a": 1}', '{"a": 2}', 0),
        ("{", "{", 1),
        ("{", "[", 0),
        ("{}", "", 0),
    ],
)
def test_arguments_are_the_same_however_they_are_written(before: str, now: str, same: int) -> None:
    one, other = call(0, 0, before), call(0, 1, now)
    assert with_calls(History(5).begin("t0"), one, other).earlier(other).same_in_turn == same


def test_another_tool_is_not_the_same_and_counts_in_the_turn() -> None:
    one, other = call(0, 0), call(0, 1, tool="search")
    assert with_calls(History(5).begin("t0"), one, other).earlier(other) == Earlier(0, 1, 1)


def test_calls_of_one_round_count_in_their_order() -> None:
    calls = tuple(call(0, n) for n in range(3))
    record = History(5).begin("t0")
    record.rounds.append(Round(calls=calls))
    assert [record.earlier(one).in_turn for one in calls] == [0, 1, 2]


def test_the_conversation_counts_turns_that_are_shown_no_more() -> None:
    history = History(2)
    for turn in range(4):
        with_calls(history.begin(f"t{turn}"), call(turn, 0), call(turn, 1))
    last = call(4, 0)
    assert with_calls(history.begin("t4"), last).earlier(last) == Earlier(0, 0, 8)
