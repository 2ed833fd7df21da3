"""Strings of digits as people say them and recognisers write them. Pure.

"one two three four", "1-2-3-4", "12 34", "twelve thirty four", "double two one oh", and "one two
three for", where a like-sounding word completes the length.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

from planner.numerals import NUMBER_WORDS, SCALES, TENS, UNITS, UNITS_OF_OTHER_THINGS
from planner.words import vocabulary

MIN_DIGITS = 3
"""A digit string of unknown length has at least so many: fewer are counts."""
MAX_DIGITS = 20

_REPEATS = {"double": 2, "triple": 3}
_ZEROS = vocabulary("oh o")
_SOUND_ALIKES = {"to": "2", "too": "2", "for": "4", "won": "1", "ate": "8"}
_JOINERS = vocabulary("and um uh then")
_LABEL = re.compile(r"\b(last|final) (four|for|4)\b( digits| numbers| digit)?", re.I)
"""Talks about the digits, and must not be taken for one of them."""
_TOKEN = re.compile(r"\$|[a-z']+|\d+", re.I)


@dataclass(slots=True)
class _Run:
    """Neighbouring words that may be one digit string."""

    pieces: list[str] = field(default_factory=list)
    sure: list[bool] = field(default_factory=list)
    last_word: str = ""
    other: bool = False
    """Whether it counts something: money, percent, days."""

    def add(self, digits: str, word: str, sure: bool = True) -> None:
        if self.last_word in TENS and word in UNITS[1:10]:
            self.pieces[-1] = self.pieces[-1][:-1] + digits  # "thirty four" is 34, not 304
        else:
            self.pieces.append(digits)
            self.sure.append(sure)
        self.last_word = word

    def certain(self) -> str:
        return "".join(p for p, sure in zip(self.pieces, self.sure, strict=True) if sure)

    def likely(self) -> str:
        return "".join(self.pieces)


def digit_string(text: str, shortest: int = MIN_DIGITS, longest: int = MAX_DIGITS) -> str | None:
    """The digit string in a text, of a length within the bounds; the last one if there are more."""
    runs = _runs(text)
    readings: tuple[Callable[[_Run], str], ...] = (_Run.certain, _Run.likely)
    for reading in readings:
        fitting = [d for run in runs if shortest <= len(d := reading(run)) <= longest]
        if fitting:
            return fitting[-1]
    return None


def without_label(text: str) -> str:
    """The text without the words that talk about digits, such as "last four digits"."""
    return _LABEL.sub(" ", text)


def digits_heard(text: str) -> int:
    """How many digits the longest digit string of a text has: to say what is missing."""
    return max((len(run.certain()) for run in _runs(text)), default=0)


def _runs(text: str) -> list[_Run]:
    runs, repeat, before = [_Run()], 1, ""
    tokens = [*_TOKEN.findall(without_label(text).lower()), ""]
    for token, after in pairwise(tokens):
        run = runs[-1]
        digits = _digits(token, bool(run.pieces))
        if token in _REPEATS:
            repeat = _REPEATS[token]
        elif digits:
            run.add(digits * repeat, token)
            run.other = run.other or before == "$"
            repeat = 1
        elif token in _SOUND_ALIKES and (run.pieces or _digits(after, True)):
            run.add(_SOUND_ALIKES[token], token, sure=False)
        elif token not in _JOINERS and run.pieces:
            run.other = run.other or token in UNITS_OF_OTHER_THINGS or token in SCALES
            runs.append(_Run())
        before = token
    return [run for run in runs if run.pieces and not run.other]


def _digits(token: str, within: bool) -> str:
    """The digits of a token; "oh" is a zero only within a string."""
    if token.isdigit():
        return token
    if token in _ZEROS:
        return "0" if within else ""
    value = NUMBER_WORDS.get(token)
    return "" if value is None else str(value)
