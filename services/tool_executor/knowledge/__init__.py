"""The knowledge base: passages, embedded once, found by meaning.

`passages` makes them from Markdown, `index` keeps and searches their vectors, `fulltext` finds exact
terms beside them; here they meet what embeds, in one process. `cosmos` does the same in Cosmos DB,
behind the port in `ports`. Nothing is embedded twice: vectors are kept by content, so that a changed
document costs only its own passages.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path

from tool_executor.knowledge.index import Hit, Vector, VectorCache, VectorIndex
from tool_executor.knowledge.passages import CorpusInvalid, Passage, read_corpus, shipped_corpus
from tool_executor.knowledge.ports import (
    BATCH,
    BATCH_SECONDS,
    Embedder,
    Knowledge,
    KnowledgeUnavailable,
    Progress,
    embedded,
)

__all__ = [
    "CorpusInvalid",
    "Embedder",
    "Hit",
    "Knowledge",
    "KnowledgeBase",
    "KnowledgeUnavailable",
    "Passage",
    "read_corpus",
    "shipped_corpus",
]


class KnowledgeBase:
    """Searches a corpus by meaning; with `full_text`, by exact terms beside it. The index is made at
    the first need, or by `prepare`."""

    source = "local_vector"
    """What the result names as its source."""

    def __init__(
        self,
        read: Callable[[], list[Passage]],
        embedder: Embedder,
        cache_file: Path | None,
        *,
        question_seconds: float = 3.0,
        full_text: bool = False,
    ) -> None:
        self._read, self._embedder, self._full_text = read, embedder, full_text
        self._question_seconds = question_seconds
        self._cache = VectorCache(cache_file)
        self._index: VectorIndex | None = None
        self._making = asyncio.Lock()

    async def prepare(self, progress: Progress = lambda done, total: None) -> VectorIndex:
        """Make the index, unless it is made. Raises KnowledgeUnavailable, CorpusInvalid.

        `progress` is told how many of the passages that had to be embedded are.
        """
        async with self._making:
            if self._index is None:
                self._index = await self._make(progress)
            return self._index

    async def search(self, query: str, *, collection: str = "", top_k: int = 5) -> list[Hit]:
        """The passages nearest to a question, best first. Raises KnowledgeUnavailable.

        `collection` empty: all. One that is not there has no passages.
        """
        index = self._index or await self.prepare()
        vector = (await self._vectors([query], self._question_seconds))[0]
        if len(vector) != index.dimensions:
            self._index = None  # the model behind the name is another one now
            raise KnowledgeUnavailable("the embedding model changed; the index is made anew")
        return index.nearest(vector, question=query, collection=collection, top_k=top_k)

    async def collections(self) -> list[str]:
        """Names of the collections. Raises KnowledgeUnavailable."""
        return (self._index or await self.prepare()).collections

    async def aclose(self) -> None:
        """Nothing is held but memory."""

    async def _make(self, progress: Progress) -> VectorIndex:
        passages = await asyncio.to_thread(self._read)
        model, digests = self._embedder.model, [passage.digest for passage in passages]
        known = await asyncio.to_thread(self._cache.load, model, digests)
        if len(await self._dimensions(known)) > 1:
            known = {}
        missing = {p.digest: p.text for p in passages if p.digest not in known}
        async for batch in self._in_batches(missing, progress):
            known |= batch
            await asyncio.to_thread(self._cache.add, model, batch)
        await asyncio.to_thread(self._cache.keep_only, model, known)
        vectors = [known[digest] for digest in digests]
        return await asyncio.to_thread(VectorIndex, passages, vectors, full_text=self._full_text)

    async def _dimensions(self, known: dict[str, Vector]) -> set[int]:
        """The lengths of the vectors at hand and of what the model gives now."""
        if not known:
            return set()
        probe = (await self._vectors(["dimension"], BATCH_SECONDS))[0]
        return {len(probe), *(len(vector) for vector in known.values())}

    async def _in_batches(
        self, missing: Mapping[str, str], progress: Progress
    ) -> AsyncIterator[dict[str, Vector]]:
        """Vectors by digest, a batch at a time, so that what breaks off need not begin anew."""
        digests = list(missing)
        for start in range(0, len(digests), BATCH):
            progress(start, len(digests))
            batch = digests[start : start + BATCH]
            vectors = await self._vectors([missing[digest] for digest in batch], BATCH_SECONDS)
            yield dict(zip(batch, vectors, strict=True))

    async def _vectors(self, texts: Sequence[str], seconds: float) -> list[Vector]:
        return await embedded(self._embedder, texts, seconds)
