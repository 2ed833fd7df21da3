"""Counts of a session: by turn, by arguments, by success; bounded."""

from __future__ import annotations

from tool_executor.ledger import NONE, Counts, Ledger


def test_nothing_counted() -> None:
    assert Ledger().counts("s", "t1", "it", {}) == NONE


def test_runs_and_repeats() -> None:
    ledger = Ledger()
    ledger.begun("s", "t1", "it", {"a": 1})
    ledger.begun("s", "t1", "it", {"a": 2})
    ledger.begun("s", "t1", "other", {"a": 1})
    assert ledger.counts("s", "t1", "it", {"a": 1}) == Counts(2, 1, 3, 3)
    assert ledger.counts("s", "t1", "other", {}) == Counts(1, 0, 3, 3)
    assert ledger.counts("another", "t1", "it", {"a": 1}) == NONE


def test_a_new_turn_begins_anew_but_for_the_call() -> None:
    ledger = Ledger()
    ledger.begun("s", "t1", "it", {})
    assert ledger.counts("s", "t2", "it", {}) == Counts(failed=1, in_call=1)
    ledger.begun("s", "t2", "it", {})
    assert ledger.counts("s", "t2", "it", {}) == Counts(2, 1, 1, 2)


def test_a_success_does_not_count_as_a_failure_of_that_tool() -> None:
    ledger = Ledger()
    ledger.begun("s", "t1", "it", {})
    ledger.succeeded("s", "it")
    ledger.succeeded("s", "it")
    assert ledger.counts("s", "t1", "it", {}).failed == 0
    ledger.begun("s", "t1", "it", {})
    ledger.begun("s", "t1", "it", {})
    ledger.begun("s", "t1", "other", {})
    ledger.succeeded("s", "it")
    ledger.succeeded("unknown", "it")
    assert ledger.counts("s", "t1", "it", {}).failed == 1
    assert ledger.counts("s", "t1", "other", {}).failed == 1


def test_arguments_compare_by_content() -> None:
    ledger = Ledger()
    ledger.begun("s", "t1", "it", {"a": [1, {"b": 2}], "c": None})
    assert ledger.counts("s", "t1", "it", {"c": None, "a": [1, {"b": 2}]}).repeats == 1
    assert ledger.counts("s", "t1", "it", {"a": [1, {"b": 3}], "c": None}).repeats == 0


def test_the_oldest_session_is_forgotten() -> None:
    ledger = Ledger(most=2)
    for session in ("a", "b"):
        ledger.begun(session, "t1", "it", {})
    ledger.begun("a", "t1", "it", {})
    ledger.begun("c", "t1", "it", {})
    counted = [ledger.counts(session, "t1", "it", {}).in_call for session in ("a", "b", "c")]
    assert counted == [2, 0, 1]
