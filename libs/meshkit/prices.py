"""Prices by provider, model, unit and day, and what a usage costs. Exact: no money is a float. Pure.

A thing without a price is named and never counted as nothing. Nothing is rounded but what is shown.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from meshkit.documents import DocumentError, read_document, validated
from meshkit.usage import Thing, Unit

SHIPPED = Path(__file__).parent / "prices.yaml"
ANY = "*"
"""A price of any model that has none of its own."""

K = TypeVar("K", bound=Hashable)

_DATED = re.compile(r"-\d{4}-?\d\d-?\d\d$")


def _written_whole(value: object) -> object:
    if isinstance(value, float):  # pydantic takes ValueError only for a fault of the input
        raise ValueError('write a price in quotes, as "0.15", so that it stays exact')  # noqa: TRY004
    return value


class Price(BaseModel):
    """One line of the table."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)

    provider: str = Field(min_length=1)
    model: str = Field(min_length=1)
    unit: Unit
    price: Annotated[Decimal, BeforeValidator(_written_whole), Field(ge=0)]
    """For `per` units."""
    per: int = Field(1, ge=1)
    since: date
    """The first day on which it holds, UTC."""


class PriceTable(BaseModel):
    """Prices in one currency."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    currency: str = Field(pattern=r"^[A-Z]{3}$")
    """ISO 4217."""
    prices: tuple[Price, ...]

    def of(self, thing: Thing, day: date) -> Price | None:
        """The price of a thing on a day: the model's own, its undated name's, or any model's."""
        for model in (thing.model, _DATED.sub("", thing.model), ANY):
            held = [
                price
                for price in self._by_thing.get((thing.provider, model, thing.unit), ())
                if price.since <= day
            ]
            if held:
                return max(held, key=lambda price: price.since)
        return None

    @cached_property
    def _by_thing(self) -> Mapping[tuple[str, str, Unit], list[Price]]:
        table: dict[tuple[str, str, Unit], list[Price]] = {}
        for price in self.prices:
            table.setdefault((price.provider, price.model, price.unit), []).append(price)
        return table


@dataclass(frozen=True, slots=True)
class Cost:
    """What a usage costs."""

    currency: str
    parts: Mapping[Thing, Decimal] = field(default_factory=dict)
    unpriced: tuple[Thing, ...] = ()
    """Things without a price: the total is short of them."""

    @property
    def total(self) -> Decimal:
        """Of all parts that have a price."""
        return sum(self.parts.values(), Decimal(0))

    def by_unit(self) -> dict[Unit, Decimal]:
        """The cost of each unit that was used."""
        return self._by(lambda thing: thing.unit)

    def by_agent(self) -> dict[str, Decimal]:
        """The cost of each agent; the call's own is under the empty name."""
        return self._by(lambda thing: thing.agent)

    def by_tier(self) -> dict[str, Decimal]:
        """The cost by tier of the speech client; what no client did is under the empty name."""
        return self._by(lambda thing: thing.tier)

    def _by(self, key: Callable[[Thing], K]) -> dict[K, Decimal]:
        sums: dict[K, Decimal] = {}
        for thing, money in self.parts.items():
            sums[key(thing)] = sums.get(key(thing), Decimal(0)) + money
        return sums


def cost_of(usage: Mapping[Thing, Decimal], prices: PriceTable, day: date) -> Cost:
    """What a usage costs at the prices of a day."""
    parts: dict[Thing, Decimal] = {}
    unpriced: list[Thing] = []
    for thing, quantity in usage.items():
        price = prices.of(thing, day)
        if price is None:
            unpriced.append(thing)
        else:
            parts[thing] = price.price * quantity / price.per
    return Cost(prices.currency, parts, tuple(unpriced))


def read_prices(path: Path | None = None) -> PriceTable:
    """The table of a file, or the one we ship. Raises DocumentError, naming file, line and key."""
    document = read_document(path or SHIPPED)
    table = validated(PriceTable, document, document.content)
    _refuse_twice(path or SHIPPED, table.prices)
    return table


def _refuse_twice(path: Path, prices: Iterable[Price]) -> None:
    seen: set[tuple[str, str, Unit, date]] = set()
    for price in prices:
        key = (price.provider, price.model, price.unit, price.since)
        if key in seen:
            raise DocumentError(
                f"{path}: {price.provider} {price.model} {price.unit} has two prices since"
                f" {price.since}; leave one"
            )
        seen.add(key)
