"""Customers with their accounts and transactions: the port, and the demo's own from a file."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import Literal, Protocol

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator

from tool_executor.refunds import Refund, Refunds

AccountType = Literal["checking", "savings"]
REFUND = "refund"
"""The category of a fee that was given back."""


class CustomersInvalid(Exception):
    """A file of customers is not right. The message names the file and the field."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Account(_Record):
    """One account, in dollars."""

    type: AccountType
    number: str = Field(pattern=r"^\d{8,17}$")
    balance: Decimal
    available: Decimal

    @property
    def last_4(self) -> str:
        """What may be said of the number."""
        return self.number[-4:]


class Transaction(_Record):
    """One booking, in dollars; negative when the customer paid."""

    id: str
    days_ago: int = Field(ge=0)
    merchant: str
    amount: Decimal
    category: str
    city: str = ""
    country: str = ""
    original_amount: Decimal | None = None
    original_currency: str = ""
    fee_for: str = ""
    """The transaction that this fee was charged for."""

    @field_validator("amount", "original_amount", mode="before")
    @classmethod
    def _exact(cls, value: object) -> object:
        """YAML gives floats; money is decimal."""
        return str(value) if isinstance(value, float) else value

    def booked_on(self, today: date) -> date:
        """The day it was booked."""
        return today - timedelta(days=self.days_ago)


class Customer(_Record):
    """One customer."""

    client_id: str
    full_name: str
    ssn_last_4: str = Field(pattern=r"^\d{4}$", repr=False)
    accounts: tuple[Account, ...]
    transactions: tuple[Transaction, ...] = ()
    """Newest first."""

    def with_refunds(self, refunds: Iterable[Refund], today: date) -> Customer:
        """The customer with those refunds booked, of which the file knows nothing."""
        charged = {(one.id, one.booked_on(today)): one for one in self.transactions}
        booked = [one for one in refunds if (one.fee.transaction, one.fee.charged_on) in charged]
        if not booked:
            return self
        total = sum((one.fee.amount for one in booked), Decimal(0))
        entries = [*(_entry(one, today) for one in booked), *self.transactions]
        return self.model_copy(
            update={
                "accounts": tuple(_credited(account, total) for account in self.accounts),
                "transactions": tuple(sorted(entries, key=lambda entry: entry.days_ago)),
            }
        )


def _entry(refund: Refund, today: date) -> Transaction:
    return Transaction(
        id=f"{refund.fee.transaction}-R",
        days_ago=max(0, (today - refund.booked_on).days),
        merchant=f"Refund of your {refund.fee.name.lower()}",
        amount=refund.fee.amount,
        category=REFUND,
    )


def _credited(account: Account, amount: Decimal) -> Account:
    """Refunds go to the checking account."""
    if account.type != "checking":
        return account
    more = {"balance": account.balance + amount, "available": account.available + amount}
    return account.model_copy(update=more)


class Customers(Protocol):
    """Where customers are looked up; later also Cosmos."""

    async def by_client_id(self, client_id: str) -> Customer | None:
        """The customer of that id."""
        ...

    async def all_to_verify(self) -> Iterable[Customer]:
        """Those among whom a caller is looked for by name and digits."""
        ...


class FileCustomers:
    """Customers of a YAML file, held in memory."""

    def __init__(self, customers: Iterable[Customer]) -> None:
        self._by_id = {customer.client_id: customer for customer in customers}

    async def by_client_id(self, client_id: str) -> Customer | None:
        """The customer of that id."""
        return self._by_id.get(client_id)

    async def all_to_verify(self) -> Iterable[Customer]:
        """All of them."""
        return self._by_id.values()


class WithRefunds:
    """Customers as they are once their refunds are booked, on the day that `today` tells."""

    def __init__(self, customers: Customers, refunds: Refunds, today: Callable[[], date]) -> None:
        self._customers, self._refunds, self._today = customers, refunds, today

    async def by_client_id(self, client_id: str) -> Customer | None:
        """See Customers."""
        customer = await self._customers.by_client_id(client_id)
        if customer is None:
            return None
        refunds = await asyncio.to_thread(self._refunds.of, client_id)
        return customer.with_refunds(refunds, self._today())

    async def all_to_verify(self) -> Iterable[Customer]:
        """See Customers."""
        return await self._customers.all_to_verify()


def demo_customers() -> FileCustomers:
    """The customers that ship with the demo."""
    shipped = resources.files("tool_executor") / "data" / "customers.yaml"
    return FileCustomers(_parsed(shipped.read_text(encoding="utf-8"), "customers.yaml"))


def customers_of_file(path: Path) -> FileCustomers:
    """The customers of a file. Raises CustomersInvalid."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise CustomersInvalid(f"{path} cannot be read: {error.strerror}") from None
    return FileCustomers(_parsed(text, str(path)))


def _parsed(text: str, source: str) -> list[Customer]:
    try:
        return TypeAdapter(list[Customer]).validate_python(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise CustomersInvalid(f"{source} is not YAML: {' '.join(str(error).split())}") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise CustomersInvalid(f"{source}: {where}: {first['msg']}") from None
