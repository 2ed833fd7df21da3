"""Numbers in words and figures: sums of money, and how many of something. Pure.

Strings of digits, in which every digit counts, are in `digits`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import takewhile

from planner.words import vocabulary

_ONES = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_TEENS = ("ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen")
UNITS = ("zero", *_ONES, *_TEENS, "eighteen", "nineteen")
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
NUMBER_WORDS: dict[str, int] = {word: n for n, word in enumerate(UNITS)} | {
    word: 10 * n for n, word in enumerate(TENS, 2)
}
SCALES = {"hundred": 100, "thousand": 1000}

MONEY_NAMES = vocabulary("dollars dollar bucks buck euros euro pounds")
UNITS_OF_OTHER_THINGS = MONEY_NAMES | vocabulary(
    "percent cents digits numbers days weeks months years hours minutes"
)
_COUNTED = vocabulary("last latest past recent previous first newest top")
_WITHIN = vocabulary("and a")
_TOKEN = re.compile(r"\$|[a-z]+|\d+(?:\.\d+)?", re.I)
_GROUPED = re.compile(r"(?<=\d),(?=\d{3}\b)")


def amount(text: str) -> float | None:
    """A sum of money: "$1,250.50", "two hundred dollars", "50 bucks", "five dollars and ten cents".

    Without a word of money, the first number of the text.
    """
    tokens = _tokens(text)
    if "$" in tokens and (value := _read(tokens[tokens.index("$") + 1 :])) is not None:
        return value
    for n, token in enumerate(tokens):
        if token in MONEY_NAMES and (value := _read_back(tokens[:n])) is not None:
            return value + _cents(tokens[n + 1 :])
    return _first(tokens)


def number(text: str) -> float | None:
    """The first number of a text, in figures or words; None if there is none."""
    return _first(_tokens(text))


def count(text: str, nouns: frozenset[str], newest_first: bool = True) -> int | None:
    """How many of something: "three transactions" where that is a noun, or "the last five".

    `newest_first`: whether "the last five" can mean it.
    """
    tokens = ["", *_tokens(text), ""]
    for before, token, after in zip(tokens, tokens[1:], tokens[2:], strict=False):
        value = _single(token)
        counted = newest_first and before in _COUNTED and after not in UNITS_OF_OTHER_THINGS
        if value and (after in nouns or counted):
            return int(value)
    return None


def _tokens(text: str) -> list[str]:
    return [token.lower() for token in _TOKEN.findall(_GROUPED.sub("", text))]


def _single(token: str) -> float | None:
    """What one word or figure is worth."""
    if token[:1].isdigit():
        return float(token)
    value = NUMBER_WORDS.get(token)
    return None if value is None else float(value)


def _numeric(token: str) -> bool:
    return _single(token) is not None or token in SCALES or token in _WITHIN


def _first(tokens: Sequence[str]) -> float | None:
    for n, token in enumerate(tokens):
        if _numeric(token) and (value := _read(tokens[n:])) is not None:
            return value
    return None


def _read(tokens: Sequence[str]) -> float | None:
    """The number that the tokens begin with."""
    return _value(list(takewhile(_numeric, tokens)))


def _read_back(tokens: Sequence[str]) -> float | None:
    """The number that the tokens end with."""
    return _value(list(takewhile(_numeric, reversed(tokens)))[::-1])


def _cents(tokens: Sequence[str]) -> float:
    """The cents after the dollars: "and twenty cents"."""
    amount = list(takewhile(_numeric, tokens))
    follows = tokens[len(amount) : len(amount) + 1] == ["cents"]
    return (_value(amount) or 0.0) / 100 if follows else 0.0


def _value(tokens: Sequence[str]) -> float | None:
    """The number that words and figures say: "one thousand two hundred and five", "2 hundred"."""
    total = current = 0.0
    seen = False
    for token in tokens:
        if (value := _single(token)) is not None:
            current, seen = current + value, True
        elif token == "hundred":  # noqa: S105
            current, seen = (current or 1) * 100, True
        elif token == "thousand":  # noqa: S105
            total, current, seen = total + (current or 1) * 1000, 0, True
    return total + current if seen else None
