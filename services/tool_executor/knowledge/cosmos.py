"""The knowledge base of a deployment: passages with their vectors in a container of Cosmos DB.

The container is partitioned by collection and has a vector policy for `/vector`; another is not
searched. With a folder of passages `prepare` puts into the container what is new, embeds only that,
and takes out what is gone; without one the container is searched as it is. Passages carry the name of
the model that embedded them, so that two models do not mix while one replaces the other.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from meshkit.cosmos import CosmosContainer, CosmosUnavailable
from meshkit.tasks import task_group
from tool_executor.knowledge.index import Hit
from tool_executor.knowledge.passages import Passage
from tool_executor.knowledge.ports import (
    BATCH,
    BATCH_SECONDS,
    Embedder,
    KnowledgeUnavailable,
    Progress,
    embedded,
)

PARTITION = ["/collection"]
VECTOR_PATH = "/vector"
METRIC = "cosine"
MAX_PASSAGES = 1_000_000
COLLECTIONS_SECONDS = 60.0
"""How long the names of collections are believed."""

_NEAREST = (
    "SELECT TOP @most c.collection, c.path, c.title, c.content,"
    " VectorDistance(c.vector, @vector) AS score FROM c WHERE c.model = @model"
    " ORDER BY VectorDistance(c.vector, @vector)"
)
_COLLECTIONS = "SELECT DISTINCT VALUE c.collection FROM c WHERE c.model = @model"
_THERE = "SELECT c.id, c.collection FROM c WHERE c.model = @model"


class CosmosKnowledge:
    """Searches passages in a container by meaning. `read`: the passages it is to hold, if known here.

    `question_seconds`: time for embedding a question; the search has that of the container.
    """

    source = "cosmos_vector"
    """What the result names as its source."""

    def __init__(
        self,
        container: CosmosContainer,
        embedder: Embedder,
        read: Callable[[], list[Passage]] | None,
        *,
        question_seconds: float = 3.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._container, self._embedder, self._read = container, embedder, read
        self._question_seconds, self._monotonic = question_seconds, monotonic
        self._known: tuple[float, list[str]] | None = None
        self._checked = False

    async def prepare(self, progress: Progress = lambda done, total: None) -> Sequence[str]:
        """Bring the container in step with the folder, if there is one; the passages' ids.

        `progress` is told how many of the passages that had to be embedded are. Raises
        KnowledgeUnavailable, CorpusInvalid.
        """
        with _told():
            await self._check()
            there = await self._there()
            if self._read is None:
                return list(there)
            passages = await asyncio.to_thread(self._read)
            wanted = {self._id(passage): passage for passage in passages}
            missing = {key: one for key, one in wanted.items() if key not in there}
            async for batch in self._in_batches(missing, progress):
                async with task_group() as tasks:
                    for document in batch:
                        tasks.create_task(self._container.upsert(document))
            for key in there.keys() - wanted.keys():
                await self._container.delete(key, [there[key]])
            self._known = None
            return list(wanted)

    async def search(self, query: str, *, collection: str = "", top_k: int = 5) -> list[Hit]:
        """The passages nearest to a question, best first. Raises KnowledgeUnavailable.

        `collection` empty: all. One that is not there has no passages.
        """
        (vector,) = await embedded(self._embedder, [query], self._question_seconds)
        parameters = {"@most": top_k, "@model": self._embedder.model, "@vector": vector.tolist()}
        partition = [collection] if collection else None
        with _told():
            await self._check()
            found = await self._container.find(
                _NEAREST, parameters, most=top_k, partition=partition
            )
        return [_hit(one) for one in found]

    async def collections(self) -> list[str]:
        """Names of the collections, as of the last minute. Raises KnowledgeUnavailable."""
        now = self._monotonic()
        if self._known is None or now - self._known[0] > COLLECTIONS_SECONDS:
            with _told():
                found = await self._container.find(
                    _COLLECTIONS, {"@model": self._embedder.model}, most=MAX_PASSAGES
                )
            self._known = now, sorted(found)
        return self._known[1]

    async def aclose(self) -> None:
        """Close the container."""
        await self._container.aclose()

    async def _there(self) -> dict[str, str]:
        """Id to collection of what the container holds of this model."""
        found = await self._container.find(
            _THERE, {"@model": self._embedder.model}, most=MAX_PASSAGES
        )
        return {one["id"]: one["collection"] for one in found}

    async def _in_batches(
        self, missing: Mapping[str, Passage], progress: Progress
    ) -> AsyncIterator[list[dict[str, Any]]]:
        """Documents, a batch at a time, so that what breaks off need not begin anew."""
        keys = list(missing)
        for start in range(0, len(keys), BATCH):
            progress(start, len(keys))
            batch = keys[start : start + BATCH]
            texts = [missing[key].text for key in batch]
            vectors = await embedded(self._embedder, texts, BATCH_SECONDS)
            yield [
                self._document(key, missing[key]) | {"vector": vector.tolist()}
                for key, vector in zip(batch, vectors, strict=True)
            ]

    def _document(self, key: str, passage: Passage) -> dict[str, Any]:
        return {
            "id": key,
            "model": self._embedder.model,
            "collection": passage.collection,
            "path": passage.path,
            "title": passage.title,
            "content": passage.content,
        }

    def _id(self, passage: Passage) -> str:
        """The same while the passage is the same, where it is and for this model."""
        parts = (self._embedder.model, passage.collection, passage.path, passage.digest)
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:40]

    async def _check(self) -> None:
        """What the container says of vectors decides what a score means."""
        if self._checked:
            return
        found = await self._container.properties()
        if found["partitionKey"]["paths"] != PARTITION:
            raise CosmosUnavailable(f"{self._container.place}: is not partitioned by /collection")
        policy = found.get("vectorEmbeddingPolicy") or {}
        metrics = {
            one["path"]: one["distanceFunction"] for one in policy.get("vectorEmbeddings", ())
        }
        if metrics.get(VECTOR_PATH) != METRIC:
            raise CosmosUnavailable(
                f"{self._container.place}: has no vector policy for {VECTOR_PATH} by {METRIC}"
            )
        self._checked = True


def _hit(found: Mapping[str, Any]) -> Hit:
    """Raises KnowledgeUnavailable for a passage that cannot be compared with the question."""
    if "score" not in found:
        raise KnowledgeUnavailable("the embedding model changed its dimensions; ingest again")
    passage = Passage(found["collection"], found["path"], found["title"], found["content"])
    return Hit(passage, round(float(found["score"]), 4))


@contextmanager
def _told() -> Iterator[None]:
    """Failures as the knowledge base's own."""
    try:
        yield
    except CosmosUnavailable as error:
        raise KnowledgeUnavailable(str(error)) from None
