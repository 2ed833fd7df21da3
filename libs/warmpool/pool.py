"""WarmPool: leases on clients that are costly to open. The asyncio shell over the pure ledger.

`allocate` is the pool in one function, read top to bottom: the session's own client (DEDICATED),
an idle one (WARM), a place in the line, which opens one if it may (COLD), or a refusal. The rules
behind each step are in `ledger.py` and `supply.py`, the tasks in `crew.py`.

One pool belongs to one event loop. Nothing here waits while it changes the ledger, so no lock is
needed; the path without a wait costs about a microsecond.
"""

from __future__ import annotations

import random
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Generic, TypeVar

from .checkout import Checkout, PendingCheck
from .crew import Crew
from .errors import LeaseInUse, LeaseNotFound, LeaseNotOwned, PoolError
from .factory import ClientFactory
from .holding import Ask, Claim, Grant, Slot, make_lease
from .lease import AllocationTier, Lease
from .ledger import Ledger, Phase
from .options import PoolOptions, check_sizes
from .requests import Requests
from .stats import DiscardCause, PoolObserver, PoolStats
from .stock import Stock
from .supply import Supply

T = TypeVar("T")

_WARM = AllocationTier.WARM
DEFAULT_STOCK = ""


class WarmPool(Generic[T]):
    """Keeps clients open and verified ahead of demand, and leases them to sessions.

    `factory` may be a mapping of factories, one for each configuration that needs connections of
    its own; `allocate(stock=...)` then says which. One `max_size` bounds them all.
    """

    def __init__(
        self,
        factory: ClientFactory[T] | Mapping[str, ClientFactory[T]],
        *,
        name: str,
        warm_target: int | Mapping[str, int],
        max_size: int,
        max_waiting: int = 64,
        default_ttl_seconds: float = 30.0,
        discard_on: tuple[type[BaseException], ...] = (Exception,),
        clock: Callable[[], float] = time.monotonic,
        observer: PoolObserver | None = None,
        rng: random.Random | None = None,
        options: PoolOptions | None = None,
    ) -> None:
        """`warm_target` clients are kept idle, at most `max_size` exist or are leased, and at most
        `max_waiting` requests wait at the maximum. What a stream's body raises closes the client if
        it is one of `discard_on`. Raises ValueError for sizes that make no sense."""
        self.name = name
        self.options = options or PoolOptions()
        factories = factory if isinstance(factory, Mapping) else {DEFAULT_STOCK: factory}
        targets = (
            warm_target
            if isinstance(warm_target, Mapping)
            else dict.fromkeys(factories, warm_target)
        )
        check_sizes(name, targets, factories, max_size, max_waiting)
        self._default_ttl = self._ttl(default_ttl_seconds)
        self._discard_on = discard_on
        self._clock = clock
        self._observer = observer or PoolObserver()
        self._observed = observer is not None
        self._rng = rng or random.Random()  # noqa: S311  jitter and labels, no secrets
        self._make_ledger: Callable[[], Ledger[T]] = lambda: Ledger(
            {key: (made, targets.get(key, 0)) for key, made in factories.items()},
            name=name,
            max_size=max_size,
            max_waiting=max_waiting,
            options=self.options,
            rng=self._rng,
            now=clock(),
        )
        self._refused_count = 0
        self._was_open = False
        self._start_over()

    def _start_over(self) -> None:
        self._ledger = self._make_ledger()
        self._requests = Requests(self._ledger)
        self._supply = Supply(self._ledger, self._requests)
        self._crew = Crew(self._ledger, self._supply, clock=self._clock, observer=self._observer)
        self._checkout = Checkout(self._requests, self._crew, self._ledger, self._clock)
        stocks = list(self._ledger.stocks.values())
        self._only: Stock[T] | None = stocks[0] if len(stocks) == 1 else None

    # ------------------------------------------------------------------ life

    async def prepare(self) -> int:
        """Open the warm sets, in parallel. Returns how many clients are still missing: 0 when all
        is well. What failed is tried again in the background. A closed pool may be prepared again."""
        if self._ledger.phase is Phase.CLOSED:
            if self._was_open:
                await self.close()
                self._start_over()
            self._was_open = True
            self._ledger.phase = Phase.OPEN
        try:
            self._crew.sweep()
            await self._crew.opens_ended()
        except BaseException:
            await self.close()
            raise
        return self._missing()

    def drain(self) -> None:
        """Grant no new leases from now on; those held go on. Idle clients are closed."""
        if self._ledger.phase is Phase.OPEN:
            self._supply.drain()
            self._crew.settle()

    async def close(self) -> None:
        """End every lease, refuse all who wait, close every client, and wait until that is done.

        May be called again, also after it was cancelled."""
        if self._ledger.phase is not Phase.CLOSED:
            now = self._clock()
            for grant in self._supply.shut(now):
                held = now - grant.granted_at
                name = grant.stock.name
                self._crew.tell(
                    self._observer.leak_suspected, grant.lease_id, grant.session, held, name
                )
                self._crew.tell(self._observer.released, grant.session, held, name)
        await self._crew.finish()

    async def __aenter__(self) -> WarmPool[T]:
        await self.prepare()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    # ------------------------------------------------------------------ leases

    async def allocate(
        self,
        session: str,
        request_id: str | None = None,
        allowed_tiers: Collection[AllocationTier] | None = None,
        ttl_seconds: float | None = None,
        max_wait_seconds: float | None = None,
        deadline: float | None = None,
        stock: str | None = None,
    ) -> Lease:
        """Lease a client to `session`, or find the one it holds.

        `max_wait_seconds` bounds the wait at the maximum (0: none); `deadline`, on the pool's clock,
        bounds everything. A repeated `request_id` gets the answer of the first try. Cancelling is
        safe at any moment: nothing is held for a caller that has gone.

        Raises PoolExhausted, TierUnavailable, PoolClosed, PoolDraining, OpenFailed, BreakerOpen;
        ValueError for an empty session, an unknown stock or a ttl out of range.
        """
        now = self._clock()
        ttl = self._default_ttl if ttl_seconds is None else self._ttl(ttl_seconds)
        shelf = self._only
        if shelf is None or stock is not None or not session:
            shelf = self._shelf(session, stock)
        ledger, requests = self._ledger, self._requests
        try:
            found: Lease | Grant[T] | Slot[T] | PendingCheck[T] | Claim[T] | None = None
            if session in shelf.held:
                found = requests.find(shelf, session, request_id, allowed_tiers, ttl, now)
            if found is None:
                if shelf.follows_demand and shelf.demand.arrived(now):
                    ledger.todo = True
                found = requests.lend(shelf, session, request_id, allowed_tiers, ttl, now)
            # By type and not by isinstance: this is the path whose cost is counted.
            if type(found) is Grant:
                lease = make_lease(Lease, (found.lease_id, session, _WARM, found.expires_at, 0.0))
            elif type(found) is Lease:
                lease = found
            else:
                if isinstance(found, Slot):
                    found = self._checkout.checked(
                        found, shelf, session, request_id, allowed_tiers, ttl, now
                    )
                if isinstance(found, Grant):
                    lease = found.view(_WARM, 0.0)
                else:
                    ask = Ask(shelf, session, request_id, allowed_tiers, ttl, now)
                    lease = await self._checkout.serve(ask, found, max_wait_seconds, deadline)
        except PoolError as error:
            self._refused_count += 1
            self._crew.tell(self._observer.refused, session, error, shelf.name)
            raise
        finally:
            if ledger.todo:
                self._crew.settle()
        if self._observed:
            self._crew.tell(self._observer.allocated, lease, shelf.name)
        return lease

    def lookup(self, lease_id: str, *, session: str | None = None) -> Lease:
        """The lease as it is now. Raises LeaseNotFound, LeaseNotOwned."""
        grant = self._settled(self._ledger.get, lease_id, session, self._clock())
        return grant.view(grant.tier, 0.0)

    def renew(
        self, lease_id: str, ttl_seconds: float | None = None, *, session: str | None = None
    ) -> Lease:
        """Move the lease's expiry to `ttl_seconds` from now. Raises LeaseNotFound, LeaseNotOwned,
        ValueError for a ttl out of range."""
        now = self._clock()
        ttl = self._default_ttl if ttl_seconds is None else self._ttl(ttl_seconds)
        grant = self._settled(self._ledger.get, lease_id, session, now)
        grant.ttl = ttl
        grant.expires_at = now + ttl
        return grant.view(grant.tier, 0.0)

    async def release(
        self, lease_id: str, session: str | None = None, discard: bool = False
    ) -> None:
        """Give the lease back; a stream on it loses its client. A lease that is gone is no error.

        `discard`: the holder saw the client fail, so it is closed. Raises LeaseNotOwned.
        """
        ledger = self._ledger
        grant = ledger.grants.get(lease_id)
        if grant is not None:
            if session is not None and session != grant.session:
                raise LeaseNotOwned("the lease is another session's", lease_id=lease_id)
            to_reset = ledger.end(grant, DiscardCause.DISCARDED if discard else None)
            if self._observed:
                held = self._clock() - grant.granted_at
                self._crew.tell(self._observer.released, grant.session, held, grant.stock.name)
            if to_reset is not None:
                rest = self._crew.begin_reset(to_reset)
                if rest is not None:
                    await self._crew.finish_reset(to_reset, rest)
        if ledger.todo:
            self._crew.settle()

    @asynccontextmanager
    async def stream(
        self, lease_id: str, *, session: str | None = None, max_wait_seconds: float | None = None
    ) -> AsyncIterator[T]:
        """The leased client, for one stream; the lease cannot expire meanwhile.

        If the last stream used up the client (it broke, or its factory retires used ones), the
        lease gets a fresh one first, warm if one is idle. An exception in the body that is one of
        `discard_on` closes the client; being cancelled does not.

        Raises LeaseNotFound, LeaseNotOwned, LeaseInUse; for want of a fresh client what `allocate`
        raises.
        """
        grant = self._settled(self._ledger.pin, lease_id, session, self._clock())
        try:
            client = await self._checkout.client_of(grant, max_wait_seconds)
            grant.used = True
            try:
                yield client
            except self._discard_on:
                grant.broken = True
                raise
        finally:
            self._ledger.unpin(grant, self._clock())
            if self._ledger.todo:
                self._crew.settle()

    def borrow(self, lease_id: str, *, session: str | None = None) -> T:
        """The leased client itself, without a stream around it: nothing pins the lease, nothing
        keeps two users apart. Raises LeaseNotFound, LeaseNotOwned, and LeaseInUse if a stream is
        open or has used the client up."""
        try:
            grant = self._ledger.get(lease_id, session, self._clock())
        except LeaseNotFound:
            self._crew.settle()
            raise
        if grant.streaming or grant.slot is None:
            raise LeaseInUse("the client belongs to a stream; use stream()", lease_id=lease_id)
        grant.untouched = False
        grant.used = True
        return grant.slot.client  # type: ignore[return-value]

    def held_by(self, session: str, stock: str | None = None) -> Lease | None:
        """The session's lease as it is now, if it has one."""
        grant = self._shelf(session, stock).held.get(session)
        if not isinstance(grant, Grant) or self._ledger.ran_out(grant, self._clock()):
            return None
        return grant.view(grant.tier, 0.0)

    def lease_of(self, client: T) -> Lease | None:
        """The lease that holds this very client. Looks through all leases."""
        for grant in self._ledger.grants.values():
            if grant.slot is not None and grant.slot.client is client:
                return grant.view(grant.tier, 0.0)
        return None

    def keeps(self, client: T) -> bool:
        """Whether this very client is the pool's, held or not. Looks through all clients."""
        return any(slot.client is client for slot in self._ledger.slots)

    # ------------------------------------------------------------------ steering

    def set_warm_target(self, warm_target: int, *, stock: str | None = None) -> None:
        """Keep at least this many clients warm from now on. Raises ValueError if out of range."""
        shelf = self._shelf("-", stock)
        if not 0 <= warm_target <= self._ledger.max_size:
            raise ValueError(f"warm_target {warm_target} is not within 0 and max_size")
        self._supply.set_warm_target(shelf, warm_target)
        self._crew.settle()

    def rotate(self, *, stock: str | None = None, drop: bool = False) -> None:
        """Replace all clients opened until now, as after a change of credentials.

        Idle ones serve until a new one is ready, leased ones until they are given back. With `drop`
        no old client is handed out any more."""
        names = list(self._ledger.stocks) if stock is None else [stock]
        for name in names:
            self._supply.rotate(self._shelf("-", name), drop=drop)
        self._crew.settle()

    def sweep(self) -> None:
        """Do now what is due by the clock. The pool's timer does it; tests with a clock of their
        own call it."""
        self._crew.sweep()

    def stats(self) -> PoolStats:
        """The pool at this instant."""
        return self._supply.stats(self._refused_count)

    # ------------------------------------------------------------------ small

    def _missing(self) -> int:
        stocks = self._ledger.stocks.values()
        return sum(max(0, stock.demand.target - len(stock.idle)) for stock in stocks)

    def _ttl(self, ttl_seconds: float) -> float:
        if not 0 < ttl_seconds <= self.options.max_ttl_seconds:
            raise ValueError(
                f"ttl_seconds {ttl_seconds!r} is not within 0 and {self.options.max_ttl_seconds:g}"
            )
        return ttl_seconds

    def _shelf(self, session: str, stock: str | None) -> Stock[T]:
        if not session:
            raise ValueError("session is empty; it names the holder of the lease")
        shelf = self._ledger.stocks.get(DEFAULT_STOCK if stock is None else stock)
        if shelf is None:
            known = ", ".join(sorted(self._ledger.stocks))
            raise ValueError(f"pool {self.name} has no stock {stock!r}; it has: {known}")
        return shelf

    def _settled(
        self,
        look_up: Callable[[str, str | None, float], Grant[T]],
        lease_id: str,
        session: str | None,
        now: float,
    ) -> Grant[T]:
        """Look a lease up; one that is found to have expired is seen to at once."""
        try:
            return look_up(lease_id, session, now)
        finally:
            if self._ledger.todo:
                self._crew.settle()
