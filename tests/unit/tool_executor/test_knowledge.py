"""The index: exact search, and vectors that are kept by content."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from tests.support.embeddings_endpoint import bag_of_stems
from tool_executor.knowledge import KnowledgeBase, KnowledgeUnavailable, Passage
from tool_executor.knowledge.index import VectorCache, VectorIndex


class Embedder:
    """Counts what it embeds."""

    def __init__(self, model: str = "bag", dimensions: int = 64) -> None:
        self._model, self.dimensions = model, dimensions
        self.texts: list[str] = []
        self.down = self.short = False

    @property
    def model(self) -> str:
        return self._model

    async def embed(self, texts: Sequence[str], seconds: float) -> list[list[float]]:
        await asyncio.sleep(0)
        if self.down:
            raise KnowledgeUnavailable("down")
        self.texts += texts
        vectors = [bag_of_stems(text, self.dimensions) for text in texts]
        return vectors[:-1] if self.short else vectors


def passage(title: str, collection: str = "faq") -> Passage:
    return Passage(collection, "f.md", title, f"{title} content.")


CORPUS = [passage("apple"), passage("banana"), passage("cherry", "policies")]


def base(embedder: Embedder, file: Path | None, corpus: list[Passage] = CORPUS) -> KnowledgeBase:
    return KnowledgeBase(lambda: corpus, embedder, file)


def test_exact_search_agrees_with_comparing_all() -> None:
    random = np.random.default_rng(7)
    vectors = random.standard_normal((500, 32)).astype(np.float32)
    passages = [passage(f"p{n}", "even" if n % 2 == 0 else "odd") for n in range(500)]
    index = VectorIndex(passages, list(vectors))
    query = random.standard_normal(32).astype(np.float32)

    def cosine(n: int) -> float:
        lengths = np.linalg.norm(vectors[n]) * np.linalg.norm(query)
        return float(vectors[n] @ query / lengths)

    by_hand = sorted(range(500), key=cosine, reverse=True)
    found = index.nearest(query, top_k=7)
    assert [hit.passage.title for hit in found] == [f"p{n}" for n in by_hand[:7]]
    assert found[0].score == pytest.approx(cosine(by_hand[0]), abs=1e-4)
    odd = [n for n in by_hand if n % 2]
    some = index.nearest(query, collection="odd", top_k=3)
    assert [hit.passage.title for hit in some] == [f"p{n}" for n in odd[:3]]


def test_fewer_than_asked_for_and_none() -> None:
    index = VectorIndex(CORPUS, [np.eye(3, dtype=np.float32)[n] for n in range(3)])
    query = np.array([1, 0.5, 0], np.float32)
    assert len(index.nearest(query, top_k=10)) == 3
    assert len(index.nearest(query, collection="policies", top_k=10)) == 1
    assert index.nearest(query, collection="none", top_k=10) == []
    assert VectorIndex([], []).nearest(query) == []
    assert index.nearest(np.zeros(3, np.float32))[0].score == 0


async def test_nothing_is_embedded_twice(tmp_path: Path) -> None:
    file = tmp_path / "index.sqlite3"
    first = Embedder()
    await base(first, file).prepare()
    assert len(first.texts) == 3

    again = Embedder()
    hits = await base(again, file).search("banana", top_k=1)
    assert hits[0].passage.title == "banana"
    assert again.texts == ["dimension", "banana"]


async def test_a_changed_passage_costs_only_itself(tmp_path: Path) -> None:
    file = tmp_path / "index.sqlite3"
    await base(Embedder(), file).prepare()
    changed = [CORPUS[0], passage("blueberry"), CORPUS[2]]
    embedder = Embedder()
    await base(embedder, file, changed).prepare()
    assert embedder.texts == ["dimension", "blueberry. blueberry content."]
    digests = [p.digest for p in CORPUS]
    kept = VectorCache(file).load("bag", digests)
    assert set(kept) == {CORPUS[0].digest, CORPUS[2].digest}


async def test_models_do_not_mix(tmp_path: Path) -> None:
    file = tmp_path / "index.sqlite3"
    await base(Embedder("one"), file).prepare()
    other = Embedder("two")
    await base(other, file).prepare()
    assert len(other.texts) == 3


async def test_a_model_that_became_another_under_its_name(tmp_path: Path) -> None:
    file = tmp_path / "index.sqlite3"
    await base(Embedder(dimensions=64), file).prepare()
    wider = Embedder(dimensions=128)
    hits = await base(wider, file).search("apple", top_k=1)
    assert hits[0].passage.title == "apple"


async def test_a_model_that_changes_while_we_run() -> None:
    embedder = Embedder()
    knowledge = base(embedder, None)
    await knowledge.prepare()
    embedder.dimensions = 128
    with pytest.raises(KnowledgeUnavailable, match="model changed"):
        await knowledge.search("apple")
    assert (await knowledge.search("apple", top_k=1))[0].passage.title == "apple"


async def test_many_who_ask_at_once_make_one_index() -> None:
    embedder = Embedder()
    knowledge = base(embedder, None)
    await asyncio.gather(*(knowledge.search("cherry") for _ in range(5)))
    assert len([text for text in embedder.texts if "content" in text]) == 3


async def test_down_then_up() -> None:
    embedder = Embedder()
    embedder.down = True
    knowledge = base(embedder, None)
    with pytest.raises(KnowledgeUnavailable):
        await knowledge.search("apple")
    embedder.down = False
    assert await knowledge.search("apple")
    assert await knowledge.collections() == ["faq", "policies"]


async def test_an_endpoint_that_leaves_texts_out() -> None:
    embedder = Embedder()
    embedder.short = True
    with pytest.raises(KnowledgeUnavailable, match="left texts out"):
        await base(embedder, None).prepare()


async def test_a_broken_cache_is_made_anew(tmp_path: Path) -> None:
    file = tmp_path / "index.sqlite3"
    file.write_bytes(b"this is no database, " * 100)
    await base(Embedder(), file).prepare()
    assert not file.exists() or VectorCache(file).load("bag", [CORPUS[0].digest])
    embedder = Embedder()
    await base(embedder, file).prepare()
    await base(embedder, file).prepare()
    assert len([text for text in embedder.texts if "content" in text]) <= 3


async def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    index = await base(Embedder(), blocked / "index.sqlite3").prepare()
    assert len(index) == 3
