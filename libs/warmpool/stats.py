"""What a pool tells of itself: a snapshot, the causes for closing clients, and observer hooks.

Metrics and logs are written elsewhere, by subclassing `PoolObserver`.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from .breaker import BreakerState
from .errors import PoolError
from .lease import AllocationTier, Lease


class DiscardCause(enum.StrEnum):
    """Why a client was closed."""

    DISCARDED = "discard"
    """Its holder saw it fail, or ended the lease under an open stream."""
    RETIRED = "retired"
    """It was used, and its factory says that used clients carry old state."""
    EXPIRED = "expired"
    """Its lease ran out: the holder vanished."""
    FAILED_WARM = "failed_warm"
    FAILED_CHECK = "failed_check"
    FAILED_RESET = "failed_reset"
    CANCELLED = "cancelled"
    """A hook was cancelled, so that the client's state is not known."""
    MAX_AGE = "max_age"
    MAX_IDLE = "max_idle"
    MAX_USES = "max_uses"
    GENERATION = "generation"
    """It was opened before the last rotation."""
    DISPLACED = "displaced"
    """Another stock needed its place under the maximum."""
    CLOSED = "closed"
    """The pool was drained or closed."""


@dataclass(frozen=True, slots=True)
class StockStats:
    """One stock at one instant."""

    warm_target: int
    warm_count: int
    leased_count: int
    opening_count: int
    waiting_count: int
    breaker_state: BreakerState


@dataclass(frozen=True, slots=True)
class PoolStats:
    """A pool at one instant, and its counters since it was prepared."""

    name: str
    warm_target: int
    """Clients kept open ahead of demand, over all stocks."""
    max_size: int
    warm_count: int
    """Open, verified and idle."""
    leased_count: int
    opening_count: int
    closing_count: int
    """Being checked, reset or closed; they still count against the maximum."""
    waiting_count: int
    tier_counts: Mapping[AllocationTier, int]
    breaker_state: BreakerState
    """The worst of all stocks."""
    discarded_counts: Mapping[DiscardCause, int]
    opened_count: int = 0
    """Clients opened and verified."""
    open_failures: int = 0
    refused_count: int = 0
    """Requests that were answered with an error."""
    stocks: Mapping[str, StockStats] = field(default_factory=dict)


class PoolObserver:
    """Hooks that do nothing; override what you need.

    They run inside the pool's own steps, so they must be quick and must not wait. One that raises is
    logged and otherwise ignored. `stock` is empty for a pool with a single stock.
    """

    def allocated(self, lease: Lease, stock: str) -> None:
        """A lease was granted or found; `lease` has tier and duration."""

    def refused(self, session: str, error: PoolError, stock: str) -> None:
        """A request ended with `error`."""

    def released(self, session: str, held_seconds: float, stock: str) -> None:
        """A lease ended: given back, expired, or the pool closed."""

    def opened(self, seconds: float, stock: str) -> None:
        """A client was opened and verified."""

    def open_failed(self, error: BaseException, seconds: float, stock: str) -> None:
        """Opening or verifying failed."""

    def closed(self, cause: DiscardCause, age_seconds: float, uses: int, stock: str) -> None:
        """A client was let go of."""

    def breaker_changed(self, state: BreakerState, stock: str) -> None:
        """The breaker opened, probes, or closed."""

    def warm_target_changed(self, warm_target: int, stock: str) -> None:
        """Demand moved the target, or it was set."""

    def leak_suspected(self, lease_id: str, session: str, held_seconds: float, stock: str) -> None:
        """`session` has held its lease for longer than `leak_seconds`, or still did at close."""
