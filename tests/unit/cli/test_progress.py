"""The command knows whose turn it is from the gateway's events alone."""

from __future__ import annotations

from typing import Any

from cli.progress import CallProgress


def event(kind: str, **fields: Any) -> dict[str, Any]:
    return {"kind": kind, **fields}


def started(turn: str) -> dict[str, Any]:
    return event("turn_started", turn=turn, cause="u1", agent="a")


def finished(turn: str, outcome: str = "completed") -> dict[str, Any]:
    return event("turn_finished", turn=turn, outcome=outcome, failure_reason="", cause="u1")


def progress(*events: dict[str, Any]) -> CallProgress:
    made = CallProgress()
    for one in events:
        made.take(one)
    return made


def test_answered_once_a_turn_finished_after_the_line_and_none_is_open() -> None:
    made = progress(started("t0"), finished("t0"))
    assert made.answered
    made.line_begins()
    assert not made.answered
    made.take(started("t1"))
    assert not made.answered
    made.take(finished("t1"))
    assert made.answered
    made.take(started("t2"))
    assert not made.answered


def test_only_finals_and_segments_are_the_transcript() -> None:
    made = progress(
        event("transcript", utterance="u1", text="he", final=False),
        event("transcript", utterance="u1", text="hello", final=True),
        event("segment", turn="t1", segment="t1/s0", text="Hi."),
    )
    assert made.transcripts == [("caller", "hello"), ("agent", "Hi.")]


def test_failures_errors_tools_and_the_end() -> None:
    made = progress(
        started("t1"),
        event("tool_call", turn="t1", tool="get_account_summary"),
        finished("t1", "failed"),
        event("error", reason="PEER", message="orchestrator is gone"),
        event("call_ended", reason="service_lost"),
        event("something_new"),
    )
    assert made.tools == ["get_account_summary"]
    assert [turn["turn"] for turn in made.failed_turns] == ["t1"]
    assert made.error == "PEER: orchestrator is gone"
    assert made.ended
