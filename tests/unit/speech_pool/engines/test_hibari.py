"""hibari: the same text makes the same audio, from any number of threads, from the wheel alone."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from speech_pool.engines import hibari
from speech_pool.engines.assets import asset
from speech_pool.engines.hibari import HibariModel
from speech_pool.engines.pcm import Samples
from speech_pool.ports import ProviderUnavailable

PHRASES = ["Of course.", "Your balance is $1,250.50.", "Is there anything else?"]


@pytest.fixture(scope="module")
def model() -> HibariModel:
    return HibariModel.load()


def say(model: HibariModel, phrase: str, speed: float = 1.0) -> Samples:
    return model.render(phrase, model.voices[0], speed)


def test_only_voices_of_the_wheel_are_offered(model: HibariModel) -> None:
    assert model.voices == ("heart",)


def test_threads_share_one_model_without_mixing(model: HibariModel) -> None:
    alone = [say(model, phrase) for phrase in PHRASES]

    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda phrase: say(model, phrase), PHRASES * 4))

    assert all(np.array_equal(a, b) for a, b in zip(together, alone * 4, strict=True))


def test_speed_changes_the_length(model: HibariModel) -> None:
    slow, normal, fast = (len(say(model, PHRASES[1], speed)) for speed in (0.8, 1.0, 1.3))

    assert slow > 1.05 * normal
    assert normal > 1.05 * fast


def test_what_voices_read_wrongly_is_written_out_first(model: HibariModel) -> None:
    spelled = say(model, "Your id is A B 1 2 C D.")

    assert np.array_equal(say(model, "Your id is AB12CD."), spelled)


@pytest.mark.parametrize("phrase", ["", "...", "—"])
def test_a_phrase_without_words_is_no_failure(model: HibariModel, phrase: str) -> None:
    assert len(say(model, phrase)) < 2 * 24_000


def test_a_missing_wheel_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hibari, "asset", lambda *_: asset("hibari", "assets", "none.onnx"))

    with pytest.raises(ProviderUnavailable, match=r"hibari/assets/none.onnx is missing.*make"):
        HibariModel.load()
