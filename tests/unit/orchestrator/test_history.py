"""The model sees what was said, done and heard, and nothing else."""

from __future__ import annotations

import json

from orchestrator.history import NO_RESULT, History, Round, Segment, ToolCall


def turn(history: History, name: str, said: str, *texts: str) -> list[Segment]:
    record = history.begin(name, [said])
    segments = [Segment(f"{name}/s{k}", text) for k, text in enumerate(texts)]
    record.rounds.append(Round(segments))
    return segments


def test_a_turn_is_a_question_and_an_answer() -> None:
    history = History(10)
    turn(history, "t1", "Hello?", "Hi.", "How are you?")
    assert history.messages() == [
        {"role": "user", "content": "Hello?"},
        {"role": "assistant", "content": "Hi. How are you?"},
    ]


def test_what_the_caller_did_not_hear_was_not_said() -> None:
    history = History(10)
    turn(history, "t1", "Hello?", "Your balance is 25 dollars.", "Anything else?")
    history.heard("t1/s0", len("Your balance"))
    history.interrupted("t1")
    assert history.messages()[1]["content"] == "Your balance…"


def test_an_interruption_before_the_first_word() -> None:
    history = History(10)
    turn(history, "t1", "Hello?", "Hi.")
    history.heard("t1/s0", 0)
    history.interrupted("t1")
    assert history.messages() == [{"role": "user", "content": "Hello?"}]


def test_a_segment_heard_in_full_is_not_marked_as_cut() -> None:
    history = History(10)
    turn(history, "t1", "Hello?", "Hi.", "And more.")
    history.heard("t1/s0", 3)
    history.interrupted("t1")
    assert history.messages()[1]["content"] == "Hi."


def test_a_heard_that_is_too_long_or_unknown() -> None:
    history = History(10)
    turn(history, "t1", "Hello?", "Hi.")
    history.heard("t1/s0", 99)
    history.heard("t9/s9", 3)
    assert history.messages()[1]["content"] == "Hi."


def called(arguments: str = '{"a": 1}') -> tuple[History, Round]:
    history = History(10)
    record = history.begin("t1", ["Balance?"])
    call = ToolCall("sessions/a/t1/0/0", "call_7", "get_balance", arguments)
    round_ = Round([Segment("t1/s0", "One moment.")], calls=(call,))
    record.rounds.append(round_)
    return history, round_


def test_a_call_is_followed_by_its_result() -> None:
    history, round_ = called()
    round_.results["call_7"] = '{"success": true}'
    _, assistant, tool = history.messages()
    assert assistant["content"] == "One moment."
    assert assistant["tool_calls"][0] == {
        "id": "call_7",
        "type": "function",
        "function": {"name": "get_balance", "arguments": '{"a": 1}'},
    }
    assert tool == {"role": "tool", "tool_call_id": "call_7", "content": '{"success": true}'}


def test_a_call_without_a_result_is_shown_as_not_finished() -> None:
    history, _ = called()
    assert history.messages()[-1]["content"] == NO_RESULT
    assert json.loads(NO_RESULT)["success"] is False


def test_arguments_that_are_no_object_are_not_shown_to_the_endpoint() -> None:
    for arguments in ("{broken", "[1]", ""):
        history, _ = called(arguments)
        assert history.messages()[1]["tool_calls"][0]["function"]["arguments"] == "{}"


def test_only_the_last_turns_are_kept() -> None:
    history = History(2)
    for number in range(4):
        turn(history, f"t{number}", f"q{number}", f"a{number}")
    assert [m["content"] for m in history.messages()] == ["q2", "a2", "q3", "a3"]
