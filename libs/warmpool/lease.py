"""What a holder sees of its hold on a client: the lease and the tier it was found at."""

from __future__ import annotations

import enum
from typing import NamedTuple, final


class AllocationTier(enum.StrEnum):
    """How a client was found, fastest first. Recorded by the path that served, never inferred."""

    DEDICATED = "dedicated"
    """The session held it already."""
    WARM = "warm"
    """It was open, connected and verified: idle, or just given back by another session."""
    COLD = "cold"
    """The request waited for a client to be opened."""


@final
class Lease(NamedTuple):
    """A session's hold on one client, as it was at the moment of asking. Immutable.

    (A named tuple because it is made on every allocation: a frozen dataclass takes three times as
    long to construct.)
    """

    lease_id: str
    """Random, and with a part of its own for each start of the pool."""
    session: str
    tier: AllocationTier
    expires_at: float
    """On the pool's clock, in seconds. An open stream keeps the lease beyond it."""
    allocation_seconds: float
    """What finding, waiting for or opening the client took."""
