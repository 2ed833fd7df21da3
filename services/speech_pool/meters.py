"""What the pools count: allocations, opens, closes, and their state every few seconds.

`meshkit.metrics_table` has the names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from meshkit import metrics
from warmpool import BreakerState, DiscardCause, Lease, PoolError, PoolObserver, PoolStats


class PoolMeter(PoolObserver):
    """Counts what a pool tells, and tells `then`, if there is one, when a lease ends.

    `kind` is the pool's name. Only releases go further: they are all that quotas listen to.
    """

    def __init__(self, kind: str, then: PoolObserver | None = None) -> None:
        self._kind = kind
        self._then = then

    def allocated(self, lease: Lease, stock: str) -> None:
        """A lease was granted or found."""
        metrics.record(
            "voicemesh_pool_allocation_seconds",
            lease.allocation_seconds,
            kind=self._kind,
            tier=lease.tier.value,
        )

    def refused(self, session: str, error: PoolError, stock: str) -> None:
        """A request ended with an error."""
        metrics.add("voicemesh_pool_refusals_total", kind=self._kind)

    def released(self, session: str, held_seconds: float, stock: str) -> None:
        """A lease ended."""
        if self._then is not None:
            self._then.released(session, held_seconds, stock)

    def opened(self, seconds: float, stock: str) -> None:
        """A client was opened and verified."""
        metrics.record("voicemesh_pool_open_seconds", seconds, kind=self._kind, outcome="ok")

    def open_failed(self, error: BaseException, seconds: float, stock: str) -> None:
        """Opening or verifying failed."""
        metrics.record("voicemesh_pool_open_seconds", seconds, kind=self._kind, outcome="failed")

    def closed(self, cause: DiscardCause, age_seconds: float, uses: int, stock: str) -> None:
        """A client was let go of."""
        metrics.add("voicemesh_pool_closed_total", kind=self._kind, cause=cause.value)


def look(stats: Iterable[PoolStats]) -> None:
    """Set the gauges of every pool."""
    for one in stats:
        _look(one)


def watching(stats: Callable[[], Iterable[PoolStats]]) -> Callable[[], None]:
    """Set the gauges every few seconds, until the returned function is called."""
    return metrics.watch(lambda: look(stats()))


def _look(stats: PoolStats) -> None:
    states = {
        "warm": stats.warm_count,
        "leased": stats.leased_count,
        "opening": stats.opening_count,
        "closing": stats.closing_count,
        "waiting": stats.waiting_count,
        "max": stats.max_size,
        "warm_target": stats.warm_target,
    }
    for state, count in states.items():
        metrics.gauge("voicemesh_pool_clients", count, kind=stats.name, state=state)
    for breaker in BreakerState:
        current = float(breaker is stats.breaker_state)
        metrics.gauge("voicemesh_pool_breaker", current, kind=stats.name, state=breaker.value)
