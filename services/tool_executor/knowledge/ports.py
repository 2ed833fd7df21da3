"""What a knowledge base is, what it needs of whoever embeds, and how it fails."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Sized
from typing import Protocol

import numpy as np

from tool_executor.knowledge.index import Hit, Vector

BATCH = 32
"""Passages embedded by one request."""
BATCH_SECONDS = 30.0
"""Time for such a request; nobody waits on the line for it."""

Progress = Callable[[int, int], None]
"""Told how many are done, and of how many."""


class KnowledgeUnavailable(Exception):
    """The knowledge base cannot answer now. The message is for logs."""


class Embedder(Protocol):
    """What turns texts into vectors."""

    @property
    def model(self) -> str:
        """Name of the model; vectors of two models are never compared."""
        ...

    async def embed(self, texts: Sequence[str], seconds: float) -> Sequence[Sequence[float]]:
        """One vector a text, in order, within so long. Raises KnowledgeUnavailable."""
        ...


class Knowledge(Protocol):
    """Passages, found by meaning."""

    source: str
    """What results name as their source."""

    async def prepare(self, progress: Progress = ...) -> Sized:
        """Be ready to be searched; the passages. Raises KnowledgeUnavailable, CorpusInvalid."""
        ...

    async def search(self, query: str, *, collection: str = "", top_k: int = 5) -> list[Hit]:
        """The passages nearest to a question, best first. Raises KnowledgeUnavailable."""
        ...

    async def collections(self) -> list[str]:
        """Names of the collections. Raises KnowledgeUnavailable."""
        ...

    async def aclose(self) -> None:
        """Release what it holds."""
        ...


async def embedded(embedder: Embedder, texts: Sequence[str], seconds: float) -> list[Vector]:
    """The vectors of texts. Raises KnowledgeUnavailable, also where some were left out."""
    vectors = await embedder.embed(texts, seconds)
    if len(vectors) != len(texts):
        raise KnowledgeUnavailable("the embeddings endpoint left texts out")
    return [np.asarray(vector, np.float32) for vector in vectors]
