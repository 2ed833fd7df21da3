"""Cuts text into what is synthesised at a time. Pure.

The first clause comes alone, so that the caller hears something soon; after it, sentences whole,
as a voice needs the sentence for its melody. Numbers (1,250.50), lists of digits (4, 8, 2, 7) and
abbreviations (Dr. Smith, 9 a.m.) are left in one piece.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

FIRST_CLAUSE_CHARACTERS = 8
"""A first clause shorter than this is not worth a pause of its own."""
LONGEST_PHRASE_CHARACTERS = 300
"""About 20 seconds of speech. Longer sentences are cut, so that no piece of work is without end."""

_CLOSERS = r"[\"'”’)\]]*"
_SENTENCE_END = re.compile(rf"[.!?…]+{_CLOSERS}\s+(?=\S)|\n+\s*")
_CLAUSE_END = re.compile(rf"[,;:]{_CLOSERS}\s+(?=\S)|\s+[–—-]\s+|—")
_SPACE = re.compile(r"\s+")
_ABBREVIATIONS = frozenset(
    ("mr", "mrs", "ms", "dr", "prof", "st", "sr", "jr", "vs", "etc", "approx", "dept", "ext")
)
_NUMBERED = frozenset(
    ("no", "nos", "acct", "fig", "jan", "feb", "aug", "sept", "oct", "nov", "dec")
)
"""Abbreviations only before a number; `No.` is an answer otherwise."""
_LETTERED = re.compile(r"(?:[A-Za-z]\.)+[A-Za-z]?$")
"""e.g, i.e, a.m, U.S: letters with periods between, the last period not counted."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """A stretch of text to be spoken in one piece."""

    text: str
    offset: int
    """Where it starts, in code points of the whole text."""


def phrases(text: str, start: int = 0) -> Iterator[Phrase]:
    """The phrases of `text` from code point `start` on, without the white space between them."""
    first = True
    while start < len(text):
        end = _phrase_end(text, start, first=first)
        piece = text[start:end]
        if spoken := piece.strip():
            yield Phrase(spoken, start + len(piece) - len(piece.lstrip()))
            first = False
        start = end


def _phrase_end(text: str, start: int, *, first: bool) -> int:
    limit = min(len(text), start + LONGEST_PHRASE_CHARACTERS)
    end = _sentence_end(text, start, limit)
    if first:
        clause = _clause_end(text, start + _indent(text, start) + FIRST_CLAUSE_CHARACTERS, end)
        return clause or end or _cut(text, start, limit)
    return end or _cut(text, start, limit)


def _indent(text: str, start: int) -> int:
    space = _SPACE.match(text, start)
    return space.end() - start if space else 0


def _sentence_end(text: str, start: int, limit: int) -> int | None:
    """Where the sentence after the one at `start` begins; None: beyond `limit`."""
    for match in _SENTENCE_END.finditer(text, start, limit):
        if _ends_sentence(text, start, match):
            return match.end()
    return len(text) if limit == len(text) else None


def _ends_sentence(text: str, start: int, match: re.Match[str]) -> bool:
    mark, following = text[match.start()], text[match.end() : match.end() + 1]
    if mark != ".":
        return True
    if following.islower():
        return False
    word = re.split(r"[\s(\[\"'“‘]", text[start : match.start()])[-1]
    if word.lower() in _ABBREVIATIONS or (word.lower() in _NUMBERED and following.isdigit()):
        return False
    # An initial (J. Smith) goes on; so does "9 a.m. Monday", at worst a longer phrase.
    return not (len(word) == 1 and word.isupper()) and not _LETTERED.fullmatch(word)


def _clause_end(text: str, earliest: int, limit: int | None) -> int | None:
    """Where the clause after the first one begins, if that is before `limit`."""
    for match in _CLAUSE_END.finditer(text, earliest, limit or len(text)):
        before, after = text[match.start() - 1], text[match.end() : match.end() + 1]
        if not (before.isdigit() and after.isdigit()):
            return match.end()
    return None


def _cut(text: str, start: int, limit: int) -> int:
    """Where to cut a sentence that is too long: after a clause, else a word, else anywhere."""
    if limit == len(text):
        return limit
    half = start + LONGEST_PHRASE_CHARACTERS // 2
    for pattern in (_CLAUSE_END, _SPACE):
        ends = [match.end() for match in pattern.finditer(text, half, limit)]
        if ends:
            return ends[-1]
    return limit
