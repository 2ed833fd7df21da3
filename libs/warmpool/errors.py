"""What can go wrong with a pool, each with the fields its handler needs.

    PoolError
    ├── PoolExhausted        at the maximum and nothing came free in time   (retry_after_seconds)
    ├── TierUnavailable      no client of a tier that the caller accepts    (allowed_tiers)
    ├── PoolClosed           not prepared yet, or closed
    │   └── PoolDraining     grants no new leases; those held go on
    ├── OpenFailed           the provider gave no client                    (retry_after_seconds)
    │   └── BreakerOpen      it failed so often that it is not asked now    (retry_after_seconds)
    └── LeaseError           about one lease                                (lease_id)
        ├── LeaseNotFound    never granted, expired, released, or of an earlier start
        ├── LeaseNotOwned    another session's
        └── LeaseInUse       a stream is open on it already

`OpenThrottled` is not of this tree: a factory raises it, the pool catches it.
"""

from __future__ import annotations

from collections.abc import Iterable


class PoolError(Exception):
    """A pool could not do what was asked."""


class PoolExhausted(PoolError):
    """All clients are leased and none came free in time, or too many wait already."""

    def __init__(self, message: str, *, retry_after_seconds: float) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds
        """When a client is likely to be free: an estimate from recent lease times."""


class TierUnavailable(PoolError):
    """No client of an allowed tier is to be had. Allow more tiers."""

    def __init__(self, message: str, *, allowed_tiers: Iterable[str]) -> None:
        super().__init__(message)
        self.allowed_tiers = tuple(allowed_tiers)


class PoolClosed(PoolError):
    """The pool is not open: call prepare() first, or stop using it after close()."""


class PoolDraining(PoolClosed):
    """The pool is emptying and grants no new leases. Ask another pool."""


class OpenFailed(PoolError):
    """The provider did not give a client. `__cause__` is what the factory raised, where it did."""

    def __init__(self, message: str, *, retry_after_seconds: float) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds
        """When the pool will ask the provider again."""


class BreakerOpen(OpenFailed):
    """The provider failed so often that it is left alone for a while."""


class LeaseError(PoolError):
    """Something is wrong with the named lease."""

    def __init__(self, message: str, *, lease_id: str) -> None:
        super().__init__(message)
        self.lease_id = lease_id


class LeaseNotFound(LeaseError):
    """No such lease: it expired, was released, or was granted before the last start."""


class LeaseNotOwned(LeaseError):
    """The lease belongs to another session."""


class LeaseInUse(LeaseError):
    """A stream is open on the lease; it takes one at a time."""


class OpenThrottled(Exception):
    """Raised by `ClientFactory.open` or `warm`: the provider is well but gives no more clients now.

    The pool takes it as its maximum for a while: requests wait for a client to come back instead of
    failing, nothing is opened until `retry_after_seconds` have passed, and the breaker is not touched.
    """

    def __init__(self, message: str = "throttled", *, retry_after_seconds: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds
