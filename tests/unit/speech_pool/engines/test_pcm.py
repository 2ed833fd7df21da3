"""PCM bytes and floats."""

from __future__ import annotations

import numpy as np
import pytest

from speech_pool.engines.pcm import check_whole, to_pcm, to_samples


def test_samples_come_back_as_they_were() -> None:
    pcm = np.array([0, 1, -1, 1000, -1000, 32767], "<i2").tobytes()

    assert to_pcm(to_samples(pcm)) == np.array([0, 1, -1, 1000, -1000, 32766], "<i2").tobytes()


def test_what_is_too_loud_is_clipped_not_wrapped() -> None:
    pcm = to_pcm(np.array([2.0, -2.0], np.float32))

    assert np.frombuffer(pcm, "<i2").tolist() == [32767, -32768]


@pytest.mark.parametrize("act", [check_whole, to_samples])
def test_half_a_sample_is_refused(act: object) -> None:
    assert callable(act)
    with pytest.raises(ValueError, match="whole 16-bit samples, got 3 bytes"):
        act(b"abc")
