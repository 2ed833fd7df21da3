"""Finding spoken words in the text."""

from __future__ import annotations

from speech_pool.engines.azure.words import LOOK_AHEAD, WordFinder


def test_words_are_found_in_order_and_each_once() -> None:
    finder = WordFinder("no, no & no")

    assert [finder.find(word) for word in ("no", "no", "&", "no", "no")] == [0, 4, 7, 9, None]


def test_a_word_that_is_not_written_is_passed_over() -> None:
    finder = WordFinder("Dr. Who")

    assert [finder.find("doctor"), finder.find("Who")] == [None, 4]


def test_offsets_count_in_the_whole_text() -> None:
    assert WordFinder("one two one", start=4).find("one") == 8


def test_offsets_are_code_points() -> None:
    assert WordFinder("🙂 é x").find("x") == 4


def test_a_word_of_the_same_spelling_far_on_is_not_taken() -> None:
    text = "spoken otherwise " + "x" * LOOK_AHEAD + " far"

    assert WordFinder(text).find("far") is None


def test_an_empty_word_is_nowhere() -> None:
    assert WordFinder("text").find("") is None
