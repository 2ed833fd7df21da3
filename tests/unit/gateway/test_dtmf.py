"""Keys gathered into inputs."""

from __future__ import annotations

import pytest

from gateway.dtmf import MAX_TONES, DtmfBuffer


def test_the_terminator_ends_an_input_and_is_no_part_of_it() -> None:
    keys = DtmfBuffer("#", 3.0)
    assert [keys.press(tone, 1.0) for tone in "123#"] == [None, None, None, "123"]
    assert keys.wake_at is None


def test_the_terminator_alone_is_an_input() -> None:
    assert DtmfBuffer("#", 3.0).press("#", 1.0) == "#"


def test_no_key_for_long_enough_ends_an_input() -> None:
    keys = DtmfBuffer("#", 3.0)
    keys.press("4", 1.0)
    keys.press("2", 2.0)
    assert keys.wake_at == pytest.approx(5.0)
    assert keys.due(4.9) is None
    assert keys.due(5.0) == "42"
    assert keys.due(9.0) is None


def test_each_input_begins_anew() -> None:
    keys = DtmfBuffer("*", 3.0)
    for tone in "1*":
        keys.press(tone, 1.0)
    assert keys.press("2", 1.0) is None
    assert keys.press("*", 1.0) == "2"


def test_an_input_is_bounded() -> None:
    keys = DtmfBuffer("#", 3.0)
    taken = [keys.press("1", 1.0) for _ in range(MAX_TONES)]
    assert taken[-1] == "1" * MAX_TONES
    assert keys.wake_at is None
