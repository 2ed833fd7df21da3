"""Positions of the service in the caller's audio."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from speech_pool.engines.azure.timeline import MAX_GAPS, TICKS_PER_SECOND, Timeline

SECOND = TICKS_PER_SECOND


@pytest.mark.parametrize("hertz", [8_000, 16_000, 24_000])
def test_ticks_are_samples_at_the_written_rate(hertz: int) -> None:
    timeline = Timeline(16_000, hertz, first_sample=700)

    assert timeline.sample(0) == 700
    assert timeline.sample(SECOND // 2) == 700 + hertz // 2


def test_inserted_silence_takes_no_time() -> None:
    timeline = Timeline(16_000, 16_000, 0)
    timeline.send(16_000)
    timeline.insert(8_000)
    timeline.send(16_000)

    assert timeline.sample(SECOND) == 16_000
    assert timeline.sample(SECOND + SECOND // 4) == 16_000  # within the silence
    assert timeline.sample(2 * SECOND) == 24_000


def test_silence_inserted_twice_counts_twice() -> None:
    timeline = Timeline(16_000, 8_000, 0)
    for _ in range(2):
        timeline.send(16_000)
        timeline.insert(16_000)
    timeline.send(16_000)

    assert timeline.sample(5 * SECOND) == 3 * 8_000


@given(st.lists(st.integers(1, 16_000), min_size=MAX_GAPS + 1, max_size=3 * MAX_GAPS))
def test_the_present_is_right_however_often_silence_was_inserted(gaps: list[int]) -> None:
    timeline = Timeline(16_000, 16_000, 0)
    for gap in gaps:
        timeline.send(160)
        timeline.insert(gap)
    sent = sum(gaps) + 160 * len(gaps)

    assert timeline.sample(sent * SECOND // 16_000) == pytest.approx(160 * len(gaps), abs=1)


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_later_is_never_earlier(one: int, other: int) -> None:
    timeline = Timeline(16_000, 24_000, 0)
    timeline.send(100_000)
    timeline.insert(20_000)

    assert timeline.sample(min(one, other)) <= timeline.sample(max(one, other))
