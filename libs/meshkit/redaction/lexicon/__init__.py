"""Which words are used as names, and which are not: lists, read when the first text needs them.

Where they come from is told in `SOURCES.md` beside them. They take some 10 MB in a process that looks
for names without words around them (`meshkit.redaction.unmarked`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

_BEGINNING = 3


class WordSet:
    """A set of words at a tenth of the memory of a frozenset: lines by the first letters of them."""

    def __init__(self, words: Iterable[str]) -> None:
        lines: dict[str, list[str]] = {}
        for word in words:
            lines.setdefault(word[:_BEGINNING], []).append(word)
        self._lines = {first: "\n".join(("", *some, "")) for first, some in lines.items()}

    def __contains__(self, word: str) -> bool:
        return f"\n{word}\n" in self._lines.get(word[:_BEGINNING], "")


@dataclass(frozen=True)
class Lexicon:
    """Sets of words in lower case."""

    ordinary: WordSet
    """Words of English that are written in lower case."""
    given: WordSet
    family: WordSet
    """Parts of family names that are no given names."""
    others: WordSet
    """Words that are capitalised and nobody's name: places, peoples, brands."""
    phrases: re.Pattern[str]
    """Brands and places of several words, some of which are names by themselves."""


@cache
def lexicon() -> Lexicon:
    """The lists, read once."""
    things = _lines("things")
    phrases = "|".join(re.escape(thing) for thing in things if " " in thing)
    return Lexicon(
        WordSet(_lines("words")),
        WordSet(_lines("given")),
        WordSet(_lines("family")),
        WordSet([*_lines("places"), *things]),
        re.compile(rf"\b(?:{phrases})\b", re.I),
    )


def _lines(name: str) -> list[str]:
    return files(__name__).joinpath(f"{name}.txt").read_text(encoding="utf-8").splitlines()
