"""Silero: speech is told from what is not, each stream by itself."""

from __future__ import annotations

import numpy as np
import pytest

from speech_pool.engines.pcm import Samples
from speech_pool.engines.silero import FRAME_SAMPLES, SileroModel
from tests.support.spoken_clips import FOLDER, read_wav


@pytest.fixture(scope="module")
def model() -> SileroModel:
    return SileroModel.load()


def frames(samples: Samples) -> list[Samples]:
    whole = len(samples) // FRAME_SAMPLES * FRAME_SAMPLES
    return list(samples[:whole].reshape(-1, FRAME_SAMPLES))


def speech() -> Samples:
    return read_wav(FOLDER / "librivox_0880.wav")[0]


def test_a_person_is_heard_for_most_of_a_sentence(model: SileroModel) -> None:
    stream = model.stream()

    likely = [stream.probability(frame) > 0.5 for frame in frames(speech())]

    assert sum(likely) > 0.6 * len(likely)


@pytest.mark.parametrize("level", [0.0, 0.01, 0.1, 0.3])
def test_noise_is_not_speech(model: SileroModel, level: float) -> None:
    stream = model.stream()
    noise = np.random.default_rng(3).normal(0, level, 100 * FRAME_SAMPLES).astype(np.float32)

    likely = [stream.probability(frame) > 0.5 for frame in frames(noise)]

    assert sum(likely) < 6  # less than an utterance needs


def test_streams_have_their_own_state(model: SileroModel) -> None:
    alone, first, second = model.stream(), model.stream(), model.stream()
    quiet = np.zeros(FRAME_SAMPLES, np.float32)

    expected = [alone.probability(frame) for frame in frames(speech())]
    mixed = list[float]()
    for frame in frames(speech()):
        mixed.append(first.probability(frame))
        second.probability(quiet)

    assert mixed == expected
