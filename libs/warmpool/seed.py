"""Pools that lend the client itself: the names and keywords of the seed over the core of `WarmPool`.

For code that has a function which makes a client, and wants neither leases nor a factory. What a
resource offers of its own is used where it is there:

- `is_ready`: false means it is not handed out again, but closed.
- `clear_session_state()`: called when it is given back; the resource is then reused.
- `in_use`: true means that its session's entry is kept, however old it is.
- `aclose()` or `close()`: called at its end, always.

The methods may be coroutines. Warming and making run on the event loop: a function that blocks
belongs into `asyncio.to_thread`.
"""

from __future__ import annotations

import inspect
import logging
import math
import time
from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

from .errors import LeaseNotFound, PoolExhausted
from .factory import Reuse
from .lease import AllocationTier, Lease
from .lending import LendingPool
from .options import PoolOptions

T = TypeVar("T")

log = logging.getLogger("warmpool")

DEFAULT_MAX_SIZE = 100
"""Most resources of one pool at once: what a speech provider's default quota allows."""


class ResourceFactory(Generic[T]):
    """A `ClientFactory` made of functions and of what the resource itself offers."""

    reuse = Reuse.RESET

    def __init__(
        self,
        make: Callable[[], Awaitable[T]],
        warm: Callable[[T], Awaitable[bool]] | None = None,
    ) -> None:
        self._make = make
        self._warm = warm

    async def open(self) -> T:
        """Call the function."""
        return await self._make()

    async def warm(self, client: T) -> bool:
        """Call the warm function, where there is one."""
        return True if self._warm is None else bool(await self._warm(client))

    async def check(self, client: T) -> bool:
        """Ask the resource."""
        return is_ready(client)

    async def reset(self, client: T) -> bool:
        """Have the resource forget its session."""
        clear = getattr(client, "clear_session_state", None)
        if clear is not None:
            await _finished(clear())
        return is_ready(client)

    async def close(self, client: T) -> None:
        """Have the resource let go of what it holds."""
        close = getattr(client, "aclose", None) or getattr(client, "close", None)
        if close is not None:
            await _finished(close())

    def in_use(self, client: T) -> bool:
        """Whether a session's entry must be kept beyond its age."""
        return bool(getattr(client, "in_use", False))


def is_ready(resource: object) -> bool:
    """Whether a resource says that it can be used; one that says nothing can."""
    return bool(getattr(resource, "is_ready", True))


async def _finished(outcome: Any) -> None:
    if inspect.isawaitable(outcome):
        await outcome


