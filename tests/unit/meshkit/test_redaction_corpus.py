"""How much of an adversarial corpus is found, and how much else is left alone; printed with -s."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest

from meshkit.redaction import redact, redact_said
from tests.support.redaction_corpus import POSITIVES, marked
from tests.support.redaction_negatives import NEGATIVES
from tests.support.redaction_scoring import as_met, halves, independent, tuned
from tests.support.redaction_scoring import scored as scored_by_kind


@dataclass(frozen=True)
class Score:
    """Counts over a part of the corpus."""

    missed: list[str]
    spoiled: list[str]
    """Texts without anything personal that came out changed."""
    positives: int

    @property
    def recall(self) -> float:
        return 1 - len(self.missed) / self.positives

    @property
    def precision(self) -> float:
        found = self.positives - len(self.missed)
        return found / (found + len(self.spoiled))


def leaks(entry: str, redacted: str) -> bool:
    """Whether a secret, or the last four digits of one, is still there."""
    for secret in marked(entry)[1]:
        digits = re.sub(r"\D", "", secret)
        if secret in redacted or (len(digits) >= 7 and digits[-4:] in re.sub(r"\D", "", redacted)):
            return True
    return False


def scored(part: int) -> Score:
    """The score of the entries at places with this remainder by two."""
    positives, negatives = POSITIVES[part::2], NEGATIVES[part::2]
    missed = [entry for entry in positives if leaks(entry, redact(marked(entry)[0]))]
    return Score(missed, [text for text in negatives if redact(text) != text], len(positives))


def test_the_corpus_is_large_and_says_what_must_go() -> None:
    assert len(POSITIVES) >= 150
    assert len(NEGATIVES) >= 100
    assert all(marked(entry)[1] for entry in POSITIVES)
    assert len(set(POSITIVES) | set(NEGATIVES)) == len(POSITIVES) + len(NEGATIVES)


@pytest.mark.parametrize(
    ("half", "part", "recall", "precision"),
    [("tuned on", 0, 0.98, 0.99), ("held out", 1, 0.95, 0.98)],
)
def test_recall_and_precision(half: str, part: int, recall: float, precision: float) -> None:
    score = scored(part)
    print(
        f"\nredaction, {half}: recall {score.recall:.3f} of {score.positives}, "
        f"precision {score.precision:.3f}, {len(score.spoiled)} spoiled of {len(NEGATIVES[part::2])}"
    )
    assert score.recall >= recall, score.missed if part == 0 else "look at the tuned half only"
    assert score.precision >= precision, score.spoiled if part == 0 else "see the tuned half"


@pytest.mark.parametrize(
    ("half", "part", "recall", "precision", "span_precision"),
    [("development", 0, 0.99, 0.98, 0.93), ("held out", 1, 0.86, 0.95, 0.9)],
)
def test_the_corpus_of_an_author_who_had_not_seen_the_finders(
    half: str, part: int, recall: float, precision: float, span_precision: float
) -> None:
    # The goal is 0.95 of both; these are what is held. Nobody looks at which of the held out fail.
    score = scored_by_kind(halves(independent())[part], as_met)
    print(
        f"\nredaction, independent, {half}: recall {score.recall:.3f} of {score.items}, "
        f"precision {score.precision:.3f}, {len(score.spoiled)} spoiled of {score.stay}"
    )
    assert score.recall >= recall
    assert score.precision >= precision
    assert score.span_precision >= span_precision


def test_what_was_found_once_is_found_still() -> None:
    score = scored_by_kind(tuned(), as_met)
    assert score.recall >= 0.94, score.missed
    assert score.precision >= 0.98, score.spoiled


def test_what_is_found_in_logs_is_found_in_speech() -> None:
    missed = [entry for entry in POSITIVES if leaks(entry, redact_said(marked(entry)[0]))]
    assert len(missed) <= len(POSITIVES) * 0.03, missed


def test_words_around_a_secret_stay() -> None:
    words = kept = 0
    for entry in POSITIVES:
        around = re.sub(r"«[^»]*»", " ", entry)
        redacted = redact(marked(entry)[0])
        outside = re.findall(r"[A-Za-z]{3,}", around)
        words += len(outside)
        kept += sum(word in redacted for word in outside)
    print(f"\nredaction: {kept} of {words} words around what was found stay")
    assert kept / words >= 0.9
