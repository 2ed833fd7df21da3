"""What of a text was heard."""

from __future__ import annotations

import pytest

from gateway.heard import SAMPLES_PER_CODE_POINT, SpokenText

TEXT = "Your balance is 25 dollars."
WORDS = [(0, 4, 0), (5, 7, 1000), (13, 2, 3000), (16, 2, 4000), (19, 8, 6000)]


def with_words() -> SpokenText:
    spoken = SpokenText(TEXT)
    for offset, length, sample in WORDS:
        spoken.boundary(offset, length, sample)
    return spoken


@pytest.mark.parametrize(
    ("samples", "heard"),
    [
        (0, ""),
        (400, ""),
        (500, "Your"),
        (1900, "Your"),
        (2000, "Your balance"),
        (5000, "Your balance is 25"),
        (6999, "Your balance is 25"),
        (7000, "Your balance is 25 dollars."),
        (8000, "Your balance is 25 dollars."),
    ],
)
def test_a_word_counts_once_half_of_it_was_played(samples: int, heard: str) -> None:
    assert TEXT[: with_words().heard_length(samples, 8000, complete=True)] == heard


def test_a_last_word_whose_audio_did_not_come_counts_when_it_began() -> None:
    assert with_words().heard_length(5999, 6000, complete=False) == len("Your balance is 25")


def test_without_boundaries_the_share_decides_in_whole_words() -> None:
    spoken = SpokenText(TEXT)
    assert TEXT[: spoken.heard_length(5000, 10_000, complete=True)] == "Your balance"
    assert spoken.heard_length(10_000, 10_000, complete=True) == len(TEXT)
    assert spoken.heard_length(100, 10_000, complete=True) == 0


def test_without_boundaries_an_unfinished_segment_is_judged_by_the_pace_of_speech() -> None:
    spoken = SpokenText(TEXT)
    half = len(TEXT) * SAMPLES_PER_CODE_POINT // 2
    assert TEXT[: spoken.heard_length(half, half, complete=False)] == "Your balance"


def test_lengths_are_code_points_not_bytes() -> None:
    spoken = SpokenText("Grüße 😀 an alle")
    assert spoken.heard_length(100, 100, complete=True) == 15


def test_one_long_word_in_part_was_not_heard() -> None:
    assert SpokenText("Donaudampfschiff").heard_length(50, 100, complete=True) == 0
