"""Who holds which client until when: the rules of the pool. Pure: no I/O, no tasks, no clock.

The ledger moves clients between the states of `holding.SlotState` and decides who is served, who
waits and who is refused; `supply.py` decides on the same state what is opened and closed. Neither
touches a client, except that a factory's `is_fit` and `in_use` are asked. The shell (`pool.py`,
`crew.py`) carries out what is left in the outboxes:

- `doomed`: clients to close; call `gone` when that is done.
- `unchecked`: idle clients to check for a waiter; call `deliver` or `doom` after it.
- `woken`: waiters that have their answer.
- `lapsed`: leases that ended without their holder's asking, for the observer.
- `errors`: what a factory's `is_fit` raised, for the log.

Two bounds hold at all times: no more than `max_size` clients exist, counted from the start of
opening to the end of closing, and there are no more than `max_size` leases.
"""

from __future__ import annotations

import enum
import random
import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import Generic, TypeVar

from .errors import (
    LeaseInUse,
    LeaseNotFound,
    LeaseNotOwned,
    PoolClosed,
    PoolDraining,
    PoolError,
)
from .factory import ClientFactory, Reuse
from .holding import Claim, Grant, Party, Slot, SlotState
from .lease import AllocationTier
from .options import PoolOptions
from .stats import DiscardCause
from .stock import Stock

T = TypeVar("T")

# Module names are faster than class attributes, and these are read on every allocation.
_DEDICATED = AllocationTier.DEDICATED
_WARM = AllocationTier.WARM
_COLD = AllocationTier.COLD
_CHECKING = SlotState.CHECKING
_IDLE = SlotState.IDLE
_LEASED = SlotState.LEASED
_RESETTING = SlotState.RESETTING
_RETIRE = Reuse.RETIRE


class Phase(enum.Enum):
    """Whether the pool serves."""

    CLOSED = "closed"
    OPEN = "open"
    DRAINING = "draining"


_OPEN = Phase.OPEN


