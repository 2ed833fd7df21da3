"""Digits that are said as words: "four two one seven", "double five", "neun null zwei". Pure."""

from __future__ import annotations

import re

_DIGIT = r"(?:zero|oh|o|nought|one|two|three|four|five|six|seven|eight|nine|niner)"
_TENS = (
    r"(?:ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen|twenty|"
    r"thirty|forty|fifty|sixty|seventy|eighty|ninety)"
)
ORDINAL = (
    r"(?:(?:twenty|thirty)[ -])?(?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth)|"
    r"tenth|eleventh|twelfth|thirteenth|fourteenth|fifteenth|sixteenth|seventeenth|eighteenth|"
    r"nineteenth|twentieth|thirtieth"
)
"""A day of a month as words."""
_OTHER = (
    r"(?:null|eins|zwei|zwo|drei|vier|fünf|sechs|sieben|acht|neun"  # German
    r"|cero|uno|dos|tres|cuatro|cinco|seis|siete|ocho|nueve"  # Spanish
    r"|zéro|un|deux|trois|quatre|cinq|sept|huit|neuf)"  # French; `six` is English too
)
_WORD = rf"(?:(?:double|triple|treble)[ -])?(?:{_DIGIT}|{_TENS}|{_OTHER}|\d)\b"
_GAP = r"(?:[\s,.;-]+(?:(?:and then|then|dash|hyphen|um|uh|er)[\s,.]+)?)"
# An amount, a time or a count is no code: "two hundred", "five thirty p.m.", "three of them".
_NO_CODE = r"(?![\s-]+(?:hundred|thousand|million|percent|dollars|euros|o'clock|a\.?m\b|p\.?m\b))"


def _run(least: int) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w-]){_WORD}(?:{_GAP}{_WORD}){{{least - 1},}}{_NO_CODE}", re.I)


_FOUR, _THREE = _run(4), _run(3)
_REPEATED = re.compile(
    rf"\b(?:double|triple|treble)[ -]{_WORD}(?:{_GAP}{_WORD}){{2,}}{_NO_CODE}", re.I
)
_ANY_WORD = re.compile(rf"\b(?:{_DIGIT}|{_TENS}|{_OTHER})\b", re.I)

SPOKEN_NUMBER = rf"{_WORD}(?:{_GAP}{_WORD})+"
"""A number as words, for patterns that find it by what stands before it."""


_STEMS = (
    *(
        "zero",
        "oh",
        "nought",
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
    ),
    *("ten", "eleven", "twel", "thirt", "fift", "twenty", "null", "eins", "zwei", "zwo", "drei"),
    *("vier", "fünf", "sechs", "sieb", "acht", "neun", "cero", "uno", "dos", "tres", "cuatro"),
    *("cinco", "seis", "siete", "ocho", "nueve", "zéro", "deux", "trois", "quatre", "cinq", "sept"),
    *("huit", "neuf", " o ", " un "),
)


def without_spoken(text: str, *, said: bool) -> str:
    """The text with runs of number words as `[number]`: of four words, or of three if `said`."""
    low = text.lower()
    if not any(stem in low for stem in _STEMS):
        return text

    def instead(found: re.Match[str]) -> str:
        return "[number]" if _ANY_WORD.search(found[0]) else found[0]

    return (_THREE if said else _FOUR).sub(instead, _REPEATED.sub("[number]", text))
