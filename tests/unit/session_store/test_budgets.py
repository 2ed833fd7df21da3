"""Times that requests bring are bounded."""

from __future__ import annotations

import pytest
from google.protobuf.duration_pb2 import Duration

from meshkit.errors import MeshError
from session_store.budgets import budget, owner_ttl, session_ttl


class Context:
    """As much of a ServicerContext as a budget reads."""

    def __init__(self, left: float | None) -> None:
        self._left = left

    def time_remaining(self) -> float | None:
        return self._left


@pytest.mark.parametrize(
    ("left", "seconds"), [(None, 2.0), (10.0, 2.0), (1.0, 0.9), (0.0, 0.001), (-1.0, 0.001)]
)
def test_a_budget_leaves_time_for_the_answer(left: float | None, seconds: float) -> None:
    assert budget(Context(left), 2.0) == pytest.approx(seconds)  # type: ignore[arg-type]


def test_no_ttl_is_the_default() -> None:
    assert owner_ttl(None, 10) == 10
    assert session_ttl(None, 7200) == 7200


@pytest.mark.parametrize("seconds", [0, -5, 601])
def test_an_ownership_lasts_a_second_to_ten_minutes(seconds: int) -> None:
    with pytest.raises(MeshError) as refused:
        owner_ttl(Duration(seconds=seconds), 10)
    assert refused.value.reason == "TTL_OUT_OF_RANGE"


@pytest.mark.parametrize("seconds", [0, -5, 604_801])
def test_a_session_lives_a_second_to_a_week(seconds: int) -> None:
    with pytest.raises(MeshError) as refused:
        session_ttl(Duration(seconds=seconds), 10)
    assert refused.value.reason == "ARGUMENT_INVALID"
