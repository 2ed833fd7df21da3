"""Personal names in what a recogniser wrote."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.names import MAX_NAME_WORDS, person_name


@pytest.mark.parametrize(
    "said",
    [
        "Hi, my name is Alice Brown and the last four digits are one two three four.",
        "hi my name is alice brown and the last four digits are one two three four",
        "My name's Alice Brown.",
        "the name is alice brown",
        "This is Alice Brown, last four 12 34.",
        "Hello, this is Alice Brown.",
        "I'm Alice Brown and my last four is 1234",
        "it's alice brown one two three four",
        "Alice Brown here, the digits are 1 2 3 4",
        "Alice Brown speaking",
        "Alice Brown, 1234.",
        "Yes, sure. My name is Alice Brown",
        "you should find me under Alice Brown",
        "my full name is Alice Brown calling about my account",
    ],
)
def test_a_name_with_its_surroundings(said: str) -> None:
    assert person_name(said) == "Alice Brown"


@pytest.mark.parametrize(
    "said",
    [
        "alice brown",
        "Alice Brown and the last four are one two three four",
        "um alice brown one two three four",
        "yes it's alice brown",
        "alice brown 1-2-3-4",
        "sure, alice brown",
        "no, Alice Brown",
    ],
)
def test_a_bare_name_once_it_was_asked_for(said: str) -> None:
    assert person_name(said, asked=True) == "Alice Brown"


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("my name is maria de la cruz", "Maria De La Cruz"),
        ("my name is Sean O'Brien", "Sean O'Brien"),
        ("my name is Ronald McDonald", "Ronald McDonald"),
        ("my name is jean-luc picard", "Jean-luc Picard"),
        ("my name is Zoë Müller", "Zoë Müller"),
    ],
)
def test_names_of_many_kinds(said: str, name: str) -> None:
    assert person_name(said) == name


@pytest.mark.parametrize(
    "said",
    [
        "What is the balance of my checking account?",
        "I'm calling about a fee",
        "I am locked out",
        "this is about my account",
        "it's not right",
        "I'm not sure",
        "one two three four",
        "the last four digits are one two three four",
        "thank you goodbye",
        "why do you need that",
        "I don't know",
        "",
    ],
)
@pytest.mark.parametrize("asked", [False, True])
def test_what_is_no_name(said: str, asked: bool) -> None:
    assert person_name(said, asked) is None


def test_unasked_lower_case_words_are_no_name() -> None:
    assert person_name("alice brown") is None
    assert person_name("transfer money") is None


@given(st.text(max_size=200), st.booleans())
def test_any_text_is_read_without_failing(text: str, asked: bool) -> None:
    name = person_name(text, asked)

    assert name is None or 1 <= len(name.split()) <= MAX_NAME_WORDS
