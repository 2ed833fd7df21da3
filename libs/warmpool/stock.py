"""One stock: the clients of one configuration, who holds them, and the line of those who wait. Pure.

A stock is kept for each configuration that needs connections of its own (a region, a credential).
What can ride in a request, such as voice and language, is no reason for a stock. The bound over all
stocks, and everything that needs it, is the ledger's.
"""

from __future__ import annotations

import random
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from .breaker import Breaker
from .demand import Demand
from .factory import ClientFactory
from .holding import Claim, Grant, Slot, SlotState
from .lease import AllocationTier
from .options import PoolOptions
from .stats import DiscardCause, StockStats

T = TypeVar("T")

_IDLE = SlotState.IDLE
_CHECKING = SlotState.CHECKING


class Stock(Generic[T]):
    """Its clients, holders and line, with the breaker and the demand that steer its opens."""

    def __init__(
        self,
        name: str,
        factory: ClientFactory[T],
        *,
        warm_target: int,
        max_size: int,
        options: PoolOptions,
        rng: random.Random,
        now: float,
    ) -> None:
        self.name = name
        self.factory = factory
        """Called by the shell only; the rules read its `reuse` and ask `is_fit` and `in_use`."""
        self.reuse = factory.reuse
        self.in_use: Callable[[T], bool] | None = getattr(factory, "in_use", None)
        self.is_fit: Callable[[T], bool] | None = getattr(factory, "is_fit", None)
        self.options = options
        self.generation = 0
        self.least_generation = 0
        """Clients of older generations are not reused at all; those between serve until replaced."""
        self.idle: list[Slot[T]] = []
        """Taken from the end: the client used last is the least likely to have died."""
        self.opening = 0
        self.returning = 0
        """Clients under a check or reset that takes its time; they will be idle soon."""
        self.held: dict[str, Grant[T] | Claim[T]] = {}
        """By session: its lease, or its place in the line."""
        self.line: OrderedDict[int, Claim[T]] = OrderedDict()
        self.thirsty = 0
        """Claims in the line that a client opened for them would serve."""
        self.renewals = 0
        """Of these, leases that want their next client."""
        self.throttled_until = now
        self.breaker = Breaker(
            failures=options.breaker_failures,
            backoff_seconds=options.backoff_seconds,
            max_backoff_seconds=options.max_backoff_seconds,
            slow_seconds=options.slow_open_seconds,
            draw=rng.random,
        )
        ceiling = warm_target if options.warm_ceiling is None else options.warm_ceiling
        self.demand = Demand(
            least=warm_target,
            most=min(max_size, ceiling),
            margin=options.warm_margin,
            half_life_seconds=options.demand_half_life_seconds,
            now=now,
        )
        self.follows_demand = options.warm_ceiling is not None
        self._rng = rng

    # ------------------------------------------------------------------ the line

    def join_line(self, claim: Claim[T]) -> None:
        """To the end; a lease that wants its next client goes to the front: its session was served."""
        self.line[claim.number] = claim
        if claim.renewal_of is not None:
            self.line.move_to_end(claim.number, last=False)
            self.renewals += 1
        else:
            self.held[claim.ask.session] = claim
        if claim.accepts(AllocationTier.COLD):
            self.thirsty += 1

    def leave_line(self, claim: Claim[T]) -> bool:
        """Out of the line, served or not. False: it was not in it."""
        if self.line.pop(claim.number, None) is None:
            return False
        if claim.renewal_of is not None:
            self.renewals -= 1
        elif self.held.get(claim.ask.session) is claim:
            del self.held[claim.ask.session]
        if claim.accepts(AllocationTier.COLD):
            self.thirsty -= 1
        return True

    def next_in_line(self, tier: AllocationTier, *, leases_left: int) -> Claim[T] | None:
        """The first who would take a client found at `tier`, and may have a lease for it."""
        for claim in self.line.values():
            if claim.accepts(tier) and (leases_left > 0 or claim.renewal_of is not None):
                return claim
        return None

    def newest_thirsty(self) -> Iterator[Claim[T]]:
        """Those who wait for an open, last come first."""
        return (c for c in reversed(list(self.line.values())) if c.accepts(AllocationTier.COLD))

    # ------------------------------------------------------------------ the clients

    def rest(self, slot: Slot[T], now: float) -> None:
        """Lay a verified client into the warm set."""
        if slot.state is not _CHECKING:  # a check is no use: its rest goes on
            slot.best_before = until = now + slot.max_idle
            if slot.retire_at < until:
                slot.best_before = slot.retire_at
        slot.state = _IDLE
        self.idle.append(slot)

    def old_generation(self) -> Slot[T] | None:
        """An idle client opened before the last rotation, the one used longest ago."""
        return next((slot for slot in self.idle if slot.generation != self.generation), None)

    def worn(self, slot: Slot[T], now: float) -> DiscardCause | None:
        """Why a client that nobody uses should be closed, if it should."""
        if slot.generation < self.least_generation:
            return DiscardCause.GENERATION
        if now >= slot.retire_at:
            return DiscardCause.MAX_AGE
        if self.options.max_uses is not None and slot.uses >= self.options.max_uses:
            return DiscardCause.MAX_USES
        if slot.state is _IDLE and now >= slot.best_before:
            return DiscardCause.MAX_IDLE
        return None

    def open_ended_well(self, slot: Slot[T], now: float) -> None:
        """Its age counts from now, and so does its rest, until somebody uses it."""
        slot.opened_at = now
        slot.retire_at = now + self.options.max_age_seconds * self._jitter()
        slot.max_idle = self.options.max_idle_seconds * self._jitter()
        slot.best_before = min(slot.retire_at, now + slot.max_idle)

    def ahead(self, now: float) -> int:
        """Clients missing from the warm set, unless a failure advises to wait."""
        if now < self.breaker.retry_at:
            return 0
        return max(0, self.demand.target - self.fresh_count)

    @property
    def fresh_count(self) -> int:
        """Idle clients of the present generation."""
        return sum(1 for slot in self.idle if slot.generation == self.generation)

    def _jitter(self) -> float:
        return 1.0 - self.options.age_jitter * self._rng.random()

    def stats(self, leased: int) -> StockStats:
        """This stock at this instant, with the number of leases on it."""
        return StockStats(
            warm_target=self.demand.target,
            warm_count=len(self.idle),
            leased_count=leased,
            opening_count=self.opening,
            waiting_count=len(self.line),
            breaker_state=self.breaker.state,
        )
