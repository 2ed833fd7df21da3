"""Alarms about money: once a threshold is passed, by a call or by a tenant in a day. Pure.

A tenant's day is what this process has seen of it: several pods see a part each, so a deployment of
many pods alarms on the summed metric instead. Alarms tell; they end no call.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

THRESHOLDS = (Decimal("0.8"), Decimal(1))
"""Parts of a budget whose passing is told."""
MAX_TENANTS = 10_000
"""Tenants that are watched in a day; more are not, and that is the caller's to know by `full`."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """A budget was used up to a threshold."""

    scope: str
    """`call` or `tenant_day`."""
    threshold: Decimal
    budget: Decimal
    spent: Decimal


@dataclass(slots=True)
class Budget:
    """An amount, and which of its thresholds were passed. Nothing of an amount of 0: no budget."""

    scope: str
    amount: Decimal
    _told: int = 0

    def passed(self, spent: Decimal) -> list[Alarm]:
        """Alarms that were not given before, the lower threshold first."""
        alarms: list[Alarm] = []
        for threshold in THRESHOLDS[self._told :]:
            if not self.amount or spent < self.amount * threshold:
                break
            self._told += 1
            alarms.append(Alarm(self.scope, threshold, self.amount, spent))
        return alarms


@dataclass(slots=True)
class TenantSpending:
    """What tenants spent today, in this process."""

    budget: Decimal
    """Of each tenant and day; 0: none."""
    _day: date | None = None
    _spent: dict[str, tuple[Budget, Decimal]] = field(default_factory=dict)

    def spend(self, tenant: str, money: Decimal, day: date) -> Sequence[Alarm]:
        """A call of the tenant cost this much; the alarms that follow. A new day begins at nothing."""
        if day != self._day:
            self._day, self._spent = day, {}
        if tenant not in self._spent and self.full:
            return ()
        budget, spent = self._spent.get(tenant, (Budget("tenant_day", self.budget), Decimal(0)))
        self._spent[tenant] = (budget, spent + money)
        return budget.passed(spent + money)

    @property
    def full(self) -> bool:
        """Whether further tenants are not watched."""
        return len(self._spent) >= MAX_TENANTS
