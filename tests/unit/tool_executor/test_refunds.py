"""refund_fee: which fees it gives back, once, and what the account shows afterwards."""

from __future__ import annotations

import asyncio
import sqlite3
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tool_executor.customers import WithRefunds, demo_customers
from tool_executor.refunds import Fee, Refunds
from tool_executor.tools.accounts import AccountTools
from tool_executor.tools.refunds import NOT_BOOKED, RefundTools
from toolkit import Registry, ToolContext, tools_of
from toolkit.local import execute

TODAY = date(2026, 11, 24)
ALICE = "alice_brown_ab"
LATE: dict[str, Any] = {"fee": "late", "amount": 29}


@dataclass
class Bank:
    """The account and refund tools over one file of refunds, on a day that moves on."""

    refunds: Refunds
    day: date = TODAY
    runs: int = 0
    registry: Registry = field(init=False)

    def __post_init__(self) -> None:
        def today() -> date:
            return self.day

        customers = WithRefunds(demo_customers(), self.refunds, today)
        groups = (AccountTools(customers, today), RefundTools(customers, self.refunds, today))
        self.registry = Registry(tool for group in groups for tool in tools_of(group))

    async def refund(self, request_id: str = "", **arguments: Any) -> dict[str, Any]:
        self.runs += 1
        context = ToolContext(request_id=request_id or f"r{self.runs}")
        given = {"client_id": ALICE, **arguments}
        return await execute(self.registry, "refund_fee", given, context)

    async def checking(self) -> float:
        given = {"client_id": ALICE, "account_type": "checking"}
        result = await execute(self.registry, "get_account_summary", given)
        return float(result["accounts"][0]["balance"])

    async def transactions(self) -> dict[str, Any]:
        return await execute(self.registry, "get_recent_transactions", {"client_id": ALICE})


@pytest.fixture
def bank(tmp_path: Path) -> Bank:
    return Bank(Refunds(tmp_path / "bank" / "refunds.sqlite3"))


async def test_a_fee_is_given_back_and_the_account_shows_it(bank: Bank) -> None:
    before = await bank.checking()
    result = await bank.refund(**LATE)
    assert result["success"]
    assert result["message"] == (
        "I have refunded your late payment fee of 29 dollars to your checking account."
    )
    assert (result["refunded"], result["fee"]) == (29.0, "Late payment fee")
    assert await bank.checking() == before + 29
    latest = await bank.transactions()
    assert latest["transactions"][0]["amount"] == 29.0
    assert "today a refund of your late payment fee, 29 dollars" in latest["message"]


async def test_the_same_request_is_the_same_refund_and_another_is_told_of_it(bank: Bank) -> None:
    first = await bank.refund("r", **LATE)
    assert await bank.refund("r", **LATE) == first
    again = await bank.refund(**LATE)
    assert again["success"] is False
    assert again["message"] == "Your late payment fee was refunded today."
    assert await bank.checking() == 2510.67 + 29


async def test_another_process_that_reads_the_same_file_knows_of_it(tmp_path: Path) -> None:
    path = tmp_path / "refunds.sqlite3"
    assert (await Bank(Refunds(path)).refund(**LATE))["success"]
    other = Bank(Refunds(path), runs=7)
    assert (await other.refund(**LATE))["success"] is False
    assert await other.checking() == 2510.67 + 29


async def test_of_many_requests_at_once_one_books(bank: Bank) -> None:
    results = await asyncio.gather(*(bank.refund(**LATE) for _ in range(8)))
    assert [result["success"] for result in results].count(True) == 1
    assert await bank.checking() == 2510.67 + 29


async def test_the_demo_s_fee_of_another_day_is_another_fee(bank: Bank) -> None:
    assert (await bank.refund(**LATE))["success"]
    bank.day = TODAY + timedelta(days=1)
    assert (await bank.refund(**LATE))["success"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"fee": "late", "amount": 30}, "I see no late fee of 30 dollars on your account. There is a"
         " late payment fee of 29 dollars on November 20th."),
        ({"fee": "overdraft", "amount": 35}, "I see no overdraft fee of 35 dollars on your account."),
        ({"fee": "late", "amount": 12.36}, "no late fee of 12.36 dollars"),
        ({**LATE, "client_id": "nobody"}, "could not find that customer"),
        ({"fee": "late", "amount": -29}, "greater than"),
        ({"fee": "late", "amount": 29.001}, "decimal places"),
        ({"fee": "parking", "amount": 29}, "must be one of"),
        ({"fee": "late"}, "missing: `amount`"),
        ({**LATE, "note": "x"}, "does not take"),
    ],
)  # fmt: skip
async def test_not_given_back(bank: Bank, arguments: dict[str, Any], said: str) -> None:
    result = await bank.refund(**arguments)
    assert result["success"] is False
    assert said in result["message"] or "exclusiveMinimum" in result["message"]
    assert await bank.checking() == 2510.67


async def test_twelve_thirty_six_is_exact_however_it_is_written(bank: Bank) -> None:
    result = await bank.refund(fee="foreign transaction", amount=12.36)
    assert result["message"].startswith("I have refunded your foreign transaction fee of 12.36")
    assert await bank.checking() == 2523.03


async def test_a_disk_that_does_not_write_is_said(bank: Bank, monkeypatch: Any) -> None:
    def book(*_: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(bank.refunds, "book", book)
    result = await bank.refund(**LATE)
    assert result == {"success": False, "message": NOT_BOOKED}


def test_without_a_folder_they_are_kept_in_memory() -> None:
    refunds = Refunds(None)
    fee = Fee("alice", "t1", TODAY, "Late payment fee", Decimal("29.00"))
    assert refunds.of("alice") == []
    kept = refunds.book(fee, TODAY, "r1")
    assert refunds.of("alice") == [kept]
    assert refunds.book(fee, TODAY + timedelta(days=2), "r2") == kept
    with pytest.raises(sqlite3.IntegrityError):
        refunds.book(Fee("alice", "t2", TODAY, "Other fee", Decimal(1)), TODAY, "r1")


def test_reading_makes_no_file(tmp_path: Path) -> None:
    assert Refunds(tmp_path / "none.sqlite3").of("alice") == []
    assert not list(tmp_path.iterdir())
