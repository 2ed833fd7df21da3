"""Rate conversion: faithful, aligned, free of clicks and of images."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speech_pool.engines.pcm import Samples
from speech_pool.engines.resample import Resampler, resample

RATES = [(24_000, 16_000), (24_000, 8_000), (8_000, 16_000), (16_000, 24_000), (22_050, 16_000)]


def tone(hertz: float, rate: int, seconds: float = 0.5) -> Samples:
    return np.sin(2 * np.pi * hertz * np.arange(round(rate * seconds)) / rate).astype(np.float32)


def inside(samples: Samples) -> Samples:
    """Without the edges, where the tone begins and ends like a click."""
    return samples[200:-200]


@pytest.mark.parametrize(("source", "target"), RATES)
@pytest.mark.parametrize("hertz", [200, 1000, 3400])
def test_a_tone_of_speech_keeps_its_shape_and_its_place(
    source: int, target: int, hertz: int
) -> None:
    made = resample(tone(hertz, source), source, target)

    expected = tone(hertz, target)
    assert len(made) == len(expected)
    assert np.abs(inside(made - expected)).max() < 0.003


@pytest.mark.parametrize(
    ("source", "target", "hertz"), [(24_000, 8_000, 5_000), (16_000, 8_000, 7_000)]
)
def test_what_the_target_cannot_hold_is_removed_not_folded_back(
    source: int, target: int, hertz: int
) -> None:
    assert np.abs(inside(resample(tone(hertz, source), source, target))).max() < 0.002


def test_going_up_leaves_no_image_of_the_tone() -> None:
    made = inside(resample(tone(1_000, 8_000, 1.0), 8_000, 16_000))

    spectrum = np.abs(np.fft.rfft(made * np.hanning(len(made))))
    image = spectrum[round(7_000 * len(made) / 16_000) - 20 :]
    assert image.max() < spectrum.max() * 0.001


@settings(max_examples=50, deadline=None)
@given(st.sampled_from(RATES), st.lists(st.integers(0, 700), max_size=20), st.integers(0, 2**31))
def test_blocks_of_any_size_make_the_same_as_the_whole(
    rates: tuple[int, int], sizes: list[int], seed: int
) -> None:
    whole = np.random.default_rng(seed).normal(0, 0.1, sum(sizes)).astype(np.float32)
    resampler = Resampler(*rates)

    parts = [resampler.push(block) for block in np.split(whole, np.cumsum(sizes))[:-1]]
    parts.append(resampler.flush())

    assert np.array_equal(np.concatenate(parts), resample(whole, *rates))


def test_output_is_late_by_four_milliseconds_at_most() -> None:
    resampler = Resampler(8_000, 16_000)

    made = resampler.push(np.zeros(160, np.float32))

    assert len(made) >= 320 - 4 * 16


def test_flush_starts_the_stream_anew() -> None:
    resampler = Resampler(24_000, 16_000)
    first = np.concatenate([resampler.push(tone(500, 24_000)), resampler.flush()])
    second = np.concatenate([resampler.push(tone(500, 24_000)), resampler.flush()])

    assert np.array_equal(first, second)


def test_equal_rates_pass_through() -> None:
    samples = tone(500, 16_000)

    assert np.array_equal(resample(samples, 16_000, 16_000), samples)


@pytest.mark.parametrize("rates", [(0, 8_000), (8_000, -1)])
def test_rates_that_make_no_sense_are_refused(rates: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="above 0"):
        Resampler(*rates)
