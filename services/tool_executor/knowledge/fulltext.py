"""Exact terms beside the vectors: product codes, names of fees and error codes, which meaning misses.

Sentence vectors hardly tell E-4417 from E-4471. SQLite's FTS5 ranks the passages that hold a
question's rare terms by BM25, and the two orders are fused by reciprocal rank (Cormack, Clarke and
Buettcher 2009). Terms that many passages hold are left to the vectors: with all words of a question,
the fusion finds less of what callers ask in everyday words, not more. `python -m
tests.load.knowledge_eval` prints both.

What is spelt on the phone ("e four four one seven") is read as it is written.
"""

from __future__ import annotations

import re
import sqlite3
import unicodedata
from collections.abc import Iterable, Sequence

RARE_SHARE = 0.005
"""A term is rare that at most this share of the passages hold, or a single one."""
MAX_TERMS = 12
"""Rare terms of a question that are looked up."""
FUSION = 60
"""The constant of reciprocal rank fusion, from the paper."""

_TERM = re.compile(r"[^\W\d_]+|\d+")
_DIGITS = {
    word: str(value)
    for value, word in enumerate(
        ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
    )
}


def terms_of(text: str) -> list[str]:
    """Words and numbers, apart: E-4417, E4417 and "e four four one seven" are `e` and `4417`."""
    found: list[str] = []
    # Without accents, as the index's own tokenizer has them.
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    for word in _TERM.findall(plain.lower()):
        term = _DIGITS.get(word, word)
        if len(term) == 1 and term.isdigit() and found and found[-1].isdigit():
            found[-1] += term
        else:
            found.append(term)
    return found


def fused(*orders: Sequence[int]) -> list[int]:
    """One order of several, each best first: by the sum of their reciprocal ranks."""
    gains: dict[int, float] = {}
    for order in orders:
        for rank, position in enumerate(order, start=1):
            gains[position] = gains.get(position, 0.0) + 1 / (FUSION + rank)
    return sorted(gains, key=lambda position: -gains[position])


class TextIndex:
    """Passages by their terms, in memory; their positions are what is found. Never changes."""

    def __init__(self, texts: Iterable[str]) -> None:
        # Made in a thread and asked by the loop, never by two at once.
        self._connection = sqlite3.connect(":memory:", check_same_thread=False)
        self._connection.execute("CREATE VIRTUAL TABLE passages USING fts5(terms, detail=none)")
        self._connection.execute("CREATE VIRTUAL TABLE held USING fts5vocab(passages, row)")
        rows = [(n, " ".join(terms_of(text))) for n, text in enumerate(texts, start=1)]
        self._connection.executemany("INSERT INTO passages(rowid, terms) VALUES (?, ?)", rows)
        self._most = max(1, int(len(rows) * RARE_SHARE))

    def holding(self, question: str, most: int) -> list[int]:
        """Positions of passages that hold its rare terms, best first; none if it has none."""
        rare = [term for term in dict.fromkeys(terms_of(question)) if self._is_rare(term)]
        if not rare:
            return []
        wanted = " OR ".join(f'"{term}"' for term in rare[:MAX_TERMS])
        rows = self._connection.execute(
            "SELECT rowid FROM passages WHERE passages MATCH ? ORDER BY rank LIMIT ?",
            (wanted, most),
        )
        return [number - 1 for (number,) in rows.fetchall()]

    def close(self) -> None:
        """Release it."""
        self._connection.close()

    def _is_rare(self, term: str) -> bool:
        row = self._connection.execute("SELECT doc FROM held WHERE term = ?", (term,)).fetchone()
        return row is not None and row[0] <= self._most
