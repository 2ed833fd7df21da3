"""Cuts a stream of text into stretches that can be spoken, as soon as each closes. Pure.

A segment ends at the end of a sentence; the first one of an answer may end at a clause, because the
caller waits for it. Markup that a model writes in spite of its prompt is taken out, since it would be
read aloud.
"""

from __future__ import annotations

import re

FIRST_CLAUSE_CHARACTERS = 24
"""A first clause of at least this length may go out at its comma."""
MAX_CHARACTERS = 400
"""Text without any end is cut at the last blank before this."""

_TITLES = ("mr", "mrs", "ms", "dr", "prof", "st", "jr", "sr")
_SHORT = ("vs", "inc", "ltd", "co", "corp", "etc", "approx", "dept", "est", "fig")
_ABBREVIATIONS = frozenset((*_TITLES, *_SHORT, "e.g", "i.e", "a.m", "p.m", "u.s"))
# An end: punctuation, closing quotes or brackets, then a blank (so that 1,250.50 and a.b stay whole).
# Scripts that write no blank after a sentence have marks of their own.
_END = re.compile(r"([.!?…]+)([\"'”’)\]]*)(?=\s)|([。！？]+)|\n")
_CLAUSE = re.compile(r"[,;:—](?=\s)")
_MARKUP = re.compile(
    r"^\s*(?:#+|>|[-+•]|\*)\s+"  # headings, quotes, bullets
    r"|\*+(?=\S)|(?<=\S)\*+"  # bold and italic, but not `2 * 3`
    r"|(?<!\w)_+(?=\w)|(?<=\w)_+(?!\w)"
    r"|`+|\|"
    r"|[\U0001F000-\U0001FAFF\u2600-\u27BF\uFE0F\u200D]",  # emoji
    re.MULTILINE,
)
_LINK = re.compile(r"\[([^\]]+)\]\([^)]*\)")


class Segmenter:
    """Takes text piece by piece; gives the segments that are complete."""

    def __init__(self) -> None:
        self._text = ""
        self._first = True

    def feed(self, text: str) -> list[str]:
        """More text came. The segments that are complete now, possibly none."""
        self._text += text
        ready: list[str] = []
        while (end := self._next_end()) is not None:
            self._cut(end, ready)
        return ready

    def flush(self) -> list[str]:
        """No more text comes. What is left, possibly nothing."""
        ready: list[str] = []
        self._cut(len(self._text), ready)
        return ready

    def _cut(self, end: int, ready: list[str]) -> None:
        spoken = speakable(self._text[:end])
        self._text = self._text[end:]
        if spoken:
            self._first = False
            ready.append(spoken)

    def _next_end(self) -> int | None:
        """Where the next segment ends; None if it has not come yet."""
        end = self._sentence_end()
        if end is None and self._first:
            end = self._first_clause()
        if len(self._text) > MAX_CHARACTERS and (end is None or end > MAX_CHARACTERS):
            return self._text.rfind(" ", 1, MAX_CHARACTERS) + 1 or MAX_CHARACTERS
        return end

    def _sentence_end(self) -> int | None:
        for match in _END.finditer(self._text):
            if match[1] is None or not self._is_abbreviation(match.start(1), match[1]):
                return match.end()
        return None

    def _first_clause(self) -> int | None:
        for match in _CLAUSE.finditer(self._text):
            if match.start() >= FIRST_CLAUSE_CHARACTERS:
                return match.end()
        return None

    def _is_abbreviation(self, stop: int, mark: str) -> bool:
        """A single full stop after an abbreviation, an initial, or the number of a list."""
        if mark != ".":
            return False
        word = re.search(r"[\w.]*$", self._text[:stop])
        before = word.group().lower() if word else ""
        initial = len(before) == 1 and before.isalpha() and before != "i"
        listed = before.isdigit() and not self._text[: stop - len(before)].strip()
        return before in _ABBREVIATIONS or initial or listed


def speakable(text: str) -> str:
    """The text without markup and surplus blanks; empty if nothing of it can be spoken."""
    plain = _MARKUP.sub("", _LINK.sub(r"\1", text))
    plain = " ".join(plain.split())
    return plain if any(character.isalnum() for character in plain) else ""
