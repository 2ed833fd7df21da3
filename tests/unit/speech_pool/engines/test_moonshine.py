"""Moonshine: its files, its tokens, and real speech."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from speech_pool.engines import moonshine
from speech_pool.engines.assets import asset
from speech_pool.engines.moonshine import MoonshineModel, join_pieces, read_pieces
from speech_pool.engines.pcm import Samples
from speech_pool.engines.resample import resample
from speech_pool.ports import ProviderUnavailable
from tests.support.spoken_clips import Clip, read_wav, vendored_clips, word_error_rate

TWO_CITIES = (
    "It was the best of times it was the worst of times it was the age of wisdom"
    " it was the age of foolishness"
)


@pytest.fixture(scope="module")
def model() -> MoonshineModel:
    return MoonshineModel.load()


@pytest.fixture(scope="module")
def clips() -> list[Clip]:
    return vendored_clips()


def with_pre_roll(samples: Samples, hertz: int = 16_000) -> Samples:
    return np.concatenate([np.zeros(hertz // 3, np.float32), samples])


def test_recorded_people_are_understood(model: MoonshineModel, clips: list[Clip]) -> None:
    heard = [model.transcribe(with_pre_roll(clip.samples)).text for clip in clips]

    assert word_error_rate(list(zip((c.words for c in clips), heard, strict=True))) < 0.2


def test_recorded_people_are_understood_on_the_phone(
    model: MoonshineModel, clips: list[Clip]
) -> None:
    heard = [
        model.transcribe(
            resample(resample(with_pre_roll(clip.samples), 16_000, 8_000), 8_000, 16_000)
        )
        for clip in clips
    ]

    said = [clip.words for clip in clips]
    assert word_error_rate(list(zip(said, (h.text for h in heard), strict=True))) < 0.3


def test_the_wheels_own_recording_is_understood(model: MoonshineModel) -> None:
    try:
        path = asset("moonshine_voice", "assets", "two_cities.wav")
    except ProviderUnavailable as error:
        pytest.skip(str(error))
    samples, hertz = read_wav(path)

    heard = model.transcribe(resample(samples[: round(8.6 * hertz)], hertz, 16_000))

    assert word_error_rate([(TWO_CITIES, heard.text)]) < 0.15
    assert heard.confidence > 0.7


def test_threads_share_one_model_without_mixing(model: MoonshineModel, clips: list[Clip]) -> None:
    alone = [model.transcribe(clip.samples) for clip in clips]

    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(model.transcribe, [clip.samples for clip in clips] * 4))

    assert together == alone * 4


@pytest.mark.parametrize("seconds", [0.0, 0.1, 0.24])
def test_a_moment_of_audio_has_no_words(model: MoonshineModel, seconds: float) -> None:
    heard = model.transcribe(np.zeros(round(16_000 * seconds), np.float32))

    assert (heard.text, heard.confidence) == ("", 0.0)


def test_a_decoder_that_loops_is_cut_off(
    model: MoonshineModel, clips: list[Clip], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moonshine, "_END", -1)

    heard = model.transcribe(clips[0].samples)

    assert len(heard.text.split()) < 40


def test_the_wheels_code_is_not_imported(model: MoonshineModel) -> None:
    assert "moonshine_voice" not in sys.modules


def test_a_missing_file_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def missing(*parts: str) -> Path:
        return asset("moonshine_voice", "no_such_folder", parts[-1])

    monkeypatch.setattr(moonshine, "asset", missing)

    with pytest.raises(ProviderUnavailable, match=r"tokenizer.bin is missing.*make install"):
        MoonshineModel.load()


def test_pieces_have_lengths_of_one_byte_or_two() -> None:
    long = b"x" * 200

    assert read_pieces(b"\x00\x02ab" + bytes([128 + 200 % 128, 200 // 128]) + long) == [
        b"",
        b"ab",
        long,
    ]


@pytest.mark.parametrize("cut", [b"\x05abc", b"\xff"])
def test_a_tokenizer_that_is_cut_short_is_refused(cut: bytes) -> None:
    with pytest.raises(ProviderUnavailable, match="cut short"):
        read_pieces(cut)


def test_pieces_join_to_words() -> None:
    assert join_pieces(["▁Hello".encode(), "▁M".encode(), b"\xc3", b"\xbc", b"ller"]) == (
        "Hello Müller"
    )
