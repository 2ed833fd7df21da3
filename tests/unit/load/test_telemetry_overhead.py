"""What the bench of telemetry makes of its rounds."""

from __future__ import annotations

import pytest

from tests.load.telemetry_overhead import (
    MAX_RATIO,
    ORDERS,
    STUDENT,
    as_shipped,
    interval,
    our_code_alone,
)


def test_a_mean_has_the_interval_of_students_t() -> None:
    found = interval([1.00, 1.02, 1.04])
    assert found.mean == pytest.approx(1.02)
    assert found.half == pytest.approx(4.303 * 0.02 / 3**0.5)  # 4.303: tables, 2 degrees, 0.975


@pytest.mark.parametrize(
    ("ratios", "verdict"),
    [
        ([1.01, 1.02, 1.015, 1.02], "shown"),
        ([1.00, 1.09, 1.00, 1.09], "not decided"),
        ([0.90, 1.10, 0.92, 1.12], "not decided"),
        ([1.09, 1.10, 1.11, 1.10], "refuted"),
    ],
)
def test_a_run_that_scatters_decides_nothing(ratios: list[float], verdict: str) -> None:
    assert interval(ratios).verdict == verdict


def test_each_mesh_is_as_often_the_first_second_and_third() -> None:
    for some in (ORDERS[:3], ORDERS):
        for place in zip(*some, strict=True):
            assert {place.count(name) for name in place} == {len(some) // 3}


def test_the_number_of_rounds_is_fixed_and_has_its_quantile() -> None:
    for kind in (as_shipped(), our_code_alone()):
        assert kind.rounds % 3 == 0
        assert kind.rounds - 1 in STUDENT
    assert MAX_RATIO == 1.05
