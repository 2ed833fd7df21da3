"""The ring of the caller's audio."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.caller_audio import CallerAudio


def samples(*values: int) -> bytes:
    return b"".join(value.to_bytes(2, "little") for value in values)


def test_gives_everything_once_in_order() -> None:
    audio = CallerAudio()
    audio.append(samples(1, 2))
    audio.append(samples(3, 4))
    assert audio.waiting == 4
    assert audio.take(6) == samples(1, 2, 3)
    audio.append(samples(5))
    assert audio.take(100) == samples(4, 5)
    assert audio.take(100) == b""
    assert (audio.position, audio.end, audio.waiting) == (5, 5, 0)


def test_rewinds_to_what_no_final_covers() -> None:
    audio = CallerAudio()
    for value in range(6):
        audio.append(samples(value))
    audio.take(8)
    audio.forget(2)
    assert audio.rewind() == 2
    assert audio.take(100) == samples(2, 3, 4, 5)


def test_what_was_not_taken_is_not_forgotten() -> None:
    audio = CallerAudio()
    audio.append(samples(1))
    audio.append(samples(2))
    audio.take(2)
    audio.forget(99)
    assert audio.rewind() == 1
    assert audio.take(100) == samples(2)


def test_a_frame_that_a_final_covers_in_part_is_kept() -> None:
    audio = CallerAudio()
    audio.append(samples(1, 2, 3))
    audio.take(100)
    audio.forget(2)
    assert audio.rewind() == 0


def test_is_bounded_and_counts_what_it_dropped_unheard() -> None:
    audio = CallerAudio(max_seconds=4 / 16_000)
    for value in range(10):
        audio.append(samples(value))
    assert audio.dropped_samples == 6
    assert audio.position == 6
    assert audio.take(100) == samples(6, 7, 8, 9)
    audio.append(samples(10))
    assert audio.dropped_samples == 6  # the dropped one had been heard


@given(
    st.lists(st.tuples(st.integers(1, 40), st.integers(0, 30), st.booleans()), max_size=40),
)
def test_whatever_is_taken_when_no_sample_is_lost_or_repeated(
    steps: list[tuple[int, int, bool]],
) -> None:
    audio, taken, value = CallerAudio(), b"", 0
    for size, most, forget in steps:
        audio.append(samples(*range(value, value + size)))
        value += size
        taken += audio.take(2 * most)
        if forget:
            audio.forget(audio.position)
    taken += audio.take(2 * value)
    assert taken == samples(*range(value))
