"""Phrasing: the first clause soon, sentences whole, nothing lost."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speech_pool.engines.phrasing import LONGEST_PHRASE_CHARACTERS, Phrase, phrases


def split(text: str, start: int = 0) -> list[str]:
    return [phrase.text for phrase in phrases(text, start)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Yes. It is done.", ["Yes.", "It is done."]),
        (
            "Of course, your balance is ready, as always. Anything else?",
            ["Of course,", "your balance is ready, as always.", "Anything else?"],
        ),
        ("Well, I can do that, gladly.", ["Well, I can do that,", "gladly."]),
        ("One moment please — I look.", ["One moment please —", "I look."]),
        ("No comma before the end of it", ["No comma before the end of it"]),
        ("First line\nsecond line", ["First line", "second line"]),
        ('"Certainly," he said. (Yes.) No.', ['"Certainly,"', "he said.", "(Yes.)", "No."]),
        ("Really?! Yes… fine", ["Really?!", "Yes…", "fine"]),
    ],
)
def test_text_is_cut_where_a_speaker_breathes(text: str, expected: list[str]) -> None:
    assert split(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "The balance is $1,250.50 today",
        "The card ends in 4, 8, 2, 7",
        "On March 5, 2026 it was paid",
        "Ask for Dr. Smith at the desk",
        "We open at 9 a.m. on weekdays",
        "It is under No. 12 of the list",
        "It was signed by J. K. Rowling",
        "Wait until 10:30 for the answer",
        "Version 3.5 came out in e.g. spring",
        "It costs 4.1% per year",
    ],
)
def test_numbers_lists_and_abbreviations_stay_whole(text: str) -> None:
    assert split(text) == [text]


def test_no_is_an_answer_unless_a_number_follows() -> None:
    assert split("No. We do not.") == ["No.", "We do not."]


def test_offsets_count_in_the_whole_text() -> None:
    text = "Hello there, Müller.  Goodbye."

    found = list(phrases(text, 6))

    assert found == [Phrase("there, Müller.", 6), Phrase("Goodbye.", 22)]
    assert all(text[p.offset :].startswith(p.text) for p in found)


@pytest.mark.parametrize(("text", "start"), [("", 0), ("   \n ", 0), ("text", 4), ("text", 99)])
def test_nothing_to_say_gives_no_phrase(text: str, start: int) -> None:
    assert split(text, start) == []


def test_a_sentence_without_end_is_cut_between_words() -> None:
    found = split("word " * 1_000)

    assert all(len(phrase) <= LONGEST_PHRASE_CHARACTERS for phrase in found)
    assert all(word == "word" for phrase in found for word in phrase.split())


def test_a_sentence_too_long_is_cut_at_a_comma_where_there_is_one() -> None:
    clause = "so it went on and on for a while, "

    assert all(phrase.endswith(",") for phrase in split(clause * 30))


def test_even_a_word_without_end_is_cut() -> None:
    assert [len(phrase) for phrase in split("x" * 700)] == [300, 300, 100]


@settings(max_examples=300)
@given(
    st.text(alphabet="ab C1.,;:!? \n—-\"'“”()é", max_size=900),
    st.integers(min_value=0, max_value=50),
)
def test_nothing_but_white_space_is_lost_and_order_is_kept(text: str, start: int) -> None:
    found = list(phrases(text, start))

    spoken = "".join(phrase.text for phrase in found)
    assert "".join(spoken.split()) == "".join(text[start:].split())
    assert [p.offset for p in found] == sorted({p.offset for p in found})
    assert all(text[p.offset : p.offset + len(p.text)] == p.text for p in found)
    assert all(0 < len(p.text) <= LONGEST_PHRASE_CHARACTERS for p in found)
