"""Asking for a lease: what a request finds, its place in the line, its refusal. Pure, on the ledger."""

from __future__ import annotations

from collections.abc import Collection
from typing import Generic, TypeVar

from .errors import OpenFailed, PoolError, PoolExhausted, TierUnavailable
from .holding import Ask, Claim, Grant, Party, Slot, SlotState
from .lease import AllocationTier, Lease
from .ledger import Ledger, Phase
from .stats import DiscardCause
from .stock import Stock

T = TypeVar("T")

# Module names are faster than class attributes, and these are read on every allocation.
_DEDICATED = AllocationTier.DEDICATED
_WARM = AllocationTier.WARM
_COLD = AllocationTier.COLD
_OPEN = Phase.OPEN


class Requests(Generic[T]):
    """The requests to one ledger."""

    def __init__(self, ledger: Ledger[T]) -> None:
        self._ledger = ledger
        self.dedicated_count = self.cold_count = 0
        self._waited_warm_count = 0
        self._claims = 0

    # ------------------------------------------------------------------ asking

    def find(
        self,
        stock: Stock[T],
        session: str,
        request_id: str | None,
        tiers: Collection[AllocationTier] | None,
        ttl: float,
        now: float,
    ) -> Lease | Claim[T] | None:
        """What the session has already: its lease, its place in the line, or nothing.

        Raises TierUnavailable if it holds a lease but does not accept DEDICATED.
        """
        held = stock.held.get(session)
        if held is None or isinstance(held, Claim):
            return held
        if now >= held.expires_at and self._ledger.ran_out(held, now):
            self._ledger.lapse(held, now)
            return None
        if request_id is not None and request_id == held.request_id:
            held.accepted = True
            return held.view(held.tier, 0.0)
        if tiers is not None and _DEDICATED not in tiers:
            raise self._tier_refusal(tiers, "the session holds a client already")
        held.accepted = True
        held.extend(ttl, now)
        self.dedicated_count += 1
        return held.view(_DEDICATED, 0.0)

    def lend(
        self,
        stock: Stock[T],
        session: str,
        request_id: str | None,
        tiers: Collection[AllocationTier] | None,
        ttl: float,
        now: float,
    ) -> Grant[T] | Slot[T] | None:
        """For a session that holds nothing: an idle client, leased (WARM); or one that the caller
        must check and then `grant` or `doom`; or None, there is none.

        Raises PoolClosed or PoolDraining.
        """
        ledger = self._ledger
        if ledger.phase is not _OPEN:
            raise ledger.not_open()
        if len(ledger.grants) >= ledger.max_size or (tiers is not None and _WARM not in tiers):
            return None
        idle, is_fit = stock.idle, stock.is_fit
        while idle:
            slot = idle.pop()
            if now >= slot.best_before:
                ledger.doom(slot, stock.worn(slot, now) or DiscardCause.MAX_AGE)
                continue
            if now >= slot.trusted_until:
                if is_fit is None:
                    slot.state = SlotState.CHECKING
                    return slot
                try:
                    fit = is_fit(slot.client)  # type: ignore[arg-type]
                except Exception as error:
                    fit = False
                    ledger.errors.append(error)
                if not fit:
                    ledger.doom(slot, DiscardCause.FAILED_CHECK)
                    continue
            grant = ledger.bind(slot, session, ttl, now)  # as in `grant`, without the call
            if request_id is not None:
                grant.request_id = request_id
            return grant
        return None

    def at_once(
        self, stock: Stock[T], session: str, ttl: float, now: float
    ) -> tuple[Grant[T], AllocationTier] | None:
        """The session's lease, or one on an idle client that needs no check; None for anything that
        may wait. Raises PoolClosed or PoolDraining."""
        held = stock.held.get(session)
        if isinstance(held, Grant):
            if held.streaming or held.slot is None:
                return None
            if now < held.expires_at or not self._ledger.ran_out(held, now):
                held.accepted = True
                held.extend(ttl, now)
                self.dedicated_count += 1
                return held, _DEDICATED
            self._ledger.lapse(held, now)
        elif held is not None:
            return None
        lent = self.lend(stock, session, None, None, ttl, now)
        if isinstance(lent, Slot):  # to be checked: where it was, for a request that can wait
            stock.rest(lent, now)
            return None
        return None if lent is None else (lent, _WARM)

    def grant(
        self, slot: Slot[T], session: str, request_id: str | None, ttl: float, now: float
    ) -> Grant[T]:
        """Lease a client that was idle, and is fit. It is WARM."""
        grant = self._ledger.bind(slot, session, ttl, now)
        if request_id is not None:
            grant.request_id = request_id
        return grant

    def enqueue(self, ask: Ask[T], *, may_wait: bool) -> Claim[T]:
        """A place in the line. Raises the refusal if waiting is of no use or the line is full."""
        ledger = self._ledger
        if ledger.phase is not Phase.OPEN:
            raise ledger.not_open()
        tiers = ask.tiers
        if tiers is not None and _COLD not in tiers and not (may_wait and _WARM in tiers):
            raise self._tier_refusal(tiers, "none is idle")
        if not may_wait and not self.has_room(ask.stock, ask.now):
            raise self._exhausted("all clients are leased, and the request does not wait", ask.now)
        waiting = ledger.waiting_count
        if waiting >= ledger.max_waiting + max(0, ledger.max_size - len(ledger.grants)):
            raise self._exhausted(
                f"{waiting} requests wait already, max_waiting is reached", ask.now
            )
        return self.line_up(ask)

    def line_up(self, ask: Ask[T], renewal_of: Grant[T] | None = None) -> Claim[T]:
        """A place in the line, unconditionally; at its front for a lease that wants its next
        client."""
        self._claims += 1
        claim = Claim(ask, self._claims, renewal_of)
        if renewal_of is not None:
            renewal_of.renewal = claim
        self._ledger.join_line(claim)
        return claim

    def has_room(self, stock: Stock[T], now: float) -> bool:
        """Whether a client may be opened for one more request, so that it waits for no other's end."""
        ledger = self._ledger
        free = ledger.max_size - len(ledger.grants)
        return now >= stock.throttled_until and ledger.waiting_count < free

    def join(self, claim: Claim[T], deadline: float) -> Party[T]:
        """Wait for what `claim` gets. Whoever joins must `leave`, whatever happens."""
        party = Party(claim, deadline)
        claim.parties.append(party)
        return party

    def leave(self, party: Party[T], *, accept: bool, now: float) -> None:
        """The caller has its answer (`accept`), or gives up: then what it was handed goes on."""
        claim, grant = party.claim, party.grant
        claim.parties.remove(party)
        if accept and grant is not None:
            grant.accepted = True
            self._count(claim, grant)
        elif grant is None:
            if all(other.settled for other in claim.parties):
                self._ledger.leave_line(claim)
                if claim.renewal_of is not None:
                    claim.renewal_of.renewal = None
        elif not (
            grant.accepted or not self._ledger.holds(grant) or any(p.grant for p in claim.parties)
        ):
            self._ledger.undo(grant, now)

    def time_out(self, party: Party[T], now: float) -> None:
        """The party's deadline has passed: it alone is refused."""
        if party.settled:
            return
        ledger, claim = self._ledger, party.claim
        if all(other.settled or other is party for other in claim.parties):
            ledger.leave_line(claim)
        party.error = self._timeout_refusal(claim.ask.stock, now - claim.ask.now, now)
        ledger.woken.append(party)
        ledger.todo = True

    @property
    def warm_count(self) -> int:
        """Allocations at that tier: leases made without waiting, and those that waiters took."""
        ledger = self._ledger
        return ledger.leases_made - ledger.leases_handed + self._waited_warm_count

    def _count(self, claim: Claim[T], grant: Grant[T]) -> None:
        if claim.renewal_of is not None:
            return
        if grant.tier is _WARM:
            self._waited_warm_count += 1
        else:
            self.cold_count += 1

    # ------------------------------------------------------------------ refusals

    def _exhausted(self, why: str, now: float) -> PoolExhausted:
        """The refusal at the maximum, with a hint: leases end one per `mean length / leases`, those
        who wait are served first, and the mean age of what lives is the mean length (exactly so for
        exponential lengths)."""
        ledger = self._ledger
        ages = [now - grant.granted_at for grant in ledger.grants.values()]
        pace = sum(ages) / max(1, len(ages)) ** 2
        hint = min(30.0, max(0.1, pace * (ledger.waiting_count + 1)))
        return PoolExhausted(f"pool {ledger.name}: {why}", retry_after_seconds=hint)

    def _timeout_refusal(self, stock: Stock[T], waited: float, now: float) -> PoolError:
        failure = stock.breaker.last_error
        if failure is None:
            return self._exhausted(f"no client came free within {waited:.3f} s", now)
        error = OpenFailed(
            f"pool {self._ledger.name}: the provider gave no client within {waited:.3f} s "
            f"({type(failure).__name__})",
            retry_after_seconds=stock.breaker.retry_after(now),
        )
        error.__cause__ = failure
        return error

    def _tier_refusal(self, tiers: Collection[AllocationTier], why: str) -> TierUnavailable:
        names = ", ".join(sorted(tier.name for tier in tiers)) or "none"
        return TierUnavailable(
            f"pool {self._ledger.name}: no client of an allowed tier ({names}); {why}",
            allowed_tiers=tiers,
        )
