"""Settings that make no sense are refused by name."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from tests.support.pool_factory import Factory
from warmpool import PoolOptions, WarmPool


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(PoolOptions)])
def test_no_option_may_be_negative_or_not_a_number(name: str) -> None:
    for value in (-1, float("nan")):
        with pytest.raises(ValueError, match=rf"PoolOptions\.{name} is"):
            PoolOptions(**{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "name", ["max_opening", "open_seconds", "sweep_seconds", "max_ttl_seconds"]
)
def test_some_may_not_be_zero(name: str) -> None:
    with pytest.raises(ValueError, match="must be more than 0"):
        PoolOptions(**{name: 0})


def test_others_may() -> None:
    PoolOptions(warm_ceiling=0, warm_margin=0, check_bypass_seconds=0, age_jitter=0)


def test_jitter_is_a_share() -> None:
    with pytest.raises(ValueError, match="below 1"):
        PoolOptions(age_jitter=1)


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"warm_target": -1}, "warm_target -1"),
        ({"warm_target": 5}, "warm_target 5 is not within 0 and max_size 4"),
        ({"max_size": 0}, "max_size is 0"),
        ({"max_waiting": -1}, "max_waiting is -1"),
        ({"default_ttl_seconds": 0}, "ttl_seconds 0"),
        ({"default_ttl_seconds": 1000}, "ttl_seconds 1000"),
        ({"warm_target": {"mars": 1}}, "unknown stocks: .*mars"),
        ({"factory": {}}, "no factory"),
    ],
)
def test_sizes_that_cannot_hold_together_are_refused(
    settings: dict[str, Any], complaint: str
) -> None:
    known = {"factory": Factory(), "name": "p", "warm_target": 1, "max_size": 4, **settings}
    with pytest.raises(ValueError, match=complaint):
        WarmPool(known.pop("factory"), **known)
