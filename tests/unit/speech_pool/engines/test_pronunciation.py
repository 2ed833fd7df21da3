"""Pronunciation: what voices read wrongly is written out, the rest is left alone."""

from __future__ import annotations

import pytest

from speech_pool.engines.pronunciation import written_out


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Write to jo.smith@example.com now.", "Write to jo dot smith at example dot com now."),
        ("See https://www.example.com.", "See www dot example dot com."),
        ("Your id is AB12CD.", "Your id is A B 1 2 C D."),
        ("Ticket TX-4471 is open", "Ticket T X 4 4 7 1 is open"),
        ("Dial 0207946", "Dial 0 2 0 7 9 4 6"),
        ("The code is 482913.", "The code is 4 8 2 9 1 3."),
        ("PIN 0042 it is", "PIN 0 0 4 2 it is"),
        ("Your IBAN, please", "Your I ban, please"),
    ],
)
def test_identifiers_addresses_and_numbers_are_spelled(text: str, expected: str) -> None:
    assert written_out(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "It is $1,250.50 as of March 5th, 2026.",
        "It is $1250000 in all",
        "A transfer of 250000 dollars",
        "At 09:30 or 9:30 AM",
        "Rates are 0.5% and 4.1%",
        "On 03/05/2026",
        "The 1ST and the 2nd",
        "Form W2 and 4K and 5G",
        "The FDIC and an ATM",
        "In 2026 we had 12500 visits",
        "e.g. this",
    ],
)
def test_amounts_dates_and_words_are_left_to_the_voice(text: str) -> None:
    assert written_out(text) == text
