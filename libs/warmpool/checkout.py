"""Finding a client for a request: idle and fit at once, or after waiting in line."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from typing import Generic, NamedTuple, TypeVar

from .crew import Crew
from .errors import LeaseNotFound, TierUnavailable
from .holding import Ask, Claim, Grant, Slot
from .hooks import Rest
from .lease import AllocationTier, Lease
from .ledger import Ledger, Phase
from .requests import Requests
from .stock import Stock

T = TypeVar("T")


class PendingCheck(NamedTuple, Generic[T]):
    """An idle client taken for a request, whose check has begun and waits for something."""

    slot: Slot[T]
    rest: Rest[bool]


class Checkout(Generic[T]):
    """Serves the requests to one pool."""

    def __init__(
        self,
        requests: Requests[T],
        crew: Crew[T],
        ledger: Ledger[T],
        clock: Callable[[], float],
    ) -> None:
        self._requests = requests
        self._crew = crew
        self._ledger = ledger
        self._clock = clock

    def idle(
        self,
        stock: Stock[T],
        session: str,
        request_id: str | None,
        tiers: Collection[AllocationTier] | None,
        ttl: float,
        now: float,
    ) -> Lease | PendingCheck[T] | None:
        """A fit idle client, leased; or one whose check takes its time; or nothing."""
        requests, crew = self._requests, self._crew
        if stock.follows_demand and stock.demand.arrived(now):
            self._ledger.todo = True
        while (slot := requests.take(stock, tiers, now)) is not None:
            fit = crew.fitness(slot, now)
            if fit is True:
                return requests.grant(slot, session, request_id, ttl, now)
            if isinstance(fit, Rest):
                return PendingCheck(slot, fit)
        return None

    async def in_line(
        self,
        ask: Ask[T],
        found: Claim[T] | PendingCheck[T] | None,
        max_wait: float | None,
        deadline: float | None,
    ) -> Lease:
        """Wait in line, in the session's own place if it has one, and take what is handed over."""
        until = self._deadline(ask, max_wait, deadline)
        if isinstance(found, Claim):
            grant = await self._wait(found, ask, until)
        elif isinstance(found, PendingCheck):
            grant = await self._wait(self._requests.line_up(ask), ask, until, found)
        else:
            claim = self._requests.enqueue(ask, may_wait=max_wait is None or max_wait > 0)
            grant = await self._wait(claim, ask, until)
        now = self._clock()
        grant.extend(ask.ttl, now)
        return grant.view(grant.tier, now - ask.now)

    async def client_of(self, grant: Grant[T], max_wait: float | None) -> T:
        """The client of a lease that has just been pinned, a fresh one if there is none."""
        if grant.slot is None:
            await self._renew_client(grant, max_wait)
        if grant.slot is None:
            raise LeaseNotFound("the lease has ended", lease_id=grant.lease_id)
        return grant.slot.client  # type: ignore[return-value]

    async def _renew_client(self, grant: Grant[T], max_wait: float | None) -> None:
        now = self._clock()
        check: PendingCheck[T] | None = None
        while check is None and (slot := self._ledger.pop_idle(grant.stock, now)) is not None:
            fit = self._crew.fitness(slot, now)
            if fit is True:
                self._ledger.give_next(grant, slot)
                return
            if isinstance(fit, Rest):
                check = PendingCheck(slot, fit)
        ask = Ask(grant.stock, grant.session, None, None, grant.ttl, now)
        wait = self._ledger.options.default_wait_seconds if max_wait is None else max_wait
        await self._wait(self._requests.line_up(ask, grant), ask, now + wait, check)

    async def _wait(
        self,
        claim: Claim[T],
        ask: Ask[T],
        until: float,
        check: PendingCheck[T] | None = None,
    ) -> Grant[T]:
        """Be one of those who wait for `claim`. What is handed over to somebody who has stopped
        waiting goes on to the next in line (`Requests.leave`)."""
        crew = self._crew
        party = self._requests.join(claim, until)
        answered = asyncio.get_running_loop().create_future()
        party.wake = lambda: None if answered.done() else answered.set_result(None)
        accept = False
        try:
            crew.wake_at(until)
            crew.settle()
            if check is not None:
                await crew.finish_check(check.slot, check.rest)
            if not party.settled:
                await answered
            if party.error is not None:
                raise party.error
            assert party.grant is not None
            self._refuse_unwanted(party.grant, ask)
            accept = True
            return party.grant
        finally:
            self._requests.leave(party, accept=accept, now=self._clock())
            if self._ledger.todo:
                crew.settle()

    def _refuse_unwanted(self, grant: Grant[T], ask: Ask[T]) -> None:
        """The pool may have closed since; and who joined another's place may want other tiers."""
        if self._ledger.phase is Phase.CLOSED:
            raise self._ledger.not_open()
        if ask.tiers is not None and grant.tier not in ask.tiers:
            raise TierUnavailable(
                f"pool {self._ledger.name}: the session got a {grant.tier.name} client meanwhile",
                allowed_tiers=ask.tiers,
            )

    def _deadline(self, ask: Ask[T], max_wait: float | None, deadline: float | None) -> float:
        until = deadline
        if until is None:
            until = ask.now + self._ledger.options.default_wait_seconds
        may_open = ask.tiers is None or AllocationTier.COLD in ask.tiers
        opening = may_open and self._requests.has_room(ask.stock, ask.now)
        if max_wait is not None and not opening:
            until = min(until, ask.now + max_wait)
        return until
