"""Sums of money and counts in words and figures."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.numerals import amount, count, number


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("transfer two hundred dollars", 200),
        ("$1,250.50 please", 1250.50),
        ("put $ 40 there", 40),
        ("move 50 bucks", 50),
        ("one hundred and twenty dollars every month", 120),
        ("a hundred dollars", 100),
        ("a hundred", 100),
        ("one thousand two hundred and five dollars", 1205),
        ("forty five dollars and ten cents", 45.10),
        ("2 thousand dollars", 2000),
        ("in 3 days send 80 dollars", 80),
        ("three hundred", 300),
        ("make it 12.75", 12.75),
    ],
)
def test_amounts(said: str, value: float) -> None:
    assert amount(said) == pytest.approx(value)


@pytest.mark.parametrize("said", ["send some money", "dollars", "", "$", "and a"])
def test_no_amount(said: str) -> None:
    assert amount(said) is None


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("my last five transactions", 5),
        ("the latest 10", 10),
        ("show three transactions", 3),
        ("the last three things I bought", 3),
    ],
)
def test_counts(said: str, value: int) -> None:
    assert count(said, frozenset({"transactions"})) == value


@pytest.mark.parametrize(
    "said",
    [
        "the last four digits",
        "in the last three weeks",
        "a three percent fee",
        "my transactions",
        "zero transactions",
    ],
)
def test_what_counts_something_else(said: str) -> None:
    assert count(said, frozenset({"transactions"})) is None


def test_the_last_five_means_nothing_to_a_tool_without_an_order() -> None:
    assert count("fees on my last two purchases", frozenset({"passages"}), False) is None
    assert count("give me two passages", frozenset({"passages"}), False) == 2


def test_a_number_alone() -> None:
    assert number("seven") == 7
    assert number("make it twenty five please") == 25
    assert number("none of them") is None


@given(st.integers(min_value=1, max_value=999_999))
def test_a_figure_is_its_own_amount(value: int) -> None:
    assert amount(f"pay {value:,} dollars") == value


@given(st.text(max_size=200))
def test_any_text_is_read_without_failing(text: str) -> None:
    for found in (amount(text), number(text), count(text, frozenset())):
        assert found is None or found >= 0
