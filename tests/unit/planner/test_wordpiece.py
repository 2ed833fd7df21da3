"""WordPiece, on a small vocabulary and on the model's own."""

from __future__ import annotations

import pytest

from planner.minilm import MAX_TOKENS, MiniLM, installed_model
from planner.wordpiece import CLS, SEP, UNKNOWN, WordPiece

SMALL = WordPiece(["play", "##ing", "##ed", ",", "un", "##play", "_"], max_tokens=8)


@pytest.fixture(scope="module")
def own() -> WordPiece:
    vocabulary = (installed_model() / "vocab.txt").read_text(encoding="utf-8").splitlines()
    return WordPiece(vocabulary, MAX_TOKENS)


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("playing", [0, 1]),
        ("Played, UNPLAYED", [0, 2, 3, 4, 5, 2]),
        ("pläyïng", [0, 1]),
        ("play_", [0, 6]),
        ("zzz", [UNKNOWN]),
        ("playz", [UNKNOWN]),
        ("", []),
    ],
)
def test_the_longest_piece_from_the_left(text: str, pieces: list[int]) -> None:
    assert SMALL.ids(text) == [CLS, *pieces, SEP]


def test_a_text_is_cut_with_its_frame_kept() -> None:
    ids = SMALL.ids("play " * 100)

    assert len(ids) == 8
    assert ids[0] == CLS
    assert ids[-1] == SEP


def test_a_very_long_word_is_one_unknown_token() -> None:
    assert SMALL.ids("play" * 1000) == [CLS, UNKNOWN, SEP]


def test_the_frame_has_the_numbers_of_the_vocabulary(own: WordPiece) -> None:
    """Ids as BERT's published uncased vocabulary has them."""
    assert own.ids("hello world!") == [101, 7592, 2088, 999, 102]
    assert own.ids("embeddings") == [101, 7861, 8270, 4667, 2015, 102]


def test_the_model_counts_its_tokens(model: MiniLM) -> None:
    assert model.count_tokens("hello world!") == 5
    assert model.count_tokens("word " * 1000) == MAX_TOKENS
