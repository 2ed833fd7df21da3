"""The ear: bytes at any rate in, decisions with their audio out."""

from __future__ import annotations

import numpy as np
import pytest

from speech_pool.engines.ear import Ear, Heard
from speech_pool.engines.endpointing import (
    FRAME_SAMPLES,
    Endpointing,
    Hypothesise,
    UtteranceBegan,
    UtteranceEnded,
)
from tests.support.speech_models import LoudnessDetector, loud, silence


def ear(hertz: int = 16_000, **rules: float) -> Ear:
    return Ear(hertz, LoudnessDetector(), Endpointing(**rules))


def ended(heard: list[Heard]) -> list[Heard]:
    return [one for one in heard if isinstance(one.decision, UtteranceEnded)]


@pytest.mark.parametrize("hertz", [8_000, 16_000, 24_000])
def test_positions_are_at_the_engines_rate_whatever_the_stream_has(hertz: int) -> None:
    heard = ear(hertz).hear(silence(1.0, hertz) + loud(1.0, hertz) + silence(1.0, hertz))

    (end,) = ended(heard)
    assert isinstance(end.decision, UtteranceEnded)
    assert end.decision.speech.start == pytest.approx(16_000, abs=FRAME_SAMPLES)
    assert end.decision.speech.end == pytest.approx(32_000, abs=FRAME_SAMPLES)


def test_the_audio_of_an_utterance_is_exactly_its_clip() -> None:
    heard = ear().hear(silence(1.0) + loud(1.0) + silence(1.0))

    (end,) = ended(heard)
    assert isinstance(end.decision, UtteranceEnded)
    clip, audio = end.decision.clip, end.audio
    assert audio is not None
    assert len(audio) == clip.end - clip.start
    sounding = np.flatnonzero(audio > 0.4) + clip.start
    assert (sounding[0], sounding[-1]) == (16_000, 31_999)


def test_frames_may_come_in_pieces_of_any_size() -> None:
    pcm = silence(0.7) + loud(1.0) + silence(0.8)
    whole, pieces = ear(), ear()

    at_once = [one.decision for one in whole.hear(pcm)]
    bit_by_bit = [
        one.decision for at in range(0, len(pcm), 222) for one in pieces.hear(pcm[at : at + 222])
    ]

    assert bit_by_bit == at_once
    assert any(isinstance(decision, Hypothesise) for decision in at_once)


def test_nothing_is_kept_that_is_not_needed_any_more() -> None:
    listener = ear()

    for _ in range(60):
        listener.hear(silence(1.0))
    quiet = len(listener._kept)
    for _ in range(20):
        listener.hear(loud(1.0) + silence(1.0))

    assert quiet < 16_000
    assert len(listener._kept) < 2 * 16_000


def test_flush_includes_the_part_of_a_frame_that_came_last() -> None:
    listener = ear()
    listener.hear(loud(0.5) + loud(0.01))

    (end,) = ended(listener.flush())

    assert isinstance(end.decision, UtteranceEnded)
    assert end.decision.clip.end == 8_160


def test_finish_hears_the_rest_and_ends_the_utterance() -> None:
    listener = ear(8_000)
    heard = listener.hear(loud(0.21, 8_000))

    rest = listener.finish()

    assert not any(isinstance(one.decision, UtteranceBegan) for one in heard[1:])
    assert len(ended(rest)) == 1


def test_finish_after_noise_gives_nothing() -> None:
    listener = ear()
    listener.hear(loud(0.1))

    assert listener.finish() == []


def test_the_silence_can_be_changed() -> None:
    listener = ear()
    listener.listen_for(2.0)

    assert ended(listener.hear(loud(1.0) + silence(1.9))) == []
    assert len(ended(listener.hear(silence(0.2)))) == 1
