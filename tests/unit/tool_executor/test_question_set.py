"""What callers ask finds its passage, with the embedding model of the local profile."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from typing import Any

import pytest
import yaml

from planner.minilm import MiniLM, ModelMissing
from tests.support.exact_terms import exact_terms
from tool_executor.knowledge import KnowledgeBase, read_corpus, shipped_corpus
from tool_executor.wiring import MIN_SCORES

MIN_SCORE = MIN_SCORES["all-MiniLM-L6-v2"]


class LocalModel:
    """The model that the planner serves, without the wire."""

    model = "all-MiniLM-L6-v2"

    def __init__(self) -> None:
        self._known: dict[str, Any] = {}
        try:
            self._model = MiniLM()
        except ModelMissing as error:
            pytest.skip(str(error))

    async def embed(self, texts: Sequence[str], seconds: float) -> list[Any]:
        return [self._vector(text) for text in texts]

    def _vector(self, text: str) -> Any:
        if text not in self._known:
            self._known[text] = self._model.encode(text)
        return self._known[text]


@pytest.fixture(scope="module")
def knowledge() -> KnowledgeBase:
    return KnowledgeBase(lambda: read_corpus(shipped_corpus()), LocalModel(), None, full_text=True)


@pytest.fixture(scope="module")
def questions() -> dict[str, Any]:
    file = resources.files("tool_executor") / "corpus" / "questions.yaml"
    loaded: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    return loaded


async def test_recall_at_five(knowledge: KnowledgeBase, questions: dict[str, Any]) -> None:
    ranks: list[int] = []
    for question in questions["answered"]:
        hits = await knowledge.search(question["ask"], top_k=5)
        titles = [hit.passage.title for hit in hits if hit.score >= MIN_SCORE]
        ranks.append(titles.index(question["title"]) if question["title"] in titles else 5)
    recall = {k: sum(rank < k for rank in ranks) / len(ranks) for k in (1, 3, 5)}
    print(f"{len(ranks)} questions, recall@1 {recall[1]:.2f} @3 {recall[3]:.2f} @5 {recall[5]:.2f}")
    assert recall[5] >= 0.9
    assert recall[1] >= 0.6


async def test_exact_terms_are_found_that_meaning_misses() -> None:
    """A part of what `tests.load.knowledge_eval` measures."""
    passages, asked = exact_terms(each=30)
    local = LocalModel()
    found: dict[bool, int] = {}
    for full_text in (False, True):
        base = KnowledgeBase(lambda: passages, local, None, full_text=full_text)
        hits = [await base.search(one.ask) for one in asked]
        titles = [{hit.passage.title for hit in some} for some in hits]
        found[full_text] = sum(one.title in some for one, some in zip(asked, titles, strict=True))
    assert found[True] == len(asked)
    assert found[False] < found[True]


async def test_what_the_documents_do_not_say(
    knowledge: KnowledgeBase, questions: dict[str, Any]
) -> None:
    for question in questions["about_something_else"]:
        (nearest,) = await knowledge.search(question, top_k=1)
        assert nearest.score < MIN_SCORE, question


def test_the_set_covers_the_corpus(questions: dict[str, Any]) -> None:
    titles = {passage.title for passage in read_corpus(shipped_corpus())}
    assert {question["title"] for question in questions["answered"]} == titles
