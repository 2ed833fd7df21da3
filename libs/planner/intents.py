"""Chooses among the tools a request offers, and small talk, by what the caller said.

A tool is known by its name, its description, and the phrases of the description's last sentence,
"For example: ...; ...". Each is compared with the caller's words twice: by the cosine of their
sentence vectors, and by the share of rare words they have in common. Pure: the vectors come from
the embedder that is passed in.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from planner.conversation import Tool
from planner.minilm import Array
from planner.smalltalk import PHRASES, SmallTalk
from planner.words import sentences, stems, words

Label = str | SmallTalk
"""A tool's name, or what is meant where no tool is."""

OVERLAP_WEIGHT = 0.2
FLOOR = 0.33
"""A lower score is not understood: the planner asks back."""
CLEAR = 0.45
"""At this score words are about a tool, and no bare answer such as a name."""
SURE = 0.55
"""At this score the planner acts even if another tool is close."""
MARGIN = 0.03
"""Two tools that are closer than this, and not sure, make it ask which."""

MAX_PHRASES = 12
MAX_PHRASE_CHARACTERS = 300
MIN_SENTENCE_WORDS = 3

_EXAMPLES = re.compile(r"\bfor example:\s*", re.I)


class Embedder(Protocol):
    """Sentence vectors of length one; apart, so that only phrases are remembered."""

    def phrase(self, text: str) -> Array:
        """The vector of a tool's phrase, which comes with every request."""

    def words(self, text: str) -> Array:
        """The vector of what a caller said, which must not outlive the request."""


@dataclass(frozen=True, slots=True)
class Scored:
    """How well a label fits the words; 1 would be the very same phrase."""

    label: Label
    score: float


def purpose(tool: Tool) -> str:
    """The first sentence of a tool's description, without its full stop."""
    before = _EXAMPLES.split(tool.description)[0]
    first = next(iter(sentences(before)), tool.name.replace("_", " "))
    return first.rstrip(".!? ")


def phrases(tool: Tool) -> tuple[str, ...]:
    """What a tool is compared by: name and purpose, then its example phrases."""
    own = f"{tool.name.replace('_', ' ')}. {purpose(tool)}"
    parts = _EXAMPLES.split(tool.description)
    examples = parts[-1].split(";") if len(parts) > 1 else []
    spoken = [example.strip(" .\"'\n") for example in examples]
    found = [own, *(example for example in spoken if example)][:MAX_PHRASES]
    return tuple(phrase[:MAX_PHRASE_CHARACTERS] for phrase in found)


def rank(text: str, tools: Sequence[Tool], embedder: Embedder) -> list[Scored]:
    """Every tool and every kind of small talk with its score, the best first."""
    documents: list[tuple[Label, str]] = [
        (tool.name, phrase) for tool in tools for phrase in phrases(tool)
    ]
    documents += [(talk, phrase) for talk, some in PHRASES.items() for phrase in some]
    index = _Index([phrase for _, phrase in documents], embedder)
    best: dict[Label, float] = {}
    for part in _parts(text):
        for (label, _), score in zip(documents, index.scores(part), strict=True):
            best[label] = max(best.get(label, -1.0), score)
    ranked = [Scored(label, score) for label, score in best.items()]
    return sorted(ranked, key=lambda one: -one.score)


def _parts(text: str) -> list[str]:
    """The whole text, and each of several sentences that says enough by itself."""
    several = sentences(text)
    long = [one for one in several if len(words(one)) >= MIN_SENTENCE_WORDS]
    return [text, *long] if len(several) > 1 else [text]


class _Index:
    """Phrases with their vectors and the rarity of their words."""

    def __init__(self, documents: Sequence[str], embedder: Embedder) -> None:
        self._embedder = embedder
        self._vectors = [embedder.phrase(document) for document in documents]
        self._stems = [stems(document) for document in documents]
        self._counts = Counter(stem for some in self._stems for stem in some)

    def scores(self, text: str) -> list[float]:
        vector, asked = self._embedder.words(text), stems(text)
        total = sum(map(self._rarity, asked)) or 1.0
        return [
            (1 - OVERLAP_WEIGHT) * float(own @ vector)
            + OVERLAP_WEIGHT * sum(map(self._rarity, asked & some)) / total
            for own, some in zip(self._vectors, self._stems, strict=True)
        ]

    def _rarity(self, stem: str) -> float:
        """Inverse document frequency, smoothed so that an unknown word weighs most."""
        return math.log(1 + len(self._stems) / self._counts.get(stem, 0.5))
