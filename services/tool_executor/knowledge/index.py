"""Vectors of passages: kept in a SQLite file by content, searched exactly in memory.

The search is a product of one matrix with the query, by numpy: all passages are compared, none is
missed, and at 10,000 passages of 384 numbers it is a few milliseconds. A vector extension inside
SQLite would compare them all too, and Python's sqlite3 is often built without extensions.

The file is a cache: one that is broken is made anew, and without a folder to write in there is none.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from meshkit.logging import get_logger
from tool_executor.knowledge.fulltext import TextIndex, fused
from tool_executor.knowledge.passages import Passage

logger = get_logger("tool_executor.knowledge")

Vector = npt.NDArray[np.float32]
FUSED = 50
"""Passages of each order that are fused."""

_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS vectors"
    " (model TEXT, digest TEXT, vector BLOB NOT NULL, PRIMARY KEY (model, digest)) WITHOUT ROWID"
)


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage, and how near it is: cosine, 1 at most."""

    passage: Passage
    score: float


class VectorCache:
    """Vectors by model and digest of what was embedded. All methods block: call them in a thread."""

    def __init__(self, file: Path | None) -> None:
        self._file = file

    def load(self, model: str, digests: Iterable[str]) -> dict[str, Vector]:
        """Those that are there."""
        wanted = set(digests)
        try:
            with contextlib.closing(self._open()) as connection, connection:
                rows = connection.execute(
                    "SELECT digest, vector FROM vectors WHERE model = ?", (model,)
                ).fetchall()
        except (sqlite3.Error, OSError) as error:
            self._discard(error)
            return {}
        return {d: np.frombuffer(blob, np.float32) for d, blob in rows if d in wanted}

    def add(self, model: str, vectors: Mapping[str, Vector]) -> None:
        """Keep these of a model too."""
        rows = [(model, digest, vector.tobytes()) for digest, vector in vectors.items()]
        self._change("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)", rows)

    def keep_only(self, model: str, digests: Iterable[str]) -> None:
        """Forget all others of a model."""
        try:
            with contextlib.closing(self._open()) as connection:
                rows = connection.execute("SELECT digest FROM vectors WHERE model = ?", (model,))
                there = {digest for (digest,) in rows.fetchall()}
        except (sqlite3.Error, OSError) as error:
            self._discard(error)
            return
        gone = [(model, digest) for digest in there - set(digests)]
        self._change("DELETE FROM vectors WHERE model = ? AND digest = ?", gone)

    def _change(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        if not rows:
            return
        try:
            with contextlib.closing(self._open()) as connection, connection:
                connection.executemany(statement, rows)
        except (sqlite3.Error, OSError) as error:
            self._discard(error)

    def _open(self) -> sqlite3.Connection:
        if self._file is None:
            return _made(":memory:")
        self._file.parent.mkdir(parents=True, exist_ok=True)
        return _made(str(self._file))

    def _discard(self, error: Exception) -> None:
        logger.warning("index cache not usable; going on without", extra={"cause": str(error)})
        if self._file is not None and isinstance(error, sqlite3.DatabaseError):
            self._file.unlink(missing_ok=True)


def _made(where: str) -> sqlite3.Connection:
    connection = sqlite3.connect(where, timeout=5.0)
    connection.execute(_SCHEMA)
    return connection


class VectorIndex:
    """Passages with their vectors, to be searched. Never changes.

    With `full_text`, those that hold a question's exact terms are ranked higher too.
    """

    def __init__(
        self, passages: Sequence[Passage], vectors: Sequence[Vector], *, full_text: bool = False
    ) -> None:
        self._passages = list(passages)
        self._matrix = _unit(np.stack(vectors)) if vectors else np.zeros((0, 0), np.float32)
        self._collections = np.array([passage.collection for passage in passages])
        self._texts = TextIndex(passage.text for passage in passages) if full_text else None

    def __len__(self) -> int:
        return len(self._passages)

    @property
    def dimensions(self) -> int:
        """Length of the vectors."""
        return int(self._matrix.shape[1])

    @property
    def collections(self) -> list[str]:
        """Names of the collections, sorted."""
        return sorted({passage.collection for passage in self._passages})

    def nearest(
        self, query: Vector, *, question: str = "", collection: str = "", top_k: int = 5
    ) -> list[Hit]:
        """The nearest passages, best first; of one collection, or of all.

        `question` is what the query is the vector of, for its exact terms. Scores are cosines, in
        whatever order.
        """
        if not self._passages:
            return []
        scores = self._matrix @ _unit(query[None, :])[0]
        if collection:
            scores = np.where(self._collections == collection, scores, -np.inf)
        exact = self._texts.holding(question, FUSED) if self._texts and question else []
        order = _best(scores, max(FUSED, top_k) if exact else top_k)
        found = fused(order, exact) if exact else order
        return [
            Hit(self._passages[i], round(float(scores[i]), 4))
            for i in found
            if np.isfinite(scores[i])
        ][:top_k]


def _best(scores: Vector, most: int) -> list[int]:
    """Positions of the highest scores, the highest first."""
    count = min(most, len(scores))
    best = np.argpartition(-scores, count - 1)[:count]
    return [int(i) for i in best[np.argsort(-scores[best], kind="stable")]]


def _unit(vectors: Vector) -> Vector:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: Vector = (vectors / np.maximum(lengths, np.finfo(np.float32).tiny)).astype(np.float32)
    return unit
