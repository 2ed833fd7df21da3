"""The warm target follows arrivals over one open time, at the busiest."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmpool.demand import Demand


def demand(least: int = 2, most: int = 50, margin: int = 2, half_life: float = 100.0) -> Demand:
    return Demand(least=least, most=most, margin=margin, half_life_seconds=half_life, now=0.0)


def arrive(it: Demand, times: list[float]) -> None:
    for time in times:
        it.arrived(time)


def test_without_arrivals_it_is_the_least() -> None:
    it = demand()
    assert it.target == 2
    assert it.fade(1000.0) is False


def test_a_burst_within_one_open_time_is_wanted_whole_with_a_margin() -> None:
    it = demand()
    arrive(it, [0.01 * number for number in range(20)])
    assert it.target == 22


def test_a_steady_rate_is_multiplied_by_the_open_time() -> None:
    """Four a second, opened in a fifth of a second each: one, and the margin."""
    it = demand()
    it.opened(0.2, first=True)
    arrive(it, [0.25 * number for number in range(100)])
    assert it.target == 1 + 2


def test_slower_opens_ask_for_more() -> None:
    it = demand()
    it.opened(2.0, first=True)
    arrive(it, [0.25 * number for number in range(100)])
    assert it.target == 9 + 2  # both ends of the two seconds count


def test_a_client_that_comes_back_makes_up_for_one_arrival() -> None:
    """Calls one after another need one client, however many they are."""
    it = demand()
    for number in range(50):
        it.arrived(0.01 * number)
        it.returned()
    assert it.target == 1 + 2
    it.returned()
    assert it.arrived(1.0) is False


def test_the_open_time_is_a_moving_mean() -> None:
    it = demand()
    it.opened(0.2, first=True)
    assert it.open_seconds == pytest.approx(0.2)
    for _ in range(50):
        it.opened(1.0)
    assert it.open_seconds == pytest.approx(1.0, abs=0.01)


def test_a_burst_fades_by_half_in_each_half_life() -> None:
    it = demand(margin=0)
    arrive(it, [0.0] * 32)
    wanted = []
    for lives in range(1, 7):
        it.fade(100.0 * lives)
        wanted.append(it.target)
    assert wanted == [16, 8, 4, 2, 2, 2]


def test_fading_in_many_steps_is_fading_in_one() -> None:
    one, many = demand(), demand()
    for it in (one, many):
        arrive(it, [0.0] * 40)
    one.fade(150.0)
    for step in range(1, 151):
        many.fade(float(step))
    assert one.target == many.target


def test_the_most_is_never_passed_and_the_least_never_undercut() -> None:
    it = demand(least=3, most=5)
    arrive(it, [0.0] * 100)
    assert it.target == 5
    it.fade(1e6)
    assert it.target == 3


def test_a_fixed_target_stays() -> None:
    it = demand(least=4, most=4)
    arrive(it, [0.0] * 100)
    assert it.target == 4
    assert it.set_least(6) is True
    arrive(it, [1.0] * 100)
    assert it.target == 6


def test_the_least_can_be_raised_and_lowered() -> None:
    it = demand()
    assert it.set_least(10) is True
    assert it.target == 10
    assert it.set_least(1) is True
    assert it.target == 1
    it.set_least(60)
    assert it.target == 60


@given(
    times=st.lists(st.floats(0, 1000), max_size=200).map(sorted),
    open_seconds=st.floats(0.01, 10),
)
def test_any_arrivals_leave_the_target_within_its_bounds(
    times: list[float], open_seconds: float
) -> None:
    it = demand(least=1, most=20)
    it.opened(open_seconds, first=True)
    for time in times:
        before = it.target
        assert it.arrived(time) is (it.target != before)
        assert 1 <= it.target <= 20
        it.fade(time)
