"""A pool of clients that are costly to open. Standard library only.

The life of a client: a `ClientFactory` opens and warms it; it rests in the warm set, is checked,
and is leased to a session (`WarmPool.allocate`); the session uses it in streams (`WarmPool.stream`)
and gives it back (`WarmPool.release`); it is reset and rests again, or is closed and replaced, as
its factory declares. README.md tells it at length, with tuning and troubleshooting.

`WarmableResourcePool` and `OnDemandResourcePool` are a simpler door to the same pool: they lend the
client itself and need only a function that makes one.
"""

from .breaker import BreakerState
from .errors import (
    BreakerOpen,
    LeaseError,
    LeaseInUse,
    LeaseNotFound,
    LeaseNotOwned,
    OpenFailed,
    OpenThrottled,
    PoolClosed,
    PoolDraining,
    PoolError,
    PoolExhausted,
    TierUnavailable,
)
from .factory import ClientFactory, Reuse, TellsFitness, TellsUse
from .lease import AllocationTier, Lease
from .options import PoolOptions
from .pool import WarmPool
from .seed import OnDemandResourcePool, WarmableResourcePool
from .stats import DiscardCause, PoolObserver, PoolStats, StockStats

__all__ = [
    "AllocationTier",
    "BreakerOpen",
    "BreakerState",
    "ClientFactory",
    "DiscardCause",
    "Lease",
    "LeaseError",
    "LeaseInUse",
    "LeaseNotFound",
    "LeaseNotOwned",
    "OnDemandResourcePool",
    "OpenFailed",
    "OpenThrottled",
    "PoolClosed",
    "PoolDraining",
    "PoolError",
    "PoolExhausted",
    "PoolObserver",
    "PoolOptions",
    "PoolStats",
    "Reuse",
    "StockStats",
    "TellsFitness",
    "TellsUse",
    "TierUnavailable",
    "WarmPool",
    "WarmableResourcePool",
]
