"""An alarm is given once a threshold, and once more only on another day."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from meshkit.budget import MAX_TENANTS, THRESHOLDS, Budget, TenantSpending

DAY, NEXT = date(2026, 11, 24), date(2026, 11, 25)


def test_each_threshold_is_told_once() -> None:
    budget = Budget("call", Decimal(10))
    told = [[a.threshold for a in budget.passed(Decimal(n))] for n in (7, 8, 9, 10, 11)]
    assert told == [[], [Decimal("0.8")], [], [Decimal(1)], []]


def test_a_leap_over_both_tells_both() -> None:
    alarms = Budget("call", Decimal(10)).passed(Decimal(99))
    assert [(a.scope, a.budget, a.spent) for a in alarms] == [("call", 10, 99)] * 2


def test_no_budget_gives_no_alarm() -> None:
    assert Budget("call", Decimal(0)).passed(Decimal(10**9)) == []


@given(st.lists(st.decimals(0, 100, places=2)))
def test_never_more_alarms_than_thresholds(spent: list[Decimal]) -> None:
    budget = Budget("call", Decimal(10))
    assert sum(len(budget.passed(s)) for s in spent) <= len(THRESHOLDS)


def test_a_tenant_s_calls_are_summed_over_the_day() -> None:
    tenants = TenantSpending(Decimal(10))
    assert not tenants.spend("a", Decimal(5), DAY)
    assert not tenants.spend("b", Decimal(5), DAY)
    (alarm,) = tenants.spend("a", Decimal(4), DAY)
    assert (alarm.scope, alarm.threshold, alarm.spent) == ("tenant_day", Decimal("0.8"), 9)
    assert not tenants.spend("a", Decimal(5), NEXT)


def test_tenants_are_bounded() -> None:
    tenants = TenantSpending(Decimal(1))
    for number in range(MAX_TENANTS):
        tenants.spend(f"t{number}", Decimal(0), DAY)
    assert tenants.full
    assert not tenants.spend("one more", Decimal(99), DAY)
    assert tenants.spend("t0", Decimal(99), DAY)
