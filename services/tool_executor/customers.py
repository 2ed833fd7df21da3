"""Customers with their accounts and transactions: the port, and the demo's own from a file."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import Literal, Protocol

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator

AccountType = Literal["checking", "savings"]


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
