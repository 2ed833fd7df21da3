"""Finds the words that the service names in the text that was given to it. Pure.

The service counts in the SSML document, where escaping moved everything; so words are looked for in
order in the text itself. A word that was spoken otherwise than written ("Dr." as "doctor") is not
there and has no boundary.
"""

from __future__ import annotations

LOOK_AHEAD = 200
"""Code points in which the next word is looked for; further on it is a word of the same spelling."""


class WordFinder:
    """Where the words of one utterance are."""

    def __init__(self, text: str, start: int = 0) -> None:
        """`start`: code point from which `text` is spoken."""
        self._text = text
        self._next = start

    def find(self, word: str) -> int | None:
        """The offset of the next such word in the whole text; None: it is not written there."""
        limit = self._next + LOOK_AHEAD + len(word)
        at = self._text.find(word, self._next, limit) if word else -1
        if at < 0:
            return None
        self._next = at + len(word)
        return at
