"""Moonshine tiny-en: English speech recognition small enough to run many times a second on a core.

An encoder over raw audio and an autoregressive decoder with a key-value cache (Jeffries et al.,
"Moonshine: Speech Recognition for Live Transcription and Voice Commands", 2024). The weights are
taken from the moonshine-voice wheel and run by onnxruntime, which is thread-safe; the wheel's own
native library gave wrong text from two threads and is not loaded.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from speech_pool.engines.assets import asset
from speech_pool.engines.inference import Array, Session, open_session
from speech_pool.engines.models import HEARING_HERTZ, Hypothesis
from speech_pool.engines.pcm import Samples
from speech_pool.ports import ProviderUnavailable

_START, _END = 1, 2
_FIRST_WORD_PIECE = 3
_TOKENS_PER_SECOND = 6.5
"""The paper's bound on how fast speech makes tokens; a decoder that loops is cut off by it."""
_SHORTEST_SAMPLES = HEARING_HERTZ // 4
"""Less makes no sense to the encoder's strides, and no word is that short with its pre-roll."""


class MoonshineModel:
    """The weights, shared by all streams."""

    name = "moonshine"
    language_code = "en-US"
    gives_interims = True

    def __init__(self, encoder: Session, decoder: Session, pieces: list[bytes]) -> None:
        self._encoder = encoder
        self._decoder = decoder
        self._pieces = pieces
        self._empty_cache = _empty_cache(decoder)
        outputs = [port.name for port in decoder.get_outputs()][1:]
        self._cache_names = [name.replace("present", "past_key_values") for name in outputs]

    @classmethod
    def load(cls) -> MoonshineModel:
        """Load from the installed wheel. Raises ProviderUnavailable naming the missing file."""

        def file(name: str) -> Path:
            return asset("moonshine_voice", "assets", "tiny-en", name)

        pieces = read_pieces(file("tokenizer.bin").read_bytes())
        encoder = open_session(file("encoder_model.ort"))
        return cls(encoder, open_session(file("decoder_model_merged.ort")), pieces)

    def transcribe(self, samples: Samples) -> Hypothesis:
        """The words in `samples`, at 16 kHz. Confidence is the mean token probability."""
        if len(samples) < _SHORTEST_SAMPLES:
            return Hypothesis("", 0.0)
        tokens, log_likelihood = self._decode(np.ascontiguousarray(samples, np.float32)[None])
        text = join_pieces([self._pieces[token] for token in tokens if token >= _FIRST_WORD_PIECE])
        return Hypothesis(text, math.exp(log_likelihood / max(1, len(tokens))))

    def close(self) -> None:
        """Nothing to let go of beyond the memory."""

    def _decode(self, audio: Samples) -> tuple[list[int], float]:
        mask = np.ones(audio.shape, np.int64)
        encoded = self._encoder.run(None, {"input_values": audio, "attention_mask": mask})[0]
        fixed = {"encoder_hidden_states": encoded, "encoder_attention_mask": mask}
        cache, token, tokens, log_likelihood = dict(self._empty_cache), _START, list[int](), 0.0
        for step in range(_most_tokens(audio.shape[1])):
            logits, *present = self._decoder.run(None, fixed | cache | _step_inputs(token, step))
            token, log_probability = _likeliest(logits[0, -1])
            log_likelihood += log_probability
            if token == _END:
                break
            tokens.append(token)
            self._keep(cache, present, first=step == 0)
        return tokens, log_likelihood

    def _keep(self, cache: dict[str, Array], present: list[Array], *, first: bool) -> None:
        # The encoder's part of the cache is made in the first step and comes back empty later.
        made = zip(self._cache_names, present, strict=True)
        cache.update((name, value) for name, value in made if first or ".decoder." in name)


def read_pieces(tokenizer: bytes) -> list[bytes]:
    """The word pieces of a `tokenizer.bin`, each a length (two bytes from 128 on) and its bytes."""
    pieces, at = list[bytes](), 0
    try:
        while at < len(tokenizer):
            length, at = tokenizer[at], at + 1
            if length >= 128:
                length, at = length - 128 + 128 * tokenizer[at], at + 1
            if at + length > len(tokenizer):
                raise IndexError
            pieces.append(tokenizer[at : at + length])
            at += length
    except IndexError:
        raise ProviderUnavailable(
            "moonshine's tokenizer.bin is cut short: run `make install` again"
        ) from None
    return pieces


def join_pieces(pieces: list[bytes]) -> str:
    """Pieces as text; U+2581 marks the space before a word."""
    return b"".join(pieces).decode("utf-8", "ignore").replace("\u2581", " ").strip()


def _most_tokens(samples: int) -> int:
    return int(samples / HEARING_HERTZ * _TOKENS_PER_SECOND) + 8


def _empty_cache(decoder: Session) -> dict[str, Array]:
    """Inputs for the first step: no past tokens. Shapes are (1, heads, 0, size)."""
    past = [port for port in decoder.get_inputs() if port.name.startswith("past")]
    return {
        port.name: np.zeros((1, int(port.shape[1]), 0, int(port.shape[3])), np.float32)
        for port in past
    }


def _step_inputs(token: int, step: int) -> dict[str, Array]:
    return {
        "input_ids": np.array([[token]], np.int64),
        "use_cache_branch": np.array([step > 0]),
    }


def _likeliest(logits: Array) -> tuple[int, float]:
    """The likeliest token and the log of its probability."""
    best = int(logits.argmax())
    return best, -float(np.log(np.exp(logits - logits[best]).sum()))
