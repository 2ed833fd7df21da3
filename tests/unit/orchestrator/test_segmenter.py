"""Text is cut where a speaker would breathe, as soon as that is certain, and nothing of it is lost."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.segmenter import MAX_CHARACTERS, Segmenter, speakable


def segments(*pieces: str) -> list[str]:
    segmenter = Segmenter()
    ready = [segment for piece in pieces for segment in segmenter.feed(piece)]
    return ready + segmenter.flush()


SENTENCES = {
    "It is 1,250.50 dollars. Anything else?": ["It is 1,250.50 dollars.", "Anything else?"],
    "Dr. Brown called at 5 p.m. today. Hello!": ["Dr. Brown called at 5 p.m. today.", "Hello!"],
    "Fees, e.g. for wires, vary. Ask us.": ["Fees, e.g. for wires, vary.", "Ask us."],
    "The rate is 3.5 percent. Fine.": ["The rate is 3.5 percent.", "Fine."],
    "Well... let me see. Yes.": ["Well...", "let me see.", "Yes."],
    "Well… let me see.": ["Well…", "let me see."],
    'She said "Stop." Then she left.': ['She said "Stop."', "Then she left."],
    "(All of it.) Good.": ["(All of it.)", "Good."],
    "Really?! Yes.": ["Really?!", "Yes."],
    "No. I cannot do that.": ["No.", "I cannot do that."],
    "It is me, J. Smith. Hi.": ["It is me, J. Smith.", "Hi."],
    "So do I. Good.": ["So do I.", "Good."],
    "It costs 25. Do you agree?": ["It costs 25.", "Do you agree?"],
    "你好。今天怎么样？好": ["你好。", "今天怎么样？", "好"],
    "without an end": ["without an end"],
}


@pytest.mark.parametrize("text", SENTENCES)
def test_sentences(text: str) -> None:
    assert segments(text) == SENTENCES[text]
    assert segments(*text) == SENTENCES[text], "cut at every character"


MARKUP = {
    "**Bold** and *italic* and __this__ and `code`.": "Bold and italic and this and code.",
    "# Heading\n": "Heading",
    "> quoted\n": "quoted",
    "- first\n": "first",
    "* first\n": "first",
    "See [the fees](https://example.com/fees).": "See the fees.",
    "| a | b |\n": "a b",
    "2 * 3 is 6": "2 * 3 is 6",
    "a snake_case word": "a snake_case word",
    "Done 🎉 now": "Done now",
    "-5 degrees": "-5 degrees",
}


@pytest.mark.parametrize("text", MARKUP)
def test_markup_is_not_read_aloud(text: str) -> None:
    assert speakable(text) == MARKUP[text]


def test_what_cannot_be_spoken_is_no_segment() -> None:
    assert segments("---\n\n** **\n🎉\n```\n") == []


def test_a_list_is_spoken_line_by_line() -> None:
    assert segments("Two accounts:\n- Checking, 5\n- Savings, 7\n") == [
        "Two accounts:",
        "Checking, 5",
        "Savings, 7",
    ]


def test_the_number_of_a_list_stays_with_its_line() -> None:
    assert segments("1. Checking\n2. Savings") == ["1. Checking", "2. Savings"]


def test_a_sentence_goes_out_with_the_blank_after_it() -> None:
    segmenter = Segmenter()
    assert segmenter.feed("Your balance is 25 dollars") == []
    assert segmenter.feed(".") == []
    assert segmenter.feed(" ") == ["Your balance is 25 dollars."]


def test_a_first_clause_goes_out_early_and_only_the_first() -> None:
    segmenter = Segmenter()
    assert segmenter.feed("Thank you for your patience, Alice, and") == [
        "Thank you for your patience,"
    ]
    assert segmenter.feed(" for waiting while I looked it up, your balance is 5.") == []
    assert segmenter.flush() == ["Alice, and for waiting while I looked it up, your balance is 5."]


def test_a_short_first_clause_waits() -> None:
    assert segments("Yes, of course.") == ["Yes, of course."]


def test_text_without_an_end_is_cut_at_a_blank() -> None:
    words = "word " * 200
    cut = segments(words)
    assert all(len(segment) <= MAX_CHARACTERS for segment in cut)
    assert " ".join(cut) == words.strip()


def test_a_sentence_that_comes_whole_is_cut_too() -> None:
    assert all(len(s) <= MAX_CHARACTERS for s in segments("word " * 200 + "end. Next."))


def test_a_word_without_end_is_cut_anyway() -> None:
    assert [len(s) for s in segments("x" * 1000)] == [400, 400, 200]


def test_nothing_is_said_twice_after_a_flush() -> None:
    segmenter = Segmenter()
    segmenter.feed("One.")
    assert segmenter.flush() == ["One."]
    assert segmenter.flush() == []


TEXT = st.text(alphabet="ab.,!?… \n12\"')é…—", max_size=600)


@given(text=TEXT, cuts=st.lists(st.integers(0, 600), max_size=20))
def test_whatever_the_tokens_every_word_is_said_once_and_in_order(
    text: str, cuts: list[int]
) -> None:
    edges = sorted({0, len(text), *(min(cut, len(text)) for cut in cuts)})
    pieces = [text[a:b] for a, b in pairwise(edges)]
    said = segments(*pieces)
    letters = "".join(c for c in text if c.isalnum())
    assert "".join(c for s in said for c in s if c.isalnum()) == letters
    assert all(0 < len(s) <= MAX_CHARACTERS and s == s.strip() for s in said)
