"""Of two pods chosen at random the freer one is asked; the unfit come last but are not forgotten."""

from __future__ import annotations

import random
from collections import Counter

from meshkit.picker import PodState, pick

CHOOSE = random.Random(7)


def picks(
    pods: dict[str, PodState], n: int = 400, now: float = 10.0, **more: object
) -> Counter[str]:
    return Counter(str(pick(pods, now, choose=CHOOSE, **more)) for _ in range(n))  # type: ignore[arg-type]


def test_no_pod_no_answer() -> None:
    assert pick({}, 0.0, choose=CHOOSE) is None


def test_of_two_the_freer_is_always_asked() -> None:
    assert picks({"a": PodState(9, 10), "b": PodState(1, 10)}) == {"b": 400}


def test_the_fullest_of_three_is_never_asked() -> None:
    counts = picks({"a": PodState(9, 10), "b": PodState(1, 10), "c": PodState(2, 10)})
    assert counts["a"] == 0
    assert counts["b"] > counts["c"] > 0


def test_draining_and_suspect_pods_are_passed_over() -> None:
    pods = {"a": PodState(draining=True), "b": PodState(suspect_until=11.0), "c": PodState(10, 10)}
    assert picks(pods) == {"c": 400}


def test_a_suspect_is_asked_again_after_its_time() -> None:
    pods = {"a": PodState(suspect_until=11.0), "b": PodState(5, 10)}
    assert picks(pods, now=11.0) == {"a": 400}


def test_a_lone_suspect_is_better_than_none_and_a_suspect_better_than_a_draining_pod() -> None:
    assert picks({"a": PodState(suspect_until=99.0)}) == {"a": 400}
    pods = {"a": PodState(suspect_until=99.0), "b": PodState(draining=True)}
    assert picks(pods) == {"a": 400}


def test_excluded_pods_are_not_asked() -> None:
    assert picks({"a": PodState(), "b": PodState()}, exclude=("a",)) == {"b": 400}
    assert pick({"a": PodState()}, 0.0, exclude=("a",), choose=CHOOSE) is None