class Ledger(Generic[T]):
    """The state of one pool. `now` is on one monotonic clock, in seconds, in every call."""

    def __init__(
        self,
        stocks: Mapping[str, tuple[ClientFactory[T], int]],
        *,
        name: str,
        max_size: int,
        max_waiting: int,
        options: PoolOptions,
        rng: random.Random,
        now: float,
    ) -> None:
        """`stocks` gives each stock's factory and its warm target."""
        self.name = name
        self.max_size = max_size
        self.max_waiting = max_waiting
        self.options = options
        self.phase = Phase.CLOSED
        self.stocks: dict[str, Stock[T]] = {
            key: Stock(
                key,
                factory,
                warm_target=warm_target,
                max_size=max_size,
                options=options,
                rng=rng,
                now=now,
            )
            for key, (factory, warm_target) in stocks.items()
        }
        self.grants: dict[str, Grant[T]] = {}
        self.slots: set[Slot[T]] = set()
        self.closing = 0
        self.todo = False
        """Set by whatever may leave the shell something to do."""
        self.doomed: list[Slot[T]] = []
        self.unchecked: list[Slot[T]] = []
        self.woken: list[Party[T]] = []
        self.lapsed: list[Grant[T]] = []
        self.errors: list[Exception] = []
        self.discarded_counts: dict[DiscardCause, int] = {}
        self.waiting_count = 0
        """Requests in all lines."""
        self._start = f"{random.SystemRandom().getrandbits(64):016x}"
        self.leases_made = 0
        self.leases_handed = 0
        """Of these, how many were handed to somebody in line."""
        self.bypass = options.check_bypass_seconds
        self._max_uses = sys.maxsize if options.max_uses is None else options.max_uses

    # ------------------------------------------------------------------ serving the line

    def deliver(self, slot: Slot[T], tier: AllocationTier, now: float) -> None:
        """A verified client is free: to the first in line who takes it, else to the warm set."""
        stock = slot.stock
        if (
            self.phase is not _OPEN
            or now >= slot.retire_at
            or slot.uses >= self._max_uses
            or slot.generation != stock.generation
        ) and (cause := self._unwanted(slot, now)) is not None:
            self.doom(slot, cause)
            return
        slot.checked_at = now
        slot.trusted_until = now + self.bypass
        if stock.line:
            claim = stock.next_in_line(tier, leases_left=self.max_size - len(self.grants))
            if claim is not None:
                self._hand_over(claim, slot, tier, now)
                return
        stock.rest(slot, now)
        if self.waiting_count:
            self.todo = True  # another stock's line may need its place
        if stock.generation and len(stock.idle) > stock.demand.target:
            self._replace_old(stock)

    def serve_from_idle(self, now: float) -> None:
        """Name the idle clients that somebody in line may have since a lease ended (`unchecked`)."""
        for stock in self.stocks.values():
            while stock.idle and stock.returning < len(stock.line):
                left = self.max_size - len(self.grants) - stock.returning
                if stock.next_in_line(_WARM, leases_left=left) is None:
                    break
                if (slot := self.pop_idle(stock, now)) is not None:
                    self.examine(slot)

    def examine(self, slot: Slot[T]) -> None:
        """Have an idle client checked; it has been taken out of the warm set."""
        slot.state = _CHECKING
        slot.stock.returning += 1
        self.unchecked.append(slot)
        self.todo = True

    def fail(self, claim: Claim[T], make_error: Callable[[], PoolError]) -> None:
        """Everybody who waits for `claim` gets an error of their own."""
        self.leave_line(claim)
        for party in claim.parties:
            if not party.settled:
                party.error = make_error()
                self.woken.append(party)
        self.todo = True

    # ------------------------------------------------------------------ holding

    def get(self, lease_id: str, session: str | None, now: float) -> Grant[T]:
        """The lease. Raises LeaseNotFound, LeaseNotOwned."""
        grant = self.grants.get(lease_id)
        if grant is not None and session is not None and session != grant.session:
            raise LeaseNotOwned("the lease belongs to another session", lease_id=lease_id)
        if grant is not None and now >= grant.expires_at and self.ran_out(grant, now):
            self.lapse(grant, now)
            grant = None
        if grant is None:
            raise LeaseNotFound(
                "no such lease: expired, released, or of an earlier start; allocate again",
                lease_id=lease_id,
            )
        return grant

    def holds(self, grant: Grant[T]) -> bool:
        """Whether a lease has not ended."""
        return self.grants.get(grant.lease_id) is grant

    def pin(self, lease_id: str, session: str | None, now: float) -> Grant[T]:
        """Open a stream on the lease. Raises LeaseInUse besides what `get` does."""
        grant = self.get(lease_id, session, now)
        if grant.streaming:
            raise LeaseInUse(
                "a stream is open on the lease; it takes one at a time", lease_id=lease_id
            )
        grant.streaming = True
        grant.untouched = False
        return grant

    def unpin(self, grant: Grant[T], now: float) -> None:
        """The stream ended. A broken client, or a used one that cannot be reused, is closed."""
        grant.streaming = False
        if not self.holds(grant):
            return
        grant.expires_at = max(grant.expires_at, now + grant.ttl)
        slot = grant.slot
        if slot is not None and (grant.broken or (grant.used and slot.stock.reuse is _RETIRE)):
            grant.slot = None
            self.doom(slot, DiscardCause.DISCARDED if grant.broken else DiscardCause.RETIRED)
        if grant.slot is None:
            grant.broken = grant.used = False

    def give_next(self, grant: Grant[T], slot: Slot[T]) -> None:
        """A lease whose client was closed gets its next one, idle until now and fit."""
        slot.state = _LEASED
        slot.uses += 1
        grant.slot = slot
        self.todo = True

    def end(self, grant: Grant[T], cause: DiscardCause | None = None) -> Slot[T] | None:
        """End a lease. With a `cause` its client is closed, as it is if a stream is open on it; else
        it goes back as its factory says. Returned if it must be reset first, for the shell to do so
        and `deliver` or `doom` it."""
        slot, stock = grant.slot, grant.stock
        del self.grants[grant.lease_id]
        del stock.held[grant.session]
        if (
            grant.untouched
            and cause is None
            and slot is not None
            and not self.waiting_count
            and self.phase is _OPEN
        ):  # it rests on, as if it had not been away
            slot.state = _IDLE
            stock.idle.append(slot)
            if stock.follows_demand:
                stock.demand.returned()
            return None
        return self._take_back(grant, slot, cause)

    def _take_back(
        self, grant: Grant[T], slot: Slot[T] | None, cause: DiscardCause | None
    ) -> Slot[T] | None:
        grant.slot = None
        if slot is None or self.waiting_count:
            self.todo = True  # somebody in line may have the lease's place
        if grant.renewal is not None:
            gone = partial(LeaseNotFound, "the lease has ended", lease_id=grant.lease_id)
            self.fail(grant.renewal, gone)
        if slot is None:
            return None
        if cause is not None or grant.broken or grant.streaming:
            self.doom(slot, cause or DiscardCause.DISCARDED)
        elif not grant.used:
            grant.stock.demand.returned()
            self.examine(slot)
        elif grant.stock.reuse is _RETIRE:
            self.doom(slot, DiscardCause.RETIRED)
        else:
            grant.stock.demand.returned()
            slot.state = _RESETTING
            return slot
        return None

    def ran_out(self, grant: Grant[T], now: float) -> bool:
        """Whether a lease is over because its time has passed. A factory that can tell that its
        client is in use keeps it alive."""
        if grant.lives(now):
            return False
        in_use, slot = grant.stock.in_use, grant.slot
        if in_use is None or slot is None or slot.client is None or not in_use(slot.client):
            return True
        grant.extend(grant.ttl, now)
        return False

    def lapse(self, grant: Grant[T], now: float) -> None:
        """A lease ends because its holder vanished; what it did to the client nobody knows."""
        self.end(grant, DiscardCause.EXPIRED)
        self.lapsed.append(grant)
        self.todo = True

    # ------------------------------------------------------------------ closing clients

    def doom(self, slot: Slot[T], cause: DiscardCause) -> None:
        """Have a client closed. It must be in no list and under no lease any more."""
        self.todo = True
        slot.state = SlotState.CLOSING
        slot.cause = cause
        if slot.client is None:  # opening failed before there was one
            self.slots.discard(slot)
            return
        self.closing += 1
        self.discarded_counts[cause] = self.discarded_counts.get(cause, 0) + 1
        self.doomed.append(slot)

    def gone(self, slot: Slot[T]) -> None:
        """A doomed client is closed: its place is free."""
        self.closing -= 1
        self.slots.discard(slot)
        self.todo = True

    def not_open(self) -> PoolClosed:
        """The refusal of a pool that grants nothing."""
        if self.phase is Phase.DRAINING:
            return PoolDraining(f"pool {self.name} is draining; ask another")
        return PoolClosed(f"pool {self.name} is not open; call prepare() first")

    # ------------------------------------------------------------------ moves

    def pop_idle(self, stock: Stock[T], now: float) -> Slot[T] | None:
        """Take the client used last, for the caller to check. None: there is none."""
        idle = stock.idle
        while idle:
            slot = idle.pop()
            if now < slot.best_before:
                slot.state = _CHECKING
                return slot
            self.doom(slot, stock.worn(slot, now) or DiscardCause.MAX_AGE)
        return None

    def join_line(self, claim: Claim[T]) -> None:
        """Put a request into its stock's line."""
        claim.ask.stock.join_line(claim)
        self.waiting_count += 1
        self.todo = True

    def leave_line(self, claim: Claim[T]) -> None:
        """Take it out again, if it is there."""
        if claim.ask.stock.leave_line(claim):
            self.waiting_count -= 1

    def _replace_old(self, stock: Stock[T]) -> None:
        old = stock.old_generation()
        if old is not None:
            stock.idle.remove(old)
            self.doom(old, DiscardCause.GENERATION)

    def bind(self, slot: Slot[T], session: str, ttl: float, now: float) -> Grant[T]:
        """Lease a client that is in no list to a session that holds none."""
        self.leases_made = number = self.leases_made + 1
        lease_id = f"{self._start}{number}"
        slot.state = _LEASED
        slot.uses += 1
        stock = slot.stock
        grant: Grant[T] = Grant()  # filled here: an __init__ costs more than all of it
        grant.lease_id = lease_id
        grant.session = session
        grant.stock = stock
        grant.slot = slot
        grant.ttl = ttl
        grant.granted_at = now
        grant.expires_at = now + ttl
        grant.untouched = True
        self.grants[lease_id] = stock.held[session] = grant
        missing = stock.demand.target - len(stock.idle)
        if missing > 0 and missing > stock.opening and len(self.slots) < self.max_size:
            self.todo = True
        return grant

    def _hand_over(self, claim: Claim[T], slot: Slot[T], tier: AllocationTier, now: float) -> None:
        self.leave_line(claim)
        if claim.renewal_of is not None:
            grant = claim.renewal_of
            grant.renewal = None
            self.give_next(grant, slot)
        else:
            ask = claim.ask
            self.leases_handed += 1
            grant = self.bind(slot, ask.session, ask.ttl, now)
            grant.tier = tier
            grant.request_id = ask.request_id
            grant.accepted = False
        for party in claim.parties:
            if not party.settled:
                party.grant = grant
                self.woken.append(party)
        self.todo = True

    def undo(self, grant: Grant[T], now: float) -> None:
        """Nobody took what was handed over: it goes on as it came."""
        slot, grant.slot = grant.slot, None
        self.end(grant)
        if slot is not None:
            slot.uses -= 1
            self.deliver(slot, grant.tier, now)

    def _unwanted(self, slot: Slot[T], now: float) -> DiscardCause | None:
        stock = slot.stock
        if self.phase is not Phase.OPEN and not (self.phase is Phase.DRAINING and stock.renewals):
            return DiscardCause.CLOSED
        if slot.generation != stock.generation and len(stock.idle) >= stock.demand.target:
            return DiscardCause.GENERATION
        return stock.worn(slot, now)
