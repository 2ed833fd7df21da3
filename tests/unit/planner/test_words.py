"""Words and sentences."""

from __future__ import annotations

from planner.words import sentences, squeezed, stem, stems, without_fillers, words


def test_words_are_lower_case_and_keep_apostrophes() -> None:
    assert words("What’s MY balance, in 2026?") == ["what's", "my", "balance", "in", "2026"]


def test_common_endings_do_not_matter() -> None:
    assert stem("fees") == stem("fee")
    assert stem("charged") == stem("charges") == stem("charging")
    assert stem("was") == "was"


def test_words_that_carry_no_meaning_are_left_out() -> None:
    assert stems("what is the balance of my accounts") == {stem("balance"), "account"}


def test_sentences_by_punctuation() -> None:
    assert sentences("Thanks. Why was I charged?  One more") == [
        "Thanks.",
        "Why was I charged?",
        "One more",
    ]
    assert sentences("") == []


def test_fillers_at_the_beginning_are_left_out() -> None:
    assert without_fillers("Yes, um... sure, Alice Brown") == "Alice Brown"
    assert without_fillers("okay") == ""


def test_what_was_said_is_compared_without_punctuation() -> None:
    assert squeezed("Shall I go ahead, yes or no?") == squeezed("shall i go ahead   yes or no")
