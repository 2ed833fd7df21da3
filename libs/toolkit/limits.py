"""How much a tool may do: for one run, in one call, for one client in a day. Declared, not counted.

Amounts are exact: Decimal or int, never float, and counted in whole units of the last decimal.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

MOST_DECIMALS = 8
_MOST_UNITS = 10**15
"""Whole numbers that every language on the way keeps exactly."""


@dataclass(frozen=True, slots=True)
class Limit:
    """Bounds on the sum of an argument, or on how many runs there are. Each is inclusive.

    `Limit("amount", per_run=Decimal("50"), per_day=Decimal("100"))`; `Limit(per_call=3)`.
    """

    argument: str = ""
    """A required number among the arguments; empty: runs are counted."""
    per_run: Decimal | int | None = None
    per_call: Decimal | int | None = None
    """Over one session, whoever is verified in it."""
    per_day: Decimal | int | None = None
    """For one verified client, over a day of UTC."""
    decimals: int = 2
    """How fine the argument is; more decimals than this are refused. Money in dollars: 2."""

    def bounds(self) -> dict[str, Decimal | int | None]:
        """The bounds by their names."""
        return {"per_run": self.per_run, "per_call": self.per_call, "per_day": self.per_day}

    def units(self, value: Decimal | int) -> int:
        """A bound as a count of the smallest unit."""
        return int(Decimal(value).scaleb(self.decimals)) if self.argument else int(value)


def problem_of(limit: Limit) -> str:
    """What is wrong with a limit by itself; empty if nothing is."""
    if not 0 <= limit.decimals <= MOST_DECIMALS:
        return f"a limit's decimals must be 0 to {MOST_DECIMALS}"
    bounds = {name: value for name, value in limit.bounds().items() if value is not None}
    if not bounds:
        return "a limit needs per_run, per_call or per_day"
    if not limit.argument and "per_run" in bounds:
        return "per_run needs an argument; a run is one run"
    for name, value in bounds.items():
        if isinstance(value, bool) or not isinstance(value, Decimal | int):
            return f"{name} must be a Decimal or an int, for a float is not exact"
        if not Decimal(value).is_finite() or not 0 < limit.units(value) <= _MOST_UNITS:
            return f"{name} must be over 0, and not past what is counted exactly"
        if not limit.argument and Decimal(value) != int(value):
            return f"{name} counts runs, so it must be whole"
    return ""


class NotCountable(ValueError):
    """An amount cannot be counted. The message says why, for the model to mend."""


def units_of(limit: Limit, given: object) -> int:
    """An argument's value in the limit's smallest unit. Raises NotCountable.

    A float is read as it is written ("19.99"), which is what the model wrote.
    """
    if not limit.argument:
        return 1
    if isinstance(given, bool) or not isinstance(given, Decimal | int | float):
        raise NotCountable(f"`{limit.argument}` must be a number")
    value = Decimal(repr(given)) if isinstance(given, float) else Decimal(given)
    if not value.is_finite() or value <= 0:
        raise NotCountable(f"`{limit.argument}` must be over zero")
    if value.adjusted() > MOST_DECIMALS * 2:
        raise NotCountable(f"`{limit.argument}` is far too large")
    scaled = value.scaleb(limit.decimals)
    if scaled != scaled.to_integral_value():
        raise NotCountable(f"`{limit.argument}` has more than {limit.decimals} decimals")
    return int(scaled)