class WarmableResourcePool(Generic[T]):
    """A warm stock of resources, with a cache of one resource for each session.

    `warm_pool_size` resources are opened by `prepare`, in parallel, and with
    `enable_background_warmup` replaced as soon as one is taken, and checked each
    `warmup_interval_sec`. With `session_awareness` a session keeps its resource until it gives it
    back, or until it has not asked for it for `session_max_age_sec`; then it is closed. No more than
    `max_size` resources exist; beyond that, `acquire` waits.
    """

    _keep = True
    """Whether what is given back is kept for the next."""

    def __init__(
        self,
        *,
        factory: Callable[[], Awaitable[T]],
        name: str,
        warm_pool_size: int = 0,
        enable_background_warmup: bool = False,
        warmup_interval_sec: float = 30.0,
        session_awareness: bool = False,
        session_max_age_sec: float = 1800.0,
        warm_fn: Callable[[T], Awaitable[bool]] | None = None,
        max_size: int = DEFAULT_MAX_SIZE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Raises ValueError for sizes or times out of range."""
        self.name = name
        self.session_awareness_enabled = session_awareness
        self._warm_pool_size = warm_pool_size
        self._background = enable_background_warmup
        self._max_age = session_max_age_sec
        self._clock = clock
        self._prepared = False
        self._missing = 0
        self._anonymous_count = 0
        self._anonymous: dict[int, str] = {}
        """Leases of resources lent without a session, by the identity of the resource."""
        self._pool = LendingPool(
            ResourceFactory(factory, warm_fn),
            name=name,
            warm_target=warm_pool_size,
            max_size=max(max_size, warm_pool_size),
            default_ttl_seconds=session_max_age_sec,
            clock=clock,
            options=PoolOptions(
                check_interval_seconds=warmup_interval_sec,
                max_ttl_seconds=math.inf,
                max_idle_seconds=math.inf,
                check_bypass_seconds=math.inf,  # `is_ready` is looked at here, on every acquire
                max_age_seconds=1800.0 if enable_background_warmup else math.inf,
            ),
        )

    # ------------------------------------------------------------------ life

    async def prepare(self) -> None:
        """Open the warm stock. A resource that cannot be opened or warmed is logged and counted in
        the snapshot, which is not `ready` then; with background warm-up it is tried again. May be
        called again after `shutdown`."""
        if self._prepared:
            return
        self._missing = await self._pool.prepare()
        self._prepared = True
        if self._missing:
            log.warning(
                "the warm stock is not full", extra={"pool": self.name, "missing": self._missing}
            )
        if not self._background:
            self._pool.set_warm_target(0)

    async def shutdown(self) -> None:
        """Close every resource, lent or not, and wait until that is done."""
        self._prepared = False
        self._anonymous.clear()
        await self._pool.close()

    # ------------------------------------------------------------------ without a session

    async def acquire(self, timeout: float | None = None) -> T:
        """Lend a resource. Waits for one at the maximum, and for one to be opened if none is warm,
        but no longer than `timeout` seconds (default 30): then TimeoutError.

        Raises PoolClosed before `prepare` and after `shutdown`, OpenFailed if none can be opened.
        """
        resource, _ = await self._acquire(timeout)
        return resource

    async def release(self, resource: T | None) -> None:
        """Give a resource back, also one that was lent to a session. Does nothing for None, and for
        one that was given back already. Raises ValueError for one that is not this pool's."""
        if resource is None or not self._prepared:
            return
        lease_id = self._anonymous.pop(id(resource), None)
        if lease_id is None:
            lease = self._pool.lease_of(resource)
            if lease is None:
                self._refuse_foreign(resource)
                return
            lease_id = lease.lease_id
        await self._pool.release(lease_id, discard=not self._keep)

    # ------------------------------------------------------------------ with a session

    async def acquire_for_session(
        self, session_id: str | None, timeout: float | None = None
    ) -> tuple[T, AllocationTier]:
        """The session's own resource (DEDICATED), or a WARM or COLD one, which it then keeps.

        Without session awareness or a session id the same as `acquire`, with the tier. Raises what
        `acquire` raises.
        """
        if not self.session_awareness_enabled or not session_id:
            return await self._acquire(timeout)
        if not self._prepared:
            await self._open_up()
        while True:
            found = self._pool.grab(session_id)
            if found is None:
                lease = await self._allocate(session_id, timeout)
                try:
                    found = self._pool.borrow(lease.lease_id), lease.tier
                except LeaseNotFound:  # given back by the same session since
                    continue
            resource, tier = found
            if tier is AllocationTier.COLD or is_ready(resource):
                return found
            await self._pool.release_held(session_id, resource, discard=True)

    async def release_for_session(self, session_id: str | None, resource: T | None = None) -> bool:
        """Give the session's resource back. False if it holds none, or not `resource`.

        Without session awareness or a session id, `resource` is released.
        """
        if self.session_awareness_enabled and session_id:
            return await self._pool.release_held(session_id, resource, discard=not self._keep)
        await self.release(resource)
        return True

    # ------------------------------------------------------------------ looking

    @property
    def active_sessions(self) -> int:
        """Sessions that hold a resource now."""
        return self._pool.stats().leased_count - len(self._anonymous)

    def snapshot(self) -> dict[str, Any]:
        """The pool at this instant, under the seed's names. `ready` means prepared, with nothing
        missing from the warm stock since."""
        stats = self._pool.stats()
        tiers = stats.tier_counts
        full = self._missing == 0 or stats.opened_count >= self._warm_pool_size
        return {
            "name": self.name,
            "ready": self._prepared and full,
            "warm_pool_size": stats.warm_count,
            "warm_pool_target": self._warm_pool_size,
            "session_awareness": self.session_awareness_enabled,
            "active_sessions": self.active_sessions,
            "background_warmup": self._background,
            "metrics": {
                "allocations_total": sum(tiers.values()),
                "allocations_dedicated": tiers[AllocationTier.DEDICATED],
                "allocations_warm": tiers[AllocationTier.WARM],
                "allocations_cold": tiers[AllocationTier.COLD],
                "active_sessions": self.active_sessions,
                "warm_pool_size": stats.warm_count,
                "warmup_cycles": stats.opened_count,
                "warmup_failures": stats.open_failures,
                "timestamp": time.time(),
            },
        }

    # ------------------------------------------------------------------ steps

    async def _open_up(self) -> None:
        """What is done for a request before `prepare`: nothing, it is refused."""

    async def _acquire(self, timeout: float | None) -> tuple[T, AllocationTier]:
        if not self._prepared:
            await self._open_up()
        while True:
            self._anonymous_count += 1
            holder = f"anonymous-{self._anonymous_count}"
            lease = await self._allocate(holder, timeout, math.inf)
            resource = self._pool.borrow(lease.lease_id)
            if lease.tier is AllocationTier.COLD or is_ready(resource):
                self._anonymous[id(resource)] = lease.lease_id
                return resource, lease.tier
            await self._pool.release(lease.lease_id, discard=True)

    async def _allocate(
        self, session: str, timeout: float | None, ttl_seconds: float | None = None
    ) -> Lease:
        deadline = None if timeout is None else self._clock() + timeout
        try:
            return await self._pool.allocate(session, ttl_seconds=ttl_seconds, deadline=deadline)
        except PoolExhausted as error:
            raise TimeoutError(str(error)) from error

    def _refuse_foreign(self, resource: T) -> None:
        if not self._pool.keeps(resource):
            raise ValueError(f"pool {self.name} did not lend this {type(resource).__name__}")


class OnDemandResourcePool(WarmableResourcePool[T]):
    """No stock: each resource is opened when it is asked for (COLD), kept for its session
    (DEDICATED), and closed when it is given back. Needs no `prepare`."""

    _keep = False

    def __init__(
        self,
        *,
        factory: Callable[[], Awaitable[T]],
        session_awareness: bool = False,
        name: str = "on-demand",
        max_size: int = DEFAULT_MAX_SIZE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(
            factory=factory,
            name=name,
            session_awareness=session_awareness,
            max_size=max_size,
            clock=clock,
        )
        self._shut = False

    async def prepare(self) -> None:
        """Begin to serve; also after `shutdown`."""
        self._shut = False
        await super().prepare()

    async def shutdown(self) -> None:
        """Close every resource, and serve no more until `prepare`."""
        self._shut = True
        await super().shutdown()

    def snapshot(self) -> dict[str, Any]:
        """As for the warm pool, with the two names that this kind of pool has of its own."""
        snapshot = super().snapshot()
        metrics = snapshot["metrics"]
        metrics["allocations_cached"] = metrics["allocations_dedicated"]
        metrics["allocations_new"] = metrics["allocations_cold"]
        return snapshot

    async def _open_up(self) -> None:
        if not self._shut:
            await self.prepare()
