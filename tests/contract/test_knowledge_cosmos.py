"""One contract for both knowledge bases: an index in the process, and vectors in Cosmos DB."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from meshkit.cosmos import CosmosContainer, CosmosPlace
from meshkit.startup import StartupError
from tests.support.cosmos_emulator import CosmosEmulator, Fault
from tests.support.embeddings_endpoint import bag_of_stems
from tool_executor.knowledge import Knowledge, KnowledgeBase, KnowledgeUnavailable, Passage
from tool_executor.knowledge.cosmos import COLLECTIONS_SECONDS, CosmosKnowledge
from tool_executor.settings import ToolExecutorSettings
from tool_executor.tools.knowledge_base import KnowledgeTools
from tool_executor.wiring import MIN_SCORES, make_embedder, make_knowledge_base
from toolkit import Registry, tools_of
from toolkit.local import execute

DIMENSIONS = 64
POLICY = {
    "vectorEmbeddings": [
        {
            "path": "/vector",
            "dataType": "float32",
            "dimensions": DIMENSIONS,
            "distanceFunction": "cosine",
        }
    ]
}


class Embedder:
    """Tells what it embedded."""

    def __init__(self, model: str = "bag") -> None:
        self.model, self.texts = model, list[str]()
        self.down, self.dimensions = False, DIMENSIONS

    async def embed(self, texts: Any, seconds: float) -> list[list[float]]:
        if self.down:
            raise KnowledgeUnavailable("down")
        self.texts += texts
        return [bag_of_stems(text, self.dimensions) for text in texts]


def passage(title: str, collection: str = "faq") -> Passage:
    return Passage(collection, f"{collection}/f.md", title, f"{title} content.")


CORPUS = [
    passage("apple"),
    passage("banana"),
    passage("apple and banana", "policies"),
    passage("cherry", "policies"),
]


@pytest.fixture
def account() -> Iterator[CosmosEmulator]:
    with CosmosEmulator() as account:
        account.add("voicemesh", "knowledge", ["/collection"], vectorEmbeddingPolicy=POLICY)
        yield account


def container(account: CosmosEmulator) -> CosmosContainer:
    place = CosmosPlace(account.endpoint, "voicemesh", "knowledge", account.key)
    return CosmosContainer(place, seconds=10)


@dataclass
class Shelf:
    """Makes knowledge bases, each as another process would have it."""

    make: Callable[[list[Passage], Embedder], Knowledge]
    source: str


@pytest.fixture(params=["local_vector", "cosmos_vector"])
async def shelf(
    request: pytest.FixtureRequest, account: CosmosEmulator, tmp_path: Path
) -> AsyncIterator[Shelf]:
    made: list[Knowledge] = []

    def make(corpus: list[Passage], embedder: Embedder) -> Knowledge:
        if request.param == "local_vector":
            base: Knowledge = KnowledgeBase(lambda: corpus, embedder, tmp_path / "index.sqlite3")
        else:
            base = CosmosKnowledge(container(account), embedder, lambda: corpus)
        made.append(base)
        return base

    yield Shelf(make, request.param)
    for base in made:
        await base.aclose()


def titles(hits: Any) -> list[str]:
    return [hit.passage.title for hit in hits]


async def test_the_nearest_come_first_and_no_more_than_asked_for(shelf: Shelf) -> None:
    base = shelf.make(CORPUS, Embedder())
    assert len(await base.prepare()) == 4
    hits = await base.search("banana", top_k=2)
    assert titles(hits) == ["banana", "apple and banana"]
    assert 1 >= hits[0].score > hits[1].score > 0
    assert hits[0].passage == CORPUS[1]
    assert len(await base.search("banana", top_k=10)) == 4


async def test_one_collection_is_searched_or_all(shelf: Shelf) -> None:
    base = shelf.make(CORPUS, Embedder())
    await base.prepare()
    assert await base.collections() == ["faq", "policies"]
    hits = await base.search("banana", collection="policies", top_k=5)
    assert titles(hits) == ["apple and banana", "cherry"]
    assert await base.search("banana", collection="none") == []


async def test_nothing_is_embedded_twice_and_what_is_gone_is_not_found(shelf: Shelf) -> None:
    first = Embedder()
    await shelf.make(CORPUS, first).prepare()
    assert sorted(first.texts) == sorted(one.text for one in CORPUS)
    second = Embedder()
    base = shelf.make([*CORPUS[1:], passage("blueberry")], second)
    assert len(await base.prepare()) == 4
    assert [text for text in second.texts if text != "dimension"] == [passage("blueberry").text]
    assert "apple" not in titles(await base.search("apple", top_k=10))
    assert titles(await base.search("blueberry", top_k=1)) == ["blueberry"]


async def test_two_models_do_not_mix(shelf: Shelf) -> None:
    await shelf.make(CORPUS, Embedder("one")).prepare()
    two = Embedder("two")
    base = shelf.make([passage("cherry")], two)
    await base.prepare()
    assert titles(await base.search("apple", top_k=10)) == ["cherry"]
    assert await base.collections() == ["faq"]


async def test_progress_is_told(shelf: Shelf) -> None:
    told: list[tuple[int, int]] = []
    base = shelf.make(CORPUS, Embedder())
    await base.prepare(lambda done, total: told.append((done, total)))
    assert told == [(0, 4)]


async def test_without_embeddings_it_is_not_available(shelf: Shelf) -> None:
    embedder = Embedder()
    base = shelf.make(CORPUS, embedder)
    await base.prepare()
    embedder.down = True
    with pytest.raises(KnowledgeUnavailable, match="down"):
        await base.search("apple")
    embedder.down = False
    assert titles(await base.search("apple", top_k=1)) == ["apple"]


async def test_a_model_that_changed_under_its_name_is_told(shelf: Shelf) -> None:
    embedder = Embedder()
    base = shelf.make(CORPUS, embedder)
    await base.prepare()
    embedder.dimensions = 2 * DIMENSIONS
    with pytest.raises(KnowledgeUnavailable, match="embedding model changed"):
        await base.search("apple")


async def test_the_tool_names_its_source(shelf: Shelf) -> None:
    base = shelf.make(CORPUS, Embedder())
    await base.prepare()
    registry = Registry(tools_of(KnowledgeTools(base, MIN_SCORES["all-MiniLM-L6-v2"])))
    asked = {"query": "apple", "collection": "policies", "top_k": 5}
    found = await execute(registry, "search_knowledge_base", asked)
    assert (found["success"], found["source"]) == (True, shelf.source)
    best = found["results"][0]
    assert set(best) == {"title", "content", "score", "collection"}
    assert best["title"] == "apple and banana"


async def test_both_give_the_same_scores(account: CosmosEmulator) -> None:
    local = KnowledgeBase(lambda: CORPUS, Embedder(), None)
    async with container(account) as held:
        remote = CosmosKnowledge(held, Embedder(), lambda: CORPUS)
        await remote.prepare()
        here = await local.search("apple", top_k=2)
        there = await remote.search("apple", top_k=2)
    assert titles(here) == titles(there)
    assert [hit.score for hit in here] == pytest.approx([hit.score for hit in there], abs=1e-3)


async def test_without_a_folder_the_container_is_searched_as_it_is(account: CosmosEmulator) -> None:
    async with container(account) as filling, container(account) as searching:
        await CosmosKnowledge(filling, Embedder(), lambda: CORPUS).prepare()
        embedder = Embedder()
        base = CosmosKnowledge(searching, embedder, None)
        assert len(await base.prepare()) == 4
        assert embedder.texts == []
        assert titles(await base.search("cherry", top_k=1)) == ["cherry"]
    assert len(account.documents("voicemesh", "knowledge")) == 4


async def test_more_than_a_batch_that_breaks_off_goes_on_where_it_was(
    account: CosmosEmulator,
) -> None:
    corpus = [passage(f"fruit {number}") for number in range(80)]
    async with container(account) as held:
        base = CosmosKnowledge(held, Embedder(), lambda: corpus)
        account.faults.extend([None] * 40 + [Fault(403)] * 100)
        with pytest.raises(KnowledgeUnavailable, match="403"):
            await base.prepare()
        account.faults.clear()
        embedder = Embedder()
        again = CosmosKnowledge(held, embedder, lambda: corpus)
        assert len(await again.prepare()) == 80
    stored = account.documents("voicemesh", "knowledge")
    assert len({one["title"] for one in stored}) == len(stored) == 80
    # The first batch was there, and of the second what was asked before the first refusal.
    assert 80 - 64 < len(embedder.texts) <= 80 - 32


async def test_collections_are_asked_for_once_a_minute(account: CosmosEmulator) -> None:
    now = 1000.0
    async with container(account) as held:
        base = CosmosKnowledge(held, Embedder(), lambda: CORPUS, monotonic=lambda: now)
        await base.prepare()
        await base.collections()
        asked = len(account.asked)
        assert await base.collections() == ["faq", "policies"]
        assert len(account.asked) == asked
        now += COLLECTIONS_SECONDS + 1
        await base.collections()
        assert len(account.asked) > asked


async def test_an_account_that_is_away_is_told_and_found_again(account: CosmosEmulator) -> None:
    async with container(account) as held:
        base = CosmosKnowledge(held, Embedder(), None)
        account.always = Fault(403)
        for request in (base.prepare(), base.search("apple"), base.collections()):
            with pytest.raises(KnowledgeUnavailable, match="voicemesh/knowledge"):
                await request
        account.always = None
        assert await base.search("apple") == []


@pytest.mark.parametrize(
    ("paths", "policy", "problem"),
    [
        (["/tenant"], POLICY, "is not partitioned by /collection"),
        (["/collection"], None, "no vector policy for /vector"),
        (["/collection"], {"vectorEmbeddings": []}, "no vector policy for /vector"),
    ],
)
async def test_a_container_made_otherwise_is_not_searched(
    account: CosmosEmulator, paths: list[str], policy: Any, problem: str
) -> None:
    account.add("voicemesh", "knowledge", paths, vectorEmbeddingPolicy=policy)
    async with container(account) as held:
        base = CosmosKnowledge(held, Embedder(), None)
        for request in (base.prepare(), base.search("apple")):
            with pytest.raises(KnowledgeUnavailable, match=problem):
                await request


def made_by(settings: dict[str, Any]) -> Knowledge:
    told = ToolExecutorSettings(**settings)
    return make_knowledge_base(told, make_embedder(told))


async def test_the_settings_choose(tmp_path: Path) -> None:
    assert made_by({"data_folder": ""}).source == "local_vector"
    remote = made_by({"cosmos_endpoint": "https://db.example", "cosmos_key": "a2V5"})
    assert remote.source == "cosmos_vector"
    await remote.aclose()
    with pytest.raises(StartupError, match=r"VOICEMESH_COSMOS_ENDPOINT: .*needs a key"):
        made_by({"cosmos_endpoint": "http://db.example"})
