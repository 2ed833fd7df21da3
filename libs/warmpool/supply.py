"""What is opened and what is closed, and when: refill, demand, breaker, wear. Pure, on the ledger.

Opens follow from the state and are planned anew after every change: one for each request in line
that may have a lease, and as many as the warm sets lack, under the maximum, the cap on opens in
progress and the breaker. No open belongs to a request: whoever is first in line gets what comes
first.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Generic, TypeVar

from .breaker import BreakerState
from .errors import BreakerOpen, OpenThrottled
from .holding import Grant, Slot, SlotState
from .lease import AllocationTier
from .ledger import Ledger, Phase
from .requests import Requests
from .stats import DiscardCause, PoolStats
from .stock import Stock

T = TypeVar("T")


class Supply(Generic[T]):
    """Opens and closes for one ledger."""

    def __init__(self, ledger: Ledger[T], requests: Requests[T]) -> None:
        self._ledger = ledger
        self._requests = requests
        self._opening = 0
        self._measured: set[str] = set()
        self.opened_count = 0
        self.open_failures = 0

    # ------------------------------------------------------------------ opening

    def plan(self, now: float) -> list[Slot[T]]:
        """New places, each to be opened by the shell now. Refuses waiters that cannot be helped."""
        if self._ledger.phase is Phase.CLOSED:
            return []
        starts: list[Slot[T]] = []
        for stock in self._oldest_first():
            starts += self._start(stock, self._lack(stock), now)
            self._refuse_hopeless(stock, now)
        if self._ledger.phase is Phase.OPEN:
            for stock in self._ledger.stocks.values():
                starts += self._start(stock, self._lack(stock) + stock.ahead(now), now)
        self._make_room(now)
        return starts

    def opened(self, slot: Slot[T], now: float, seconds: float) -> None:
        """A client was opened and verified: it serves whoever is first in line."""
        stock = slot.stock
        self._ended(stock)
        self.opened_count += 1
        stock.open_ended_well(slot, now)
        stock.demand.opened(seconds, first=stock.name not in self._measured)
        self._measured.add(stock.name)
        stock.breaker.succeeded(now, seconds)
        self._ledger.deliver(slot, AllocationTier.COLD, now)
        self._ledger.todo = True

    def failed(self, slot: Slot[T], error: BaseException, now: float) -> None:
        """Opening or verifying failed."""
        stock = slot.stock
        self._ended(stock)
        self.open_failures += 1
        if isinstance(error, OpenThrottled):
            stock.throttled_until = now + max(0.0, error.retry_after_seconds)
            stock.breaker.abandoned()
        else:
            stock.breaker.failed(now, error)
        self._ledger.doom(slot, DiscardCause.FAILED_WARM)

    def abandoned(self, slot: Slot[T]) -> None:
        """Opening was cancelled."""
        self._ended(slot.stock)
        slot.stock.breaker.abandoned()
        self._ledger.doom(slot, DiscardCause.CANCELLED)

    # ------------------------------------------------------------------ passing time

    def sweep(self, now: float) -> list[Grant[T]]:
        """What time has brought about. Returns the leases held suspiciously long."""
        ledger = self._ledger
        for stock in ledger.stocks.values():
            if stock.follows_demand and stock.demand.fade(now):
                ledger.todo = True
            for slot in [s for s in stock.idle if stock.worn(s, now) is not None]:
                stock.idle.remove(slot)
                ledger.doom(slot, stock.worn(slot, now) or DiscardCause.MAX_AGE)
            self._examine_idle(stock, now)
            for claim in list(stock.line.values()):
                for party in [p for p in claim.parties if p.deadline <= now]:
                    self._requests.time_out(party, now)
        for grant in [g for g in ledger.grants.values() if ledger.ran_out(g, now)]:
            ledger.lapse(grant, now)
        ledger.todo = True
        return self._leaks(now)

    def next_due(self, now: float) -> float:
        """When to sweep or plan next, at the latest."""
        due = now + self._ledger.options.sweep_seconds
        for stock in self._ledger.stocks.values():
            for claim in stock.line.values():
                due = min([due, *(p.deadline for p in claim.parties if not p.settled)])
        return min(due, self.retry_due(now))

    def retry_due(self, now: float) -> float:
        """When a pause that holds back opens is over."""
        pauses = (
            max(stock.throttled_until, stock.breaker.retry_at)
            for stock in self._ledger.stocks.values()
        )
        return min((pause for pause in pauses if pause > now), default=float("inf"))

    # ------------------------------------------------------------------ commands

    def set_warm_target(self, stock: Stock[T], warm_target: int) -> bool:
        """Move the lower bound of the target. True if that moved the target."""
        self._ledger.todo = True
        return stock.demand.set_least(warm_target)

    def rotate(self, stock: Stock[T], *, drop: bool) -> None:
        """Replace the clients opened until now: at once (`drop`), or as new ones are ready."""
        stock.generation += 1
        for grant in self._ledger.grants.values():
            grant.untouched = False  # so that its client's age is looked at when it comes home
        if drop:
            stock.least_generation = stock.generation
            self._doom_idle(stock, DiscardCause.GENERATION)
        self._ledger.todo = True

    def drain(self) -> None:
        """No new leases; whoever waits for one is refused, idle clients are closed."""
        ledger = self._ledger
        ledger.phase = Phase.DRAINING
        for stock in ledger.stocks.values():
            for claim in [c for c in stock.line.values() if c.renewal_of is None]:
                ledger.fail(claim, ledger.not_open)
            self._doom_idle(stock, DiscardCause.CLOSED)

    def shut(self, now: float) -> list[Grant[T]]:
        """Everything ends. Returns the leases that were still held."""
        ledger = self._ledger
        ledger.phase = Phase.CLOSED
        for stock in ledger.stocks.values():
            for claim in list(stock.line.values()):
                ledger.fail(claim, ledger.not_open)
            self._doom_idle(stock, DiscardCause.CLOSED)
        held = list(ledger.grants.values())
        for grant in held:
            ledger.end(grant, DiscardCause.CLOSED)
        ledger.todo = True
        return held

    def stats(self, refused_count: int) -> PoolStats:
        """The pool at this instant."""
        ledger = self._ledger
        leased = dict.fromkeys(ledger.stocks, 0)
        for grant in ledger.grants.values():
            leased[grant.stock.name] += 1
        stocks = {key: stock.stats(leased[key]) for key, stock in ledger.stocks.items()}
        states = {stock.breaker_state for stock in stocks.values()}
        worst = (BreakerState.OPEN, BreakerState.HALF_OPEN, BreakerState.CLOSED)
        passing = (SlotState.CHECKING, SlotState.RESETTING, SlotState.CLOSING)
        return PoolStats(
            name=ledger.name,
            warm_target=sum(stock.warm_target for stock in stocks.values()),
            max_size=ledger.max_size,
            warm_count=sum(stock.warm_count for stock in stocks.values()),
            leased_count=len(ledger.grants),
            opening_count=self._opening,
            closing_count=sum(slot.state in passing for slot in ledger.slots),
            waiting_count=ledger.waiting_count,
            tier_counts={
                AllocationTier.DEDICATED: self._requests.dedicated_count,
                AllocationTier.WARM: self._requests.warm_count,
                AllocationTier.COLD: self._requests.cold_count,
            },
            breaker_state=next(state for state in worst if state in states),
            discarded_counts=dict(ledger.discarded_counts),
            opened_count=self.opened_count,
            open_failures=self.open_failures,
            refused_count=refused_count,
            stocks=stocks,
        )

    # ------------------------------------------------------------------ rules

    def _lack(self, stock: Stock[T]) -> int:
        """Clients that the line of this stock may have and nobody is bringing."""
        leases_left = max(0, self._ledger.max_size - len(self._ledger.grants))
        wanted = stock.renewals + min(stock.thirsty - stock.renewals, leases_left)
        return wanted - stock.opening - stock.returning

    def _start(self, stock: Stock[T], count: int, now: float) -> list[Slot[T]]:
        ledger = self._ledger
        permits = stock.breaker.permits(now)
        if permits is not None:
            count = min(count, permits - stock.opening)
        if now < stock.throttled_until:
            count = 0
        count = min(
            count,
            ledger.max_size - len(ledger.slots),
            ledger.options.max_opening - self._opening,
        )
        slots = [Slot(stock, stock.generation, now) for _ in range(count)]
        ledger.slots.update(slots)
        stock.opening += len(slots)
        self._opening += len(slots)
        if slots:
            stock.breaker.started()
        return slots

    def _ended(self, stock: Stock[T]) -> None:
        stock.opening -= 1
        self._opening -= 1

    def _refuse_hopeless(self, stock: Stock[T], now: float) -> None:
        """While the breaker is open, whoever would need an open that may not start is told so, last
        come first. Those at the maximum wait for a lease to end, which the breaker does not touch."""
        breaker = stock.breaker
        if breaker.state is BreakerState.CLOSED or (uncovered := self._lack(stock)) <= 0:
            return

        def refusal() -> BreakerOpen:
            error = BreakerOpen(
                f"pool {self._ledger.name}: the provider fails "
                f"({type(breaker.last_error).__name__}); it is not asked now",
                retry_after_seconds=breaker.retry_after(now),
            )
            error.__cause__ = breaker.last_error
            return error

        for claim in list(islice(stock.newest_thirsty(), uncovered)):
            self._ledger.fail(claim, refusal)

    def _make_room(self, now: float) -> None:
        """At the maximum, close what is idle where nobody needs it for those who wait elsewhere."""
        ledger = self._ledger
        if len(ledger.slots) < ledger.max_size:
            return
        for stock in self._oldest_first():
            if now < stock.throttled_until or stock.breaker.permits(now) == 0:
                continue
            for _ in range(self._lack(stock) - ledger.closing):
                if not self._displace(stock):
                    return
        for stock in ledger.stocks.values():
            old = stock.old_generation()
            if old is not None and ledger.closing == 0 and stock.ahead(now) > 0:
                stock.idle.remove(old)
                ledger.doom(old, DiscardCause.GENERATION)

    def _displace(self, stock: Stock[T]) -> bool:
        """Close the idle client that is missed least: where most lie beyond the target."""
        donors = [s for s in self._ledger.stocks.values() if s.idle]
        if not donors:
            return False
        donor = max(donors, key=lambda s: (s is not stock, len(s.idle) - s.demand.target))
        self._ledger.doom(donor.idle.pop(0), DiscardCause.DISPLACED)
        return True

    def _oldest_first(self) -> Iterator[Stock[T]]:
        waiting = [stock for stock in self._ledger.stocks.values() if stock.line]
        return iter(sorted(waiting, key=lambda stock: next(iter(stock.line))))

    def _examine_idle(self, stock: Stock[T], now: float) -> None:
        """Have the idle checked that were not lately; never more than half of them at once."""
        horizon = now - self._ledger.options.check_interval_seconds
        due = [slot for slot in stock.idle if slot.checked_at <= horizon]
        for slot in due[: max(1, len(stock.idle) // 2)]:
            stock.idle.remove(slot)
            self._ledger.examine(slot)

    def _doom_idle(self, stock: Stock[T], cause: DiscardCause) -> None:
        for slot in stock.idle:
            self._ledger.doom(slot, cause)
        stock.idle.clear()

    def _leaks(self, now: float) -> list[Grant[T]]:
        limit = now - self._ledger.options.leak_seconds
        leaks = [
            g for g in self._ledger.grants.values() if g.granted_at <= limit and not g.leak_told
        ]
        for grant in leaks:
            grant.leak_told = True
        return leaks
