"""Counting misheard words."""

from __future__ import annotations

import pytest

from tests.support.spoken_clips import misheard, vendored_clips, word_error_rate, words_of


@pytest.mark.parametrize(
    ("said", "heard", "count"),
    [
        ("ten of clubs", "Ten of clubs!", 0),
        ("five five", "5-5.", 0),
        ("ten of clubs", "of clubs", 1),
        ("ten of clubs", "ten of the clubs", 1),
        ("ten of clubs", "ten of gloves", 1),
        ("ten of clubs", "", 3),
        ("", "you", 1),
    ],
)
def test_misheard_words_are_counted(said: str, heard: str, count: int) -> None:
    assert misheard(said, heard) == count


def test_the_rate_is_over_all_words() -> None:
    assert word_error_rate([("a b c", "a b c"), ("d", "x")]) == 0.25


def test_clips_are_short_and_have_words() -> None:
    clips = vendored_clips()

    assert len(clips) == 7
    assert all(words_of(clip.words) for clip in clips)
    assert all(len(clip.samples) <= 5 * clip.hertz for clip in clips)
