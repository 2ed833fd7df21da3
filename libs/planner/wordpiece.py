"""BERT's uncased WordPiece: text to token ids. Pure, and only the encoding half.

The rules are those of the vocabulary's own tokenizer.json: lower case, accents stripped, every
punctuation mark a token, then the longest piece that the vocabulary knows, from the left.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence

CLS, SEP, UNKNOWN = 101, 102, 100
MAX_WORD_CHARACTERS = 100
"""A longer word is one unknown token, as in BERT; it also bounds the search for pieces."""

_WORDS = re.compile(r"[^\W_]+|[^\w\s]|_")


class WordPiece:
    """A vocabulary that splits text into token ids."""

    def __init__(self, vocabulary: Sequence[str], max_tokens: int) -> None:
        """`vocabulary` is in the order of the ids. Texts are cut at `max_tokens`, frame included."""
        self._ids: Mapping[str, int] = {piece: n for n, piece in enumerate(vocabulary)}
        self._max_pieces = max_tokens - 2

    def ids(self, text: str) -> list[int]:
        """The token ids of a text, between CLS and SEP."""
        pieces: list[int] = []
        for word in _WORDS.findall(_plain(text)):
            pieces += self._pieces(word)
            if len(pieces) >= self._max_pieces:
                break
        return [CLS, *pieces[: self._max_pieces], SEP]

    def _pieces(self, word: str) -> list[int]:
        if len(word) > MAX_WORD_CHARACTERS:
            return [UNKNOWN]
        found: list[int] = []
        start = 0
        while start < len(word):
            end = self._longest(word, start)
            if end == start:
                return [UNKNOWN]
            found.append(self._ids[_piece(word, start, end)])
            start = end
        return found

    def _longest(self, word: str, start: int) -> int:
        """The end of the longest known piece that begins at `start`; `start` if there is none."""
        return next(
            (end for end in range(len(word), start, -1) if _piece(word, start, end) in self._ids),
            start,
        )


def _piece(word: str, start: int, end: int) -> str:
    return ("##" if start else "") + word[start:end]


def _plain(text: str) -> str:
    letters = unicodedata.normalize("NFD", text.lower())
    return "".join(c for c in letters if unicodedata.category(c) != "Mn")
