"""The engines that are not installed with voicemesh: how they say so, and how they are driven.

With the packages installed the contract suite runs them for real; here stand-ins take the place of
their SDK objects, so that the adapters are checked everywhere.
"""

from __future__ import annotations

import importlib.util
import math
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest

from speech_pool.engines.models import Hypothesis
from speech_pool.engines.piper import PiperModel
from speech_pool.engines.pocketsphinx import PocketsphinxModel
from speech_pool.engines.whisper import WhisperModel
from speech_pool.ports import ProviderUnavailable

AUDIO = np.zeros(16_000, np.float32)


@pytest.mark.parametrize(
    ("load", "message"),
    [
        (WhisperModel.load, "run `pip install faster-whisper"),
        (PocketsphinxModel.load, "run `pip install pocketsphinx"),
        (PiperModel.load, "run `pip install piper-tts"),
    ],
)
def test_what_is_missing_is_named_with_its_installation(
    load: type, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)

    with pytest.raises(ProviderUnavailable, match=message):
        load()


@dataclass
class _Segment:
    text: str
    avg_logprob: float


@pytest.mark.parametrize(
    ("segments", "expected"),
    [
        ([], Hypothesis("", 0.0)),
        ([_Segment(" ", -1)], Hypothesis("", 0.0)),
        (
            [_Segment(" Hello there.", -0.2), _Segment(" Bye.", -0.4)],
            Hypothesis("Hello there. Bye.", math.exp(-0.3)),
        ),
    ],
)
def test_whisper_joins_its_segments(segments: list[_Segment], expected: Hypothesis) -> None:
    sdk = SimpleNamespace(transcribe=lambda samples, **options: (iter(segments), None))

    heard = WhisperModel(sdk).transcribe(AUDIO)

    assert heard.text == expected.text
    assert heard.confidence == pytest.approx(expected.confidence)


class _Decoder:
    """As pocketsphinx's: one utterance at a time, from start to end."""

    def __init__(self, words: str | None) -> None:
        self.words = words
        self.fail = False
        self.open = False

    def start_utt(self) -> None:
        assert not self.open
        self.open = True

    def process_raw(self, pcm: bytes, *, full_utt: bool) -> None:
        assert full_utt
        assert len(pcm) == 32_000
        if self.fail:
            raise RuntimeError

    def end_utt(self) -> None:
        self.open = False

    def hyp(self) -> SimpleNamespace | None:
        return SimpleNamespace(hypstr=self.words) if self.words is not None else None


@pytest.mark.parametrize(("words", "text"), [("ten of clubs ", "ten of clubs"), (None, "")])
def test_pocketsphinx_hears_one_utterance(words: str | None, text: str) -> None:
    assert PocketsphinxModel(_Decoder(words)).transcribe(AUDIO) == Hypothesis(text, 0.0)


def test_pocketsphinx_serves_on_after_a_failure() -> None:
    decoder = _Decoder("again")
    model = PocketsphinxModel(decoder)
    decoder.fail = True
    with pytest.raises(RuntimeError):
        model.transcribe(AUDIO)

    decoder.fail = False

    assert model.transcribe(AUDIO).text == "again"


def test_piper_joins_its_sentences_at_the_wanted_speed() -> None:
    asked: list[tuple[str, float]] = []

    def synthesize(text: str, configuration: SimpleNamespace) -> list[SimpleNamespace]:
        asked.append((text, configuration.length_scale))
        return [SimpleNamespace(audio_float_array=np.full(count, 0.5)) for count in (3, 4)]

    voice = SimpleNamespace(synthesize=synthesize, config=SimpleNamespace(sample_rate=22_050))
    model = PiperModel(voice, SimpleNamespace)

    audio = model.render("Id AB12.", "joe", 2.0)

    assert asked == [("Id A B 1 2.", 0.5)]
    assert (len(audio), str(audio.dtype), model.sample_rate_hertz) == (7, "float32", 22_050)


def test_piper_without_words_is_no_failure() -> None:
    voice = SimpleNamespace(synthesize=lambda *_: [], config=SimpleNamespace(sample_rate=22_050))

    assert len(PiperModel(voice, SimpleNamespace).render("...", "joe", 1.0)) == 0
