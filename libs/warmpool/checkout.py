"""Finding a client for a request: idle and fit at once, or after waiting in line."""

from __future__ import annotations

import asyncio
import math
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

    def checked(
        self,
        slot: Slot[T],
        stock: Stock[T],
        session: str,
        request_id: str | None,
        tiers: Collection[AllocationTier] | None,
        ttl: float,
        now: float,
    ) -> Grant[T] | PendingCheck[T] | None:
        """The first idle client that is fit, leased; or one whose check waits; or nothing."""
        requests = self._requests
        found: Grant[T] | Slot[T] | None = slot
        while isinstance(found, Slot):
            fit = self._crew.check(found)
            if fit is True:
                return requests.grant(found, session, request_id, ttl, now)
            if isinstance(fit, Rest):
                return PendingCheck(found, fit)
            found = requests.lend(stock, session, request_id, tiers, ttl, now)
        return found

    async def serve(
        self,
        ask: Ask[T],
        found: Claim[T] | PendingCheck[T] | None,
        max_wait: float | None,
        deadline: float | None,
    ) -> Lease:
        """A lease for a session that has a place in the line already, or for which the check of an
        idle client has begun, or for which there is nothing yet. Waits."""
        requests = self._requests
        check: PendingCheck[T] | None = None
        at_maximum = not (isinstance(found, PendingCheck) or self._may_open(ask))
        until = self._until(ask, max_wait if at_maximum else None, deadline)
        if isinstance(found, PendingCheck):
            check = found
            found = requests.line_up(ask)
        elif found is None:
            found = requests.enqueue(ask, may_wait=max_wait is None or max_wait > 0)
        grant = await self._wait(found, ask, until, check)
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
            fit = now < slot.trusted_until or self._crew.fit(slot)
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

    def _until(self, ask: Ask[T], max_wait: float | None, deadline: float | None) -> float:
        """The earlier of what bounds the wait; the default if nothing does."""
        if max_wait is not None:
            return min(ask.now + max_wait, math.inf if deadline is None else deadline)
        if deadline is not None:
            return deadline
        return ask.now + self._ledger.options.default_wait_seconds

    def _may_open(self, ask: Ask[T]) -> bool:
        """Whether a client may be opened for the request, so that it waits for no other's end."""
        accepts_cold = ask.tiers is None or AllocationTier.COLD in ask.tiers
        return accepts_cold and self._requests.has_room(ask.stock, ask.now)
