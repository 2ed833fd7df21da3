"""Amounts, dates and lists, written so that a voice reads them well. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal


def amount(value: Decimal, currency: str = "dollars") -> str:
    """`2,450.67 dollars`; whole amounts without cents."""
    whole = value == value.to_integral_value()
    return f"{value:,.0f} {currency}" if whole else f"{value:,.2f} {currency}"


def day(when: date, today: date) -> str:
    """`today`, `yesterday`, `on November 21st`, or with its year if that is another."""
    days = (today - when).days
    if days in (0, 1):
        return ("today", "yesterday")[days]
    said = f"on {when:%B} {_ordinal(when.day)}"
    return said if when.year == today.year else f"{said}, {when.year}"


def listed(parts: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"


def _ordinal(number: int) -> str:
    if 10 <= number % 100 <= 20:
        return f"{number}th"
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th') }"
