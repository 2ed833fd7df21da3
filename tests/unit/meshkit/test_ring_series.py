"""The ring of metrics: the newest of each series with a short history, bounded."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.ring_series import RingPoint, SeriesBounds, SeriesRing


def a_point(name: str = "calls", at: float = 1.0, value: float = 0.0, **labels: str) -> RingPoint:
    return RingPoint("gateway", name, "1", "gauge", labels, at, value)


HISTOGRAM = RingPoint(
    "gateway", "lag", "s", "histogram", {}, 1.0, 2.5, 10, (0.1, 0.5, 1.0), (5, 4, 0, 1)
)


def test_the_newest_is_told_with_its_history() -> None:
    ring = SeriesRing()
    ring.take([a_point(at=1, value=3), a_point(at=2, value=5), a_point(at=2, kind="warm")])
    told = ring.series()
    assert [(one.newest.labels, one.newest.value) for one in told] == [
        ({}, 5),
        ({"kind": "warm"}, 0),
    ]
    assert told[0].history == ((1, 3), (2, 5))


def test_what_comes_late_does_not_undo_what_is_known() -> None:
    ring = SeriesRing()
    ring.take([a_point(at=2, value=5), a_point(at=1, value=3)])
    (one,) = ring.series()
    assert (one.newest.value, one.history) == (5, ((2, 5),))


def test_series_of_one_metric() -> None:
    ring = SeriesRing()
    ring.take([a_point("b"), a_point("a", z="2"), a_point("a", z="1")])
    assert [one.newest.name for one in ring.series()] == ["a", "a", "b"]
    assert [one.newest.labels["z"] for one in ring.series("a")] == ["1", "2"]
    assert ring.series("c") == []


def test_the_history_of_a_histogram_is_its_count() -> None:
    ring = SeriesRing()
    ring.take([HISTOGRAM, replace(HISTOGRAM, at=2.0, count=12)])
    assert ring.series()[0].history == ((1.0, 10), (2.0, 12))


@pytest.mark.parametrize(
    ("share", "bound"), [(0.1, 0.1), (0.5, 0.1), (0.51, 0.5), (0.9, 0.5), (0.95, None)]
)
def test_the_bound_under_which_a_share_lies(share: float, bound: float | None) -> None:
    assert HISTOGRAM.at_most(share) == bound


def test_an_empty_histogram_has_no_bound() -> None:
    assert replace(HISTOGRAM, count=0, buckets=(0, 0, 0, 0)).at_most(0.5) is None


POINTS = st.builds(
    a_point,
    name=st.sampled_from("abcdef"),
    at=st.floats(0, 9),
    value=st.floats(0, 9),
    kind=st.sampled_from("xy"),
)


@given(st.lists(POINTS, max_size=80))
def test_the_bounds_hold_whatever_comes(points: list[RingPoint]) -> None:
    ring = SeriesRing(SeriesBounds(series=3, history=4))
    for point in points:
        ring.take([point])
        assert len(ring) <= 3
        for one in ring.series():
            times = [at for at, _ in one.history]
            assert 1 <= len(times) <= 4
            assert times == sorted(times)
            assert one.newest.at == times[-1]
