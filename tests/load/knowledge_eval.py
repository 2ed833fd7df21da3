"""What the knowledge base finds: vectors alone, and with exact terms beside them.

`python -m tests.load.knowledge_eval [--base-url URL --model NAME] [--min-score N]
[--rare-share N]`; at a rare share of 1 all words of a question count. Two sets: the
shipped questions over the shipped corpus, and questions by exact terms (product codes, names of fees,
error codes) over generated passages, each by itself and both corpora as one. It also prints what
MIN_SCORE has to part: the lowest score of a right answer, and the highest of a question about
something else. Without `--base-url` the local profile's model runs in this process.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from importlib import resources
from typing import Any

# Before numpy, as the planner does it in its own process.
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
import yaml

from planner.minilm import MiniLM
from tests.load.measure import machine
from tests.support.exact_terms import Asked, exact_terms
from tool_executor.embeddings import OpenAIEmbedder
from tool_executor.knowledge import Embedder, Passage, fulltext, read_corpus, shipped_corpus
from tool_executor.knowledge.index import VectorIndex
from tool_executor.wiring import MIN_SCORES

LOCAL = "all-MiniLM-L6-v2"
GOALS = {"shipped": 0.9, "exact terms": 0.9}
"""Least recall@5 of what is served, which may not be below that of vectors alone."""
BATCH = 32
SECONDS = 60.0


class InProcess:
    """The local profile's model without a wire."""

    model = LOCAL

    def __init__(self) -> None:
        self._model = MiniLM()

    async def embed(self, texts: Sequence[str], seconds: float) -> list[Any]:
        return [self._model.encode(text) for text in texts]


async def vectors_of(embedder: Embedder, texts: Sequence[str]) -> list[Any]:
    found: list[Any] = []
    for start in range(0, len(texts), BATCH):
        found += await embedder.embed(texts[start : start + BATCH], SECONDS)
    return [np.asarray(vector, np.float32) for vector in found]


def recall(
    index: VectorIndex, asked: Sequence[Asked], vectors: Sequence[Any], least: float
) -> tuple[float, float]:
    """Recall at one and at five of what is not below the least score."""
    first = five = 0
    for question, vector in zip(asked, vectors, strict=True):
        hits = index.nearest(vector, question=question.ask, top_k=5)
        titles = [hit.passage.title for hit in hits if hit.score >= least]
        first += titles[:1] == [question.title]
        five += question.title in titles
    return first / len(asked), five / len(asked)


async def evaluated(embedder: Embedder, least: float) -> bool:
    """Print the table; whether the shipped questions are found, and exact terms by their terms."""
    file = resources.files("tool_executor") / "corpus" / "questions.yaml"
    written = yaml.safe_load(file.read_text(encoding="utf-8"))
    shipped, shipped_asked = (
        read_corpus(shipped_corpus()),
        [Asked(**one) for one in written["answered"]],
    )
    exact, exact_asked = exact_terms()
    of_passage: dict[str, Any] = {}
    for passages in (shipped, exact):
        vectors = await vectors_of(embedder, [passage.text for passage in passages])
        of_passage |= {p.digest: v for p, v in zip(passages, vectors, strict=True)}
    sets: list[tuple[str, list[Passage], list[Asked]]] = [
        ("shipped", shipped, shipped_asked),
        ("exact terms", exact, exact_asked),
        ("shipped, both corpora", [*shipped, *exact], shipped_asked),
        ("exact terms, both corpora", [*shipped, *exact], exact_asked),
    ]
    good = True
    print(f"{'questions':26} {'n':>3} {'passages':>8}  vectors @1   @5   with terms @1   @5")
    for name, passages, asked in sets:
        asked_vectors = await vectors_of(embedder, [one.ask for one in asked])
        kept = [of_passage[passage.digest] for passage in passages]
        plain, with_terms = (
            recall(VectorIndex(passages, kept, full_text=full_text), asked, asked_vectors, least)
            for full_text in (False, True)
        )
        if name in GOALS:
            good &= with_terms[1] >= max(GOALS[name], plain[1])
        print(
            f"{name:26} {len(asked):3} {len(passages):8}  {plain[0]:10.3f} {plain[1]:.3f}"
            f"  {with_terms[0]:13.3f} {with_terms[1]:.3f}"
        )
    await _print_scores(embedder, shipped, of_passage, shipped_asked, written)
    return good


async def _print_scores(
    embedder: Embedder,
    shipped: list[Passage],
    of_passage: dict[str, Any],
    asked: list[Asked],
    written: dict[str, Any],
) -> None:
    index = VectorIndex(shipped, [of_passage[passage.digest] for passage in shipped])
    right = []
    for question, vector in zip(
        asked, await vectors_of(embedder, [one.ask for one in asked]), strict=True
    ):
        hits = index.nearest(vector, top_k=5)
        right += [hit.score for hit in hits if hit.passage.title == question.title]
    other = written["about_something_else"]
    wrong = [
        index.nearest(vector, top_k=1)[0].score for vector in await vectors_of(embedder, other)
    ]
    print(
        f"scores with {embedder.model}: right answers from {min(right):.3f}, something else up to"
        f" {max(wrong):.3f}"
    )


async def run(arguments: argparse.Namespace) -> bool:
    least = arguments.min_score
    if least is None:
        least = MIN_SCORES.get(arguments.model, -1.0)
    print(machine())
    if not arguments.base_url:
        return await evaluated(InProcess(), least)
    key = os.environ.get("VOICEMESH_EMBEDDINGS_API_KEY", "")
    embedder = OpenAIEmbedder(base_url=arguments.base_url, model=arguments.model, api_key=key)
    try:
        return await evaluated(embedder, least)
    finally:
        await embedder.aclose()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base-url", default="", help="OpenAI-compatible embeddings endpoint")
    parser.add_argument("--model", default=LOCAL)
    parser.add_argument("--min-score", type=float, default=None)
    parser.add_argument("--rare-share", type=float, default=fulltext.RARE_SHARE)
    arguments = parser.parse_args()
    fulltext.RARE_SHARE = arguments.rare_share
    return 0 if asyncio.run(run(arguments)) else 1


if __name__ == "__main__":
    sys.exit(main())
