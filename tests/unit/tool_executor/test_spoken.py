"""Amounts, days and lists for a voice."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest

from tool_executor.spoken import amount, day, listed

TODAY = date(2026, 11, 24)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("2450.67", "2,450.67 dollars"),
        ("412.00", "412 dollars"),
        ("0.5", "0.50 dollars"),
        ("1000000", "1,000,000 dollars"),
        ("-12.3", "-12.30 dollars"),
        ("0", "0 dollars"),
    ],
)
def test_amounts(value: str, said: str) -> None:
    assert amount(Decimal(value)) == said


def test_other_currencies() -> None:
    assert amount(Decimal("379.04"), "euros") == "379.04 euros"


@pytest.mark.parametrize(
    ("days_ago", "said"),
    [
        (0, "today"),
        (1, "yesterday"),
        (2, "on November 22nd"),
        (3, "on November 21st"),
        (11, "on November 13th"),
        (12, "on November 12th"),
        (21, "on November 3rd"),
        (365, "on November 24th, 2025"),
    ],
)
def test_days(days_ago: int, said: str) -> None:
    assert day(TODAY - timedelta(days=days_ago), TODAY) == said


def test_lists() -> None:
    assert [listed(parts) for parts in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == [
        "",
        "a",
        "a and b",
        "a, b and c",
    ]
