"""Digit strings in what a recogniser wrote."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.digits import digit_string, digits_heard
from planner.numerals import UNITS

FOUR = (4, 4)


@pytest.mark.parametrize(
    "said",
    [
        "one two three four",
        "one, two, three, four.",
        "1-2-3-4",
        "12 34",
        "1 2 3 4",
        "1,2,3,4",
        "1234.",
        "1,234",
        "one 2 three 4",
        "twelve thirty four",
        "one two three for",
        "one to three four",
        "won two three four",
        "the last four digits are one two three four",
        "the last for digits are 1 2 3 4",
        "last four one two three four",
        "my last 4 are 1234 thanks",
        "one and two and three and four",
        "one uh two um three four",
        "zero one no wait, one two three four",
    ],
)
def test_four_digits_however_they_are_said(said: str) -> None:
    assert digit_string(said, *FOUR) == "1234"


@pytest.mark.parametrize(
    ("said", "digits"),
    [
        ("double two one oh", "2210"),
        ("triple seven five", "7775"),
        ("four four two one", "4421"),
        ("last four four four two one", "4421"),
        ("twenty twenty six", "2026"),
        ("nine oh oh nine", "9009"),
        ("o one two three", None),
        ("forty two forty", "4240"),
    ],
)
def test_doubles_zeros_and_tens(said: str, digits: str | None) -> None:
    assert digit_string(said, *FOUR) == digits


@pytest.mark.parametrize(
    "said",
    [
        "one two three",
        "one two three four five",
        "my last four",
        "transfer 1200 dollars",
        "it was $1234 in all",
        "I waited 1440 minutes",
        "hello",
        "",
    ],
)
def test_what_is_no_string_of_four_digits(said: str) -> None:
    assert digit_string(said, *FOUR) is None


def test_of_an_unknown_length_three_are_the_least() -> None:
    assert digit_string("my client number is 7 7 1") == "771"
    assert digit_string("I have two accounts") is None
    assert digit_string("the last five transactions") is None


def test_a_correction_is_the_last_string() -> None:
    assert digit_string("one two three four, sorry, five six seven eight", *FOUR) == "5678"


def test_how_many_digits_were_heard() -> None:
    assert digits_heard("it's one two three") == 3
    assert digits_heard("the last four digits") == 0
    assert digits_heard("no") == 0


@given(st.text(alphabet="0123456789", min_size=3, max_size=12), st.sampled_from([" ", ", ", "-"]))
def test_spelled_digits_come_back(digits: str, between: str) -> None:
    spelled = between.join(UNITS[int(digit)] for digit in digits)

    assert digit_string(f"it is {spelled}", len(digits), len(digits)) == digits


@given(st.text(max_size=200))
def test_any_text_is_read_without_failing(text: str) -> None:
    found = digit_string(text, 1, 20)

    assert found is None or found.isdigit()
