"""The breaker by itself: pauses, tripping, probing, latency."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from warmpool.breaker import Breaker, BreakerState

CLOSED, OPEN, HALF_OPEN = BreakerState


def breaker(draw: Callable[[], float] = lambda: 1.0, **settings: float) -> Breaker:
    numbers = {
        "failures": 3,
        "backoff_seconds": 1.0,
        "max_backoff_seconds": 10.0,
        "slow_seconds": math.inf,
        **settings,
    }
    return Breaker(draw=draw, **numbers)  # type: ignore[arg-type]


def fail(it: Breaker, times: int, now: float = 0.0) -> None:
    for _ in range(times):
        it.failed(now, ConnectionError())


def test_a_well_provider_is_asked_without_limit() -> None:
    it = breaker()
    assert it.permits(0.0) is None
    it.succeeded(0.0, 0.2)
    assert (it.state, it.permits(0.0)) == (CLOSED, None)


def test_after_the_first_failure_the_next_goes_at_once_but_alone() -> None:
    it = breaker()
    fail(it, 1)
    assert (it.state, it.permits(0.0)) == (CLOSED, 1)


def test_after_the_second_failure_the_next_waits_for_the_pause() -> None:
    it = breaker()
    fail(it, 2)
    assert (it.state, it.permits(1.9), it.permits(2.0)) == (CLOSED, 0, 1)


def test_it_opens_at_the_limit_and_lets_one_probe_through_after_the_pause() -> None:
    it = breaker()
    fail(it, 3)
    assert (it.state, it.permits(3.9), it.retry_after(1.0)) == (OPEN, 0, 3.0)
    assert it.permits(4.0) == 1
    it.started()
    assert it.state is HALF_OPEN


def test_a_probe_that_succeeds_closes_it() -> None:
    it = breaker()
    fail(it, 3)
    it.started()
    it.succeeded(5.0, 0.2)
    assert (it.state, it.permits(5.0), it.last_error) == (CLOSED, None, None)


def test_a_probe_that_fails_doubles_the_pause_up_to_its_bound() -> None:
    it = breaker()
    pauses = []
    now = 0.0
    for _ in range(8):
        fail(it, 1, now)
        pauses.append(it.retry_at - now)
        now = it.retry_at
        if it.state is OPEN:
            it.started()
    assert pauses == [1, 2, 4, 8, 10, 10, 10, 10]


@pytest.mark.parametrize(("drawn", "pause"), [(0.0, 0.5), (0.5, 0.75), (1.0, 1.0)])
def test_pauses_are_jittered_and_never_below_half(drawn: float, pause: float) -> None:
    it = breaker(draw=lambda: drawn)
    fail(it, 1)
    assert it.retry_at == pause


def test_opens_in_flight_when_it_opened_do_not_lengthen_its_pause() -> None:
    it = breaker()
    fail(it, 3)
    until = it.retry_at
    fail(it, 20, now=1.0)
    assert it.retry_at == until


def test_an_open_in_flight_that_ends_well_closes_it() -> None:
    it = breaker()
    fail(it, 3)
    it.succeeded(0.5, 0.2)
    assert it.state is CLOSED


def test_successes_between_failures_keep_it_closed() -> None:
    it = breaker()
    for _ in range(10):
        fail(it, 2)
        it.succeeded(0.0, 0.2)
    assert it.state is CLOSED


def test_slow_successes_count_as_failures() -> None:
    it = breaker(slow_seconds=2.0)
    for _ in range(3):
        it.succeeded(0.0, 2.5)
    assert it.state is OPEN
    assert isinstance(it.last_error, TimeoutError)


def test_an_abandoned_probe_lets_the_next_one_go() -> None:
    it = breaker()
    fail(it, 3)
    it.started()
    it.abandoned()
    assert (it.state, it.permits(4.0)) == (OPEN, 1)


def test_the_retry_hint_is_never_zero() -> None:
    assert breaker().retry_after(1e9) > 0
