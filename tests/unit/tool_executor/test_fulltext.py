"""Exact terms: how they are read, which are rare, and how two orders become one."""

from __future__ import annotations

import numpy as np
import pytest

from tool_executor.knowledge import Passage
from tool_executor.knowledge.fulltext import TextIndex, fused, terms_of
from tool_executor.knowledge.index import VectorIndex


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("E-4417", ["e", "4417"]),
        ("error E4417?", ["error", "e", "4417"]),
        ("e four four one seven", ["e", "4417"]),
        ("code 4 4 1 7 now", ["code", "4417", "now"]),
        ("44 17", ["44", "17"]),
        ("Hotel Lumière", ["hotel", "lumiere"]),
        ("snake_case", ["snake", "case"]),
        ("", []),
    ],
)
def test_terms(text: str, terms: list[str]) -> None:
    assert terms_of(text) == terms


def test_only_rare_terms_are_looked_up() -> None:
    index = TextIndex([f"Error E-{n} of a card." for n in range(1000, 1400)])
    assert index.holding("error of a card", 5) == []
    assert index.holding("what is error E 1 0 1 7", 5) == [17]
    assert index.holding("1017 or 1018", 5) == [17, 18]
    assert index.holding("1017 or 1018", 1) == [17]
    assert index.holding("nothing that is there", 5) == []


@pytest.mark.parametrize("question", ['"', "* OR NOT", "a AND (", "terms:x", "'; DROP TABLE x"])
def test_a_question_is_no_query_language(question: str) -> None:
    index = TextIndex(["one", "two"])
    assert index.holding(question, 5) == []
    assert index.holding(f"{question} two", 5) == [1]


def test_fusion_prefers_what_both_orders_have() -> None:
    assert fused([1, 2, 3], [3]) == [3, 1, 2]
    assert fused([1, 2], []) == [1, 2]
    assert fused() == []


def index(*, full_text: bool) -> VectorIndex:
    """Passages of which the question's vector prefers the first."""
    passages = [Passage("a", "f", "One", "E-1001"), Passage("b", "f", "Two", "E-1002")]
    vectors = [np.array([1.0, 0.0], np.float32), np.array([0.9, 0.3], np.float32)]
    return VectorIndex(passages, vectors, full_text=full_text)


@pytest.mark.parametrize(
    ("full_text", "question", "first"),
    [
        (False, "E-1002", "One"),
        (True, "E-1002", "Two"),
        (True, "", "One"),
        (True, "anything", "One"),
    ],
)
def test_the_order_with_exact_terms(full_text: bool, question: str, first: str) -> None:
    query = np.array([1.0, 0.0], np.float32)
    hits = index(full_text=full_text).nearest(query, question=question, top_k=2)
    assert hits[0].passage.title == first
    assert sorted(hit.score for hit in hits) == [0.9487, 1.0], "cosines, in whatever order"


def test_exact_terms_do_not_leave_the_collection() -> None:
    query = np.array([1.0, 0.0], np.float32)
    hits = index(full_text=True).nearest(query, question="E-1002", collection="a", top_k=2)
    assert [hit.passage.title for hit in hits] == ["One"]
