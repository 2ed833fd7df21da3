"""The things a ledger keeps: clients (slots), leases (grants) and requests that wait (claims).

They hold state and no rules; every move between states is made by `stock.py` and `ledger.py`.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar, final

from .errors import PoolError
from .lease import AllocationTier, Lease
from .stats import DiscardCause

if TYPE_CHECKING:
    from .stock import Stock

T = TypeVar("T")

make_lease = tuple.__new__
"""Half the cost of calling `Lease`, which only unpacks keywords before it does the same."""


class SlotState(enum.Enum):
    """Where a client is in its life. Only IDLE clients may be taken, only LEASED ones are held."""

    OPENING = "opening"
    IDLE = "idle"
    CHECKING = "checking"
    LEASED = "leased"
    RESETTING = "resetting"
    CLOSING = "closing"


@final
class Slot(Generic[T]):
    """A place under the maximum and the client in it, from when it is being opened until it is
    closed."""

    __slots__ = (
        "best_before",
        "cause",
        "checked_at",
        "client",
        "generation",
        "max_idle",
        "opened_at",
        "retire_at",
        "state",
        "stock",
        "trusted_until",
        "uses",
    )

    def __init__(self, stock: Stock[T], generation: int, now: float) -> None:
        self.stock = stock
        self.generation = generation
        self.client: T | None = None
        self.state = SlotState.OPENING
        self.opened_at = now
        self.checked_at = now
        self.trusted_until = now
        """Until then it is handed out without another check."""
        self.retire_at = math.inf
        """When it is too old."""
        self.max_idle = math.inf
        """Seconds it may idle. Jittered, as its age is."""
        self.best_before = math.inf
        """The end of its present rest: too old, or idle for too long."""
        self.uses = 0
        self.cause: DiscardCause | None = None


@final
class Grant(Generic[T]):
    """A lease, as the ledger sees it."""

    # A grant is made on every allocation. What is always set has a slot; what seldom differs from
    # its default is on the class, and in the dictionary only if it does.
    __slots__ = (
        "__dict__",
        "expires_at",
        "granted_at",
        "lease_id",
        "session",
        "slot",
        "stock",
        "ttl",
        "untouched",
    )

    lease_id: str
    session: str
    stock: Stock[T]
    slot: Slot[T] | None
    """None between a used client's end and the next stream."""
    ttl: float
    granted_at: float
    expires_at: float
    accepted = True
    """Somebody was told. A grant handed to a waiter is not accepted until the waiter has run."""
    streaming = False
    untouched: bool
    """No stream was opened on it, its client was not borrowed, and nothing else speaks against
    laying the client back where it came from."""
    used = False
    """The holder has touched the present client."""
    broken = False
    """The holder saw the present client fail."""
    leak_told = False
    tier = AllocationTier.WARM
    request_id: str | None = None
    renewal: Claim[T] | None = None
    """Its place in the line, while it waits for its next client."""

    def lives(self, now: float) -> bool:
        """Whether the holder may still use it. A stream pins it beyond its expiry, and its time does
        not run before the holder knows of it."""
        return self.streaming or now < self.expires_at or not self.accepted

    def extend(self, ttl: float, now: float) -> None:
        """Move the expiry to `ttl` from now, never nearer."""
        self.ttl = ttl
        self.expires_at = max(self.expires_at, now + ttl)

    def view(self, tier: AllocationTier, seconds: float) -> Lease:
        """What the holder gets to see."""
        return make_lease(Lease, (self.lease_id, self.session, tier, self.expires_at, seconds))


class Party(Generic[T]):
    """One caller that waits; several of one session share a claim.

    Exactly one of `grant` and `error` is set when it is settled, and `wake` is called then.
    """

    __slots__ = ("claim", "deadline", "error", "grant", "wake")

    def __init__(self, claim: Claim[T], deadline: float) -> None:
        self.claim = claim
        self.deadline = deadline
        self.grant: Grant[T] | None = None
        self.error: PoolError | None = None
        self.wake: Callable[[], None] | None = None

    @property
    def settled(self) -> bool:
        """Whether it has its answer."""
        return self.grant is not None or self.error is not None


class Ask(NamedTuple, Generic[T]):
    """A request for a lease."""

    stock: Stock[T]
    session: str
    request_id: str | None
    tiers: Collection[AllocationTier] | None
    """Accepted; None for any."""
    ttl: float
    now: float
    """When it was made."""


class Claim(Generic[T]):
    """A session's place in the line of a stock."""

    __slots__ = ("ask", "number", "parties", "renewal_of")

    def __init__(self, ask: Ask[T], number: int, renewal_of: Grant[T] | None = None) -> None:
        self.ask = ask
        self.number = number
        """Place in the order of asking, over all stocks."""
        self.renewal_of = renewal_of
        """Set when a lease wants its next client: such a claim needs no further lease."""
        self.parties: list[Party[T]] = []

    def accepts(self, tier: AllocationTier) -> bool:
        """Whether a client found at `tier` will do."""
        return self.ask.tiers is None or tier in self.ask.tiers
