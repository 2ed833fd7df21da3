"""Any order of asking, giving back, streaming, expiry, failure and cancellation keeps the books right.

The machine plays the shell: it opens, checks, resets and closes, in any order and with any outcome,
what the ledger leaves to do. After every step the ledger has been settled, and the invariants hold:
no client is ever in two places, none is lost, the counts add up, both bounds hold, and nobody waits
while what he wants is idle.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.support.pool_factory import Client, Factory, TellingFactory
from warmpool import (
    AllocationTier,
    DiscardCause,
    Lease,
    LeaseError,
    OpenThrottled,
    PoolError,
    PoolOptions,
    Reuse,
)
from warmpool.holding import Ask, Claim, Grant, Party, Slot, SlotState
from warmpool.ledger import Ledger, Phase
from warmpool.requests import Requests
from warmpool.supply import Supply

SESSIONS = st.sampled_from([f"session-{number}" for number in range(12)])
STOCKS = st.sampled_from(["here", "there"])
TIERS = st.sampled_from(
    [None, None, None, {AllocationTier.WARM}, {AllocationTier.COLD}, set(AllocationTier)]
)

OPENS = st.sampled_from(["well", "well", "well", "fail", "throttle", "cancel"])
PICK = st.integers(0, 999)
MOSTLY = st.sampled_from([True, True, True, False])


class Books(RuleBasedStateMachine):
    @initialize(
        max_size=st.sampled_from([1, 2, 3, 3, 4, 6]),
        warm=st.tuples(st.integers(0, 2), st.integers(0, 2)),
        ceiling=st.sampled_from([None, 4]),
        max_uses=st.sampled_from([None, 2]),
        max_waiting=st.integers(0, 4),
    )
    def build(
        self,
        max_size: int,
        warm: tuple[int, int],
        ceiling: int | None,
        max_uses: int | None,
        max_waiting: int,
    ) -> None:
        self.now = 100.0
        self.steps = 0
        options = PoolOptions(
            warm_ceiling=ceiling,
            max_uses=max_uses,
            max_opening=3,
            check_bypass_seconds=0.02,
            max_age_seconds=40.0,
            max_idle_seconds=15.0,
            check_interval_seconds=5.0,
            breaker_failures=2,
            backoff_seconds=1.0,
        )
        self.ledger: Ledger[Client] = Ledger(
            {
                "here": (Factory(Reuse.RESET), min(warm[0], max_size)),
                "there": (TellingFactory(Reuse.RETIRE), min(warm[1], max_size)),
            },
            name="books",
            max_size=max_size,
            max_waiting=max_waiting,
            options=options,
            rng=random.Random(1),
            now=self.now,
        )
        self.requests = Requests(self.ledger)
        self.supply = Supply(self.ledger, self.requests)
        self.ledger.phase = Phase.OPEN
        self.opening: list[Slot[Client]] = []
        self.checking: list[Slot[Client]] = []
        self.resetting: list[Slot[Client]] = []
        self.closing: list[Slot[Client]] = []
        self.parties: list[Party[Client]] = []
        self.made: list[Client] = []
        self.closed: list[Client] = []
        self.ledger.todo = True
        self.settle()

    # -------------------------------------------------------------- the shell

    def settle(self) -> None:
        self.steps += 1
        for _ in range(100):
            if not self.ledger.todo:
                break
            self.ledger.todo = False
            self.ledger.serve_from_idle(self.now)
            self.opening += self.supply.plan(self.now)
            self.closing += self.ledger.doomed
            self.checking += self.ledger.unchecked
            self.ledger.doomed, self.ledger.unchecked = [], []
            self.ledger.woken, self.ledger.lapsed = [], []
        else:
            raise AssertionError("the ledger never comes to rest")

    # -------------------------------------------------------------- holders

    @rule(session=SESSIONS, stock=STOCKS)
    def ask_plainly(self, session: str, stock: str) -> None:
        self.ask(session, stock, None, 20.0)

    @rule(session=SESSIONS, stock=STOCKS, tiers=TIERS, ttl=st.sampled_from([2.0, 20.0]))
    def ask(self, session: str, stock: str, tiers: Any, ttl: float) -> None:
        shelf = self.ledger.stocks[stock]
        ask = Ask(shelf, session, None, tiers, ttl, self.now)
        try:
            found: Any = self.requests.find(*ask)
            if found is None:
                shelf.demand.arrived(self.now)
                found = self.requests.lend(*ask)
                if isinstance(found, Grant):
                    self.is_fit(found.slot)
            if isinstance(found, Slot):  # its check takes its time; the asker waits in line for it
                shelf.returning += 1
                self.checking.append(found)
                found = self.requests.line_up(ask)
            if found is None:
                found = self.requests.enqueue(ask, may_wait=True)
        except PoolError:
            found = None
        if isinstance(found, Claim):
            self.parties.append(self.requests.join(found, self.now + 4.0))
        elif found is not None:
            assert isinstance(found, Lease | Grant)
            assert self.ledger.grants[found.lease_id].session == session
        self.settle()

    def is_fit(self, slot: Slot[Client] | None) -> None:
        assert slot is not None
        assert slot.client is not None
        assert slot.client.alive or self.now < slot.trusted_until

    @rule(pick=PICK, stock=STOCKS)
    def die(self, pick: int, stock: str) -> None:
        """The provider hangs up on an idle client, which notices."""
        if idle := self.ledger.stocks[stock].idle:
            client = idle[pick % len(idle)].client
            assert client is not None
            client.alive = False

    @rule(pick=PICK, accept=MOSTLY)
    def stop_waiting(self, pick: int, accept: bool) -> None:
        """A waiter wakes and takes its answer, or is cancelled with or without one."""
        if self.parties:
            party = self.parties.pop(pick % len(self.parties))
            accept = accept and party.grant is not None
            self.requests.leave(party, accept=accept, now=self.now)
            self.settle()

    @rule(pick=PICK, discard=st.booleans())
    def give_back(self, pick: int, discard: bool) -> None:
        if grant := self.some_grant(pick):
            back = self.ledger.end(grant, DiscardCause.DISCARDED if discard else None)
            if back is not None:
                back.stock.returning += 1
                self.resetting.append(back)
            self.settle()

    @rule(pick=PICK)
    def begin_stream(self, pick: int) -> None:
        grant = self.some_grant(pick)
        if grant is None or not grant.accepted:
            return
        try:
            self.ledger.pin(grant.lease_id, grant.session, self.now)
        except LeaseError:
            self.settle()
            return
        if grant.slot is None and (slot := self.ledger.pop_idle(grant.stock, self.now)):
            self.ledger.give_next(grant, slot)
        if grant.slot is None:
            ask = Ask(grant.stock, grant.session, None, None, grant.ttl, self.now)
            claim = self.requests.line_up(ask, grant)
            self.parties.append(self.requests.join(claim, self.now + 4.0))
        else:
            grant.used = True
        self.settle()

    @rule(pick=PICK, broken=st.booleans())
    def end_stream(self, pick: int, broken: bool) -> None:
        streams = [g for g in self.ledger.grants.values() if g.streaming and g.renewal is None]
        if streams:
            grant = streams[pick % len(streams)]
            grant.broken = broken and grant.slot is not None
            self.ledger.unpin(grant, self.now)
            self.settle()

    # -------------------------------------------------------------- clients

    @rule(pick=PICK, outcome=OPENS)
    def finish_open(self, pick: int, outcome: str) -> None:
        if slot := self.some(pick, self.opening):
            if outcome == "well":
                self.open_well(slot)
            elif outcome == "cancel":
                self.supply.abandoned(slot)
            else:
                if pick % 2:  # it was opened, and then warming failed
                    self.make(slot)
                error = OpenThrottled() if outcome == "throttle" else ConnectionError()
                self.supply.failed(slot, error, self.now)
            self.settle()

    def make(self, slot: Slot[Client]) -> None:
        slot.client = Client(len(self.made))
        self.made.append(slot.client)

    def open_well(self, slot: Slot[Client]) -> None:
        self.make(slot)
        self.supply.opened(slot, self.now, 0.2)

    def close(self, slot: Slot[Client]) -> None:
        assert slot.client is not None
        self.closed.append(slot.client)
        self.ledger.gone(slot)

    @rule(pick=PICK, fit=MOSTLY)
    def finish_check(self, pick: int, fit: bool) -> None:
        self.finish_hook(self.some(pick, self.checking), fit, DiscardCause.FAILED_CHECK)

    @rule(pick=PICK, fit=MOSTLY)
    def finish_reset(self, pick: int, fit: bool) -> None:
        self.finish_hook(self.some(pick, self.resetting), fit, DiscardCause.FAILED_RESET)

    def finish_hook(self, slot: Slot[Client] | None, fit: bool, cause: DiscardCause) -> None:
        if slot is not None:
            slot.stock.returning -= 1
            if fit:
                self.ledger.deliver(slot, AllocationTier.WARM, self.now)
            else:
                self.ledger.doom(slot, cause)
            self.settle()

    @rule(pick=PICK)
    def finish_close(self, pick: int) -> None:
        if slot := self.some(pick, self.closing):
            self.close(slot)
            self.settle()

    # -------------------------------------------------------------- time and command

    @rule()
    def have_a_quiet_moment(self) -> None:
        """All that is under way ends well, and everybody takes his answer."""
        while slots := self.opening + self.checking + self.resetting + self.closing:
            for slot in slots:
                self.finish_well(slot)
            self.settle()
        for party in [p for p in self.parties if p.settled]:
            self.parties.remove(party)
            self.requests.leave(party, accept=party.error is None, now=self.now)
        self.settle()

    def finish_well(self, slot: Slot[Client]) -> None:
        if slot in self.opening:
            self.opening.remove(slot)
            self.open_well(slot)
        elif slot in self.closing:
            self.closing.remove(slot)
            self.close(slot)
        else:
            (self.checking if slot in self.checking else self.resetting).remove(slot)
            slot.stock.returning -= 1
            self.ledger.deliver(slot, AllocationTier.WARM, self.now)

    @rule(seconds=st.sampled_from([0.01, 0.01, 0.01, 1.0, 1.0, 3.0, 16.0]))
    def let_time_pass(self, seconds: float) -> None:
        self.now += seconds
        self.supply.sweep(self.now)
        self.settle()
        assert self.supply.next_due(self.now) > self.now

    @rule(stock=STOCKS, drop=st.booleans())
    def rotate(self, stock: str, drop: bool) -> None:
        self.supply.rotate(self.ledger.stocks[stock], drop=drop)
        self.settle()

    @rule(stock=STOCKS, least=st.integers(0, 3))
    def set_target(self, stock: str, least: int) -> None:
        shelf = self.ledger.stocks[stock]
        self.supply.set_warm_target(shelf, min(least, self.ledger.max_size))
        self.settle()

    @precondition(lambda self: self.steps > 45 and self.ledger.phase is Phase.OPEN)
    @rule()
    def drain(self) -> None:
        self.supply.drain()
        self.settle()

    # -------------------------------------------------------------- what always holds

    @invariant()
    def no_client_is_in_two_places_and_none_is_lost(self) -> None:
        if not hasattr(self, "ledger"):
            return
        ledger = self.ledger
        idle = [slot for stock in ledger.stocks.values() for slot in stock.idle]
        leased = [g.slot for g in ledger.grants.values() if g.slot is not None]
        places = [
            *self.opening, *idle, *leased, *self.checking, *self.resetting, *self.closing
        ]  # fmt: skip
        assert Counter(id(s) for s in places) == Counter(id(s) for s in ledger.slots)
        kept = Counter(s.client.number for s in places if s.client is not None)
        done = Counter(client.number for client in self.closed)
        assert kept + done == Counter(client.number for client in self.made)
        assert all(slot.state is SlotState.IDLE for slot in idle)
        assert all(slot.generation >= slot.stock.least_generation for slot in idle)
        assert all(slot.state is SlotState.LEASED for slot in leased)
        assert all(slot.state is SlotState.CLOSING for slot in self.closing)

    @invariant()
    def the_bounds_hold_and_the_counts_add_up(self) -> None:
        if not hasattr(self, "ledger"):
            return
        ledger = self.ledger
        assert len(ledger.slots) <= ledger.max_size
        assert len(ledger.grants) <= ledger.max_size
        assert ledger.closing == len(self.closing)
        assert ledger.waiting_count == sum(len(s.line) for s in ledger.stocks.values())
        for stock in ledger.stocks.values():
            thirsty = [c for c in stock.line.values() if c.accepts(AllocationTier.COLD)]
            assert stock.thirsty == len(thirsty)
            assert stock.renewals == sum(c.renewal_of is not None for c in stock.line.values())
            assert stock.opening == sum(s.stock is stock for s in self.opening)
            hooks = self.checking + self.resetting
            assert stock.returning == sum(s.stock is stock for s in hooks)
        stats = self.supply.stats(0)
        assert stats.opening_count == len(self.opening) <= ledger.options.max_opening
        assert stats.leased_count == sum(s.leased_count for s in stats.stocks.values())

    @invariant()
    def every_session_is_in_the_books_once(self) -> None:
        if not hasattr(self, "ledger"):
            return
        for stock in self.ledger.stocks.values():
            for session, held in stock.held.items():
                if isinstance(held, Grant):
                    assert self.ledger.grants[held.lease_id] is held
                    assert held.session == session
                else:
                    assert stock.line[held.number] is held
        held_count = sum(
            isinstance(held, Grant)
            for stock in self.ledger.stocks.values()
            for held in stock.held.values()
        )
        assert held_count == len(self.ledger.grants)

    @invariant()
    def nobody_waits_for_what_is_idle(self) -> None:
        if not hasattr(self, "ledger"):
            return
        ledger = self.ledger
        for stock in ledger.stocks.values():
            left = ledger.max_size - len(ledger.grants) - stock.returning
            if stock.idle and stock.returning < len(stock.line):
                assert stock.next_in_line(AllocationTier.WARM, leases_left=left) is None
            for claim in stock.line.values():
                assert any(not party.settled for party in claim.parties)

    @invariant()
    def nobody_is_forgotten(self) -> None:
        """A lease that was handed over has a taker; and who may have a client, while nothing is
        under way that could bring one, is kept from it only by the provider."""
        if not hasattr(self, "ledger"):
            return
        ledger = self.ledger
        takers = {id(party.grant) for party in self.parties}
        for grant in ledger.grants.values():
            assert grant.accepted or id(grant) in takers
        if self.opening or self.checking or self.resetting or self.closing:
            return
        left = ledger.max_size - len(ledger.grants)
        for stock in ledger.stocks.values():
            held_back = self.now < stock.throttled_until or stock.breaker.permits(self.now) == 0
            wants = stock.next_in_line(AllocationTier.COLD, leases_left=left)
            assert held_back or wants is None

    def teardown(self) -> None:
        """Shut, let every hook and waiter end: nothing is left, and every client was closed once."""
        if not hasattr(self, "ledger"):
            return
        self.supply.shut(self.now)
        self.settle()
        for slot in self.opening:
            self.supply.abandoned(slot)
        self.opening = []
        for slot in [*self.checking, *self.resetting]:
            slot.stock.returning -= 1
            self.ledger.deliver(slot, AllocationTier.WARM, self.now)
        self.checking, self.resetting = [], []
        self.settle()
        for party in self.parties:
            assert party.settled
            self.requests.leave(party, accept=False, now=self.now)
        self.settle()
        assert all(slot in self.ledger.slots for slot in self.closing)
        for slot in self.closing:
            self.close(slot)
        assert not self.ledger.slots
        assert not self.ledger.grants
        assert self.ledger.waiting_count == 0
        assert Counter(self.closed) == Counter(self.made)

    # -------------------------------------------------------------- choosing

    def some(self, pick: int, slots: list[Slot[Client]]) -> Slot[Client] | None:
        if not slots:
            return None
        return slots.pop(pick % len(slots))

    def some_grant(self, pick: int) -> Grant[Client] | None:
        grants = list(self.ledger.grants.values())
        return grants[pick % len(grants)] if grants else None


@pytest.mark.parametrize("seed", range(16))
def test_a_long_random_walk_keeps_the_books(seed: int) -> None:
    """Deeper than hypothesis goes by itself, and with the weights of real traffic."""
    rng = random.Random(seed)
    books = Books()
    books.build(
        max_size=rng.choice([1, 2, 3, 5]),
        warm=(rng.randint(0, 2), rng.randint(0, 2)),
        ceiling=rng.choice([None, 4]),
        max_uses=rng.choice([None, 2]),
        max_waiting=rng.randint(0, 4),
    )
    for _ in range(1500):
        a_step(books, rng)
        books.no_client_is_in_two_places_and_none_is_lost()
        books.the_bounds_hold_and_the_counts_add_up()
        books.every_session_is_in_the_books_once()
        books.nobody_waits_for_what_is_idle()
        books.nobody_is_forgotten()
    assert books.requests.warm_count > 5
    assert books.requests.cold_count > 5
    books.teardown()


def a_step(books: Books, rng: random.Random) -> None:
    pick, mostly = rng.randrange(1000), rng.random() < 0.8
    stock = rng.choice(["here", "there"])
    session = f"session-{rng.randrange(10)}"
    tiers = rng.choice([None, None, {AllocationTier.WARM}, {AllocationTier.COLD}])
    outcome = rng.choice(["well", "well", "well", "well", "fail", "throttle", "cancel"])
    steps: list[tuple[int, Callable[[], None]]] = [
        (6, lambda: books.ask_plainly(session, stock)),
        (3, lambda: books.ask(session, stock, tiers, rng.choice([2.0, 20.0]))),
        (3, lambda: books.stop_waiting(pick, mostly)),
        (4, lambda: books.give_back(pick, not mostly)),
        (3, lambda: books.begin_stream(pick)),
        (3, lambda: books.end_stream(pick, not mostly)),
        (5, lambda: books.finish_open(pick, outcome)),
        (4, lambda: books.finish_check(pick, mostly)),
        (4, lambda: books.finish_reset(pick, mostly)),
        (4, lambda: books.finish_close(pick)),
        (2, books.have_a_quiet_moment),
        (1, lambda: books.die(pick, stock)),
        (4, lambda: books.let_time_pass(rng.choice([0.01, 0.3, 1.0, 3.0, 16.0]))),
        (1, lambda: books.rotate(stock, not mostly)),
        (1, lambda: books.set_target(stock, rng.randrange(3))),
    ]
    rng.choices([step for _, step in steps], [weight for weight, _ in steps])[0]()


TestBooks = Books.TestCase
TestBooks.settings = settings(
    max_examples=150,
    stateful_step_count=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
