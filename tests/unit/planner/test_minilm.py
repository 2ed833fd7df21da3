"""The sentence model: its numbers, its likeness of sentences, and files that are not it."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import planner.minilm
from planner.minilm import DIMENSIONS, MiniLM, ModelMissing, installed_model

PUBLISHED = {
    # First numbers of the vector of "This is an example sentence", from the model card's example
    # as sentence-transformers computes it.
    "This is an example sentence": (0.0677, 0.0635, 0.0487),
    "Each sentence is converted": (0.0864, 0.1027, 0.0054),
}


@pytest.mark.parametrize(("text", "first"), PUBLISHED.items())
def test_the_numbers_are_those_of_the_published_model(
    model: MiniLM, text: str, first: tuple[float, ...]
) -> None:
    assert model.encode(text)[:3] == pytest.approx(first, abs=1e-4)


def test_a_vector_has_length_one(model: MiniLM) -> None:
    for text in ("a", "What is my balance?", "word " * 1000, ""):
        vector = model.encode(text)
        assert vector.shape == (DIMENSIONS,)
        assert vector.dtype == np.float32
        assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)


def test_like_meanings_are_near(model: MiniLM) -> None:
    asked = model.encode("why was I charged for paying abroad")
    near = model.encode("foreign transaction fee")
    far = model.encode("I forgot my password")

    assert asked @ near > asked @ far + 0.2


def test_threads_do_not_disturb_each_other(model: MiniLM) -> None:
    texts = [f"sentence number {n} of many" for n in range(16)]
    alone = [model.encode(text) for text in texts]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(model.encode, texts))

    assert all(np.array_equal(a, b) for a, b in zip(alone, together, strict=True))


def test_no_package_is_one_sentence_that_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planner.minilm, "PACKAGE", "no_such_package_here")

    with pytest.raises(ModelMissing, match=r"no-such-package-here.*make install"):
        MiniLM()


def test_an_empty_folder_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match="make install` again"):
        MiniLM(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff" * 64,
        (40).to_bytes(8, "little") + b"{}" + b" " * 38,
        (10).to_bytes(8, "little") + b"not json..",
    ],
    ids=["empty", "no header", "no tensors", "no json"],
)
def test_a_broken_weights_file_is_no_model(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "vocab.txt").write_text("a\n")
    (tmp_path / "model.safetensors").write_bytes(content)

    with pytest.raises(ModelMissing, match="does not hold all-MiniLM-L6-v2"):
        MiniLM(tmp_path)


def test_a_file_that_was_cut_short_is_no_model(tmp_path: Path) -> None:
    name = "embeddings.word_embeddings.weight"
    header = json.dumps({name: {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}})
    content = len(header).to_bytes(8, "little") + header.encode() + bytes(8)
    (tmp_path / "vocab.txt").write_text("a\n")
    (tmp_path / "model.safetensors").write_bytes(content)

    with pytest.raises(ModelMissing, match="cut short"):
        MiniLM(tmp_path)


def test_the_wheel_s_own_code_is_not_imported() -> None:
    import sys

    MiniLM(installed_model())

    assert planner.minilm.PACKAGE not in sys.modules
