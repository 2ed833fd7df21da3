"""Equal records pass up to a number in a window; what did not is counted and told once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from meshkit.log_repeats import MAX_KINDS, RepeatLimit


def test_the_first_of_a_window_pass_and_the_rest_are_counted() -> None:
    limit: RepeatLimit[str] = RepeatLimit(admitted=2, seconds=10)
    assert [limit.admits("a", now) for now in (0, 1, 2, 3)] == [True, True, False, False]
    assert limit.over(9.9) == []
    assert limit.over(10) == [("a", 2)]
    assert limit.over(10) == []
    assert limit.admits("a", 10)


def test_kinds_do_not_disturb_each_other() -> None:
    limit: RepeatLimit[str] = RepeatLimit(admitted=1, seconds=10)
    assert limit.admits("a", 0)
    assert limit.admits("b", 0)
    assert not limit.admits("a", 0)
    assert limit.over(10) == [("a", 1)]


def test_the_kinds_that_are_watched_are_bounded() -> None:
    limit: RepeatLimit[int] = RepeatLimit(admitted=1, seconds=10)
    for kind in range(3 * MAX_KINDS):
        limit.over(0)
        limit.admits(kind, 0)
    assert len(limit._windows) <= MAX_KINDS


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 100)), max_size=200))
def test_none_is_lost(records: list[tuple[str, float]]) -> None:
    limit: RepeatLimit[str] = RepeatLimit(admitted=3, seconds=10)
    passed = told = 0
    for kind, now in sorted(records, key=lambda record: record[1]):
        told += sum(count for _, count in limit.over(now))
        passed += limit.admits(kind, now)
    told += sum(count for _, count in limit.over(float("inf")))
    assert passed + told == len(records)
