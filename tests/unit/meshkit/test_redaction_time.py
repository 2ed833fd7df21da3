"""No text makes redaction slow: a caller or a peer may choose what is in it."""

from __future__ import annotations

import time

import pytest

from meshkit.redaction import redact, redact_said

SIZE = 8000
UNITS = (
    *(
        "[",
        "a",
        "1",
        "one ",
        "Abcd ",
        "a.",
        "a-",
        " ",
        "1 ",
        "a:",
        "aB1",
        "code ",
        "account is my ",
    ),
    *("a@", ":", "a_", "http://", "x-", "'", "eyJ", "A", "sessions/a/", "abc123", "one-", "dot a "),
    *(
        "1.2.",
        "my name is ",
        "born on ",
        "+1 (",
        "input: '",
        "Mr ",
        "DE12",
        "password=",
        "@",
        "//:",
    ),
    *(
        "at ",
        "a at ",
        "A-",
        "Abc, ",
        "12 ",
        "1 Ab ",
        "a, ",
        "nine ",
        "the first of ",
        "-u a",
        "key ",
    ),
    *("a%40", "Mr A. ", "code A1", "born is ", "1.1.", "2000 to ", "may ", "double ", "at dot "),
)


@pytest.mark.parametrize("unit", UNITS)
def test_the_worst_text_takes_no_quadratic_time(unit: str) -> None:
    text = (unit * SIZE)[:SIZE]
    began = time.process_time()
    redact(text)
    redact_said(text)
    # Linear patterns need some 20 ms; one quadratic pattern took over a second.
    assert time.process_time() - began < 0.5
