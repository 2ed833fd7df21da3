"""Usage is summed by thing; cached tokens are taken from those read."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.usage import CallUsage, Thing, Unit, billable_characters

MINUTE = Thing("acs", "voip", Unit.TELEPHONY_MINUTE)


def test_the_same_thing_is_summed_and_nothing_is_not_kept() -> None:
    usage = CallUsage()
    usage.add(MINUTE, Decimal("0.5"))
    usage.add(MINUTE, 2)
    usage.add(Thing("azure-speech", "", Unit.SPEECH_SECOND), 0)
    assert usage.sums() == {MINUTE: Decimal("2.5")}


def test_less_than_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="telephony_minute"):
        CallUsage().add(MINUTE, -1)


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6))
def test_tokens_are_counted_once(fresh: int, cached: int, written: int) -> None:
    usage = CallUsage()
    usage.add_tokens("openai", "m", "a", read=fresh + cached, cached=cached, written=written)
    assert usage.total(Unit.INPUT_TOKEN) == fresh
    assert usage.total(Unit.CACHED_TOKEN) == cached
    assert usage.total(Unit.OUTPUT_TOKEN) == written


@pytest.mark.parametrize(
    ("text", "billed"), [("", 0), ("Hi, Ada.", 8), ("你好!", 5), ("漢字かな", 6)]
)
def test_chinese_characters_count_twice(text: str, billed: int) -> None:
    assert billable_characters(text) == billed
