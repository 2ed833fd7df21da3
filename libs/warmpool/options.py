"""The pool's settings: one line each, with unit and default, checked once.

`WarmPool` itself takes the sizes (`warm_target`, `max_size`, `max_waiting`); what is rarely changed
is here. README.md says how to tune them.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

_MAY_BE_ZERO = {
    "warm_ceiling",
    "warm_margin",
    "check_bypass_seconds",
    "age_jitter",
}


@dataclass(frozen=True, slots=True)
class PoolOptions:
    """How a pool opens, keeps and gives up clients. Raises ValueError for a setting out of range."""

    warm_ceiling: int | None = None
    """Up to where the warm target may follow demand. None: it stays at `warm_target`."""
    warm_margin: int = 2
    """Clients kept beyond what demand asks for, when the target follows demand."""
    demand_half_life_seconds: float = 300.0
    """After how long half of a past burst is forgotten."""
    max_opening: int = 32
    """Opens in progress at once, over all stocks."""
    open_seconds: float = 10.0
    """Bound on opening and warming one client."""
    hook_seconds: float = 5.0
    """Bound on one check, reset or close."""
    max_age_seconds: float = 1800.0
    """A client this old is closed when it is next idle. math.inf: never."""
    age_jitter: float = 0.1
    """Each client's age and idle limits are shortened by up to this share, so that clients opened
    together do not end together."""
    max_idle_seconds: float = 300.0
    """A client idle for this long is closed. Set it below the provider's own idle limit."""
    max_uses: int | None = None
    """Leases after which a client is closed. None: no limit."""
    check_interval_seconds: float = 15.0
    """How often idle clients are checked in the background."""
    check_bypass_seconds: float = 0.0
    """A client verified within this time is handed out without another check."""
    max_ttl_seconds: float = 600.0
    """The longest lease that may be asked for."""
    default_wait_seconds: float = 30.0
    """How long a request without a wait or deadline of its own waits at most."""
    sweep_seconds: float = 1.0
    """How often expired leases and old clients are looked for."""
    breaker_failures: int = 3
    """Failed opens in a row that open the breaker."""
    backoff_seconds: float = 0.25
    """First pause after a failure; doubles with each, with jitter."""
    max_backoff_seconds: float = 2.0
    """Longest pause between probes of a failing provider: how long after its return it may go
    unnoticed."""
    slow_open_seconds: float = math.inf
    """An open slower than this counts against the breaker, though its client is kept."""
    leak_seconds: float = 3600.0
    """A lease held longer is reported to the observer, once, with its holder."""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value is None:
                continue
            least = 0 if field.name in _MAY_BE_ZERO else None
            if value != value or value < 0 or (value == 0 and least is None):
                wanted = "0 or more" if least == 0 else "more than 0"
                raise ValueError(f"PoolOptions.{field.name} is {value!r}; it must be {wanted}")
        if self.age_jitter >= 1:
            raise ValueError(f"PoolOptions.age_jitter is {self.age_jitter!r}; it must be below 1")


def check_sizes(
    name: str, targets: Mapping[str, int], stocks: Collection[str], max_size: int, max_waiting: int
) -> None:
    """Raise ValueError, naming the pool and the size, if the sizes cannot hold together."""
    if not stocks:
        raise ValueError(f"pool {name} has no factory")
    if unknown := set(targets) - set(stocks):
        raise ValueError(f"pool {name}: warm_target names unknown stocks: {sorted(unknown)}")
    if max_size < 1:
        raise ValueError(f"pool {name}: max_size is {max_size}; it must be at least 1")
    if max_waiting < 0:
        raise ValueError(f"pool {name}: max_waiting is {max_waiting}; it must be 0 or more")
    if any(target < 0 for target in targets.values()) or sum(targets.values()) > max_size:
        raise ValueError(
            f"pool {name}: warm_target {sum(targets.values())} is not within 0 and max_size {max_size}"
        )
