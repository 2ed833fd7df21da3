"""Customers of the demo, and of a file that is not right."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from tool_executor.customers import CustomersInvalid, customers_of_file, demo_customers

GOOD = """
- client_id: a
  full_name: Ann Example
  ssn_last_4: "0042"
  accounts: [{type: checking, number: "12345678", balance: 10.10, available: 10.10}]
"""


async def test_the_customers_whom_the_documents_name() -> None:
    customers = demo_customers()
    found = {c.client_id: (c.full_name, c.ssn_last_4) for c in await customers.all_to_verify()}
    assert found == {
        "alice_brown_ab": ("Alice Brown", "1234"),
        "CLT-001-JS": ("John Smith", "1234"),
        "CLT-002-JD": ("Jane Doe", "5678"),
        "CLT-003-MC": ("Michael Chen", "9999"),
        "bob_williams_bw": ("Bob Williams", "5432"),
    }


async def test_every_customer_has_checking_and_savings_and_transactions() -> None:
    for customer in await demo_customers().all_to_verify():
        assert [account.type for account in customer.accounts] == ["checking", "savings"]
        days = [entry.days_ago for entry in customer.transactions]
        assert days == sorted(days)
        assert days


async def test_foreign_fees_are_three_percent_of_their_purchase() -> None:
    fees = 0
    for customer in await demo_customers().all_to_verify():
        by_id = {entry.id: entry for entry in customer.transactions}
        for fee in customer.transactions:
            if fee.fee_for:
                fees += 1
                purchase = by_id[fee.fee_for]
                assert purchase.country
                assert fee.amount == round(purchase.amount * Decimal("0.03"), 2)
    assert fees >= 3


async def test_alice_paid_one_in_paris() -> None:
    alice = await demo_customers().by_client_id("alice_brown_ab")
    assert alice is not None
    paris = next(entry for entry in alice.transactions if entry.city == "Paris")
    assert any(entry.fee_for == paris.id for entry in alice.transactions)


async def test_money_is_exact(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(GOOD)
    customer = await customers_of_file(file).by_client_id("a")
    assert customer is not None
    assert customer.accounts[0].balance == Decimal("10.10")
    assert customer.accounts[0].last_4 == "5678"


async def test_a_customer_who_is_not_there() -> None:
    assert await demo_customers().by_client_id("nobody") is None


async def test_digits_are_not_in_a_repr() -> None:
    for customer in await demo_customers().all_to_verify():
        assert "ssn_last_4" not in repr(customer)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (("ssn_last_4", "ssn4"), "0.ssn_last_4"),
        (('"0042"', '"42"'), "0.ssn_last_4"),
        (("checking", "current"), "0.accounts.0.type"),
        (("10.10, available", "much, available"), "0.accounts.0.balance"),
        (("- client_id", "[ client_id"), "is not YAML"),
    ],
)
def test_a_file_that_is_not_right(tmp_path: Path, changed: tuple[str, str], said: str) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(GOOD.replace(*changed))
    with pytest.raises(CustomersInvalid, match=said) as caught:
        customers_of_file(file)
    assert str(file) in str(caught.value)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(CustomersInvalid, match="cannot be read"):
        customers_of_file(tmp_path / "none.yaml")
