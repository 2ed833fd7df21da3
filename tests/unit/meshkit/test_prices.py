"""Costs are exact sums of quantity by price of the day; what has no price is named."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.documents import DocumentError
from meshkit.prices import Cost, Price, PriceTable, cost_of, read_prices
from meshkit.usage import Thing, Unit

DAY = date(2026, 11, 24)


def price(model: str, amount: str, since: date = date(2026, 1, 1), per: int = 1) -> Price:
    return Price(
        provider="p",
        model=model,
        unit=Unit.INPUT_TOKEN,
        price=Decimal(amount),
        per=per,
        since=since,
    )


def table(*prices: Price) -> PriceTable:
    return PriceTable(currency="USD", prices=prices)


def thing(model: str, provider: str = "p", **labels: str) -> Thing:
    return Thing(provider, model, Unit.INPUT_TOKEN, **labels)


def cents(cost: Cost) -> Decimal:
    return cost.total


@pytest.mark.parametrize(
    ("model", "cost"),
    [("m", "1"), ("m-2024-07-18", "1"), ("m-20240718", "1"), ("m-2025-01-01", "2"), ("n", "9")],
)
def test_the_nearest_entry_holds(model: str, cost: str) -> None:
    prices = table(price("m", "1"), price("m-2025-01-01", "2"), price("*", "9"))
    assert cents(cost_of({thing(model): Decimal(1)}, prices, DAY)) == Decimal(cost)


@pytest.mark.parametrize(
    ("day", "cost"),
    [(date(2026, 1, 31), "5"), (date(2026, 2, 1), "3"), (date(2026, 12, 1), "3")],
)
def test_a_later_price_follows_an_earlier_one_on_its_day(day: date, cost: str) -> None:
    prices = table(price("m", "3", date(2026, 2, 1)), price("m", "5"))
    assert cents(cost_of({thing("m"): Decimal(1)}, prices, day)) == Decimal(cost)


@pytest.mark.parametrize(
    ("used", "day"),
    [(thing("x"), DAY), (thing("m", "q"), DAY), (thing("m"), date(2025, 12, 31))],
)
def test_what_has_no_price_is_named_and_not_free(used: Thing, day: date) -> None:
    cost = cost_of({used: Decimal(7)}, table(price("m", "1")), day)
    assert cost.unpriced == (used,)
    assert used not in cost.parts


def test_money_is_exact() -> None:
    prices = table(price("m", "0.15", per=1_000_000))
    assert cents(cost_of({thing("m"): Decimal(3)}, prices, DAY)) == Decimal("0.00000045")


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(["", "warm"]), st.integers(1, 9))))
def test_each_breakdown_sums_to_the_total(used: list[tuple[str, str, int]]) -> None:
    usage = {thing("m", agent=agent, tier=tier): Decimal(n) for agent, tier, n in used}
    cost = cost_of(usage, table(price("m", "0.07")), DAY)
    for sums in (cost.by_unit(), cost.by_agent(), cost.by_tier()):
        assert sum(sums.values(), Decimal(0)) == cost.total
    assert cost.total == sum(usage.values(), Decimal(0)) * Decimal("0.07")


def test_the_table_we_ship_prices_what_we_use() -> None:
    prices = read_prices()
    assert prices.currency == "USD"
    for unit in Unit:
        price_ = prices.of(Thing("local", "any", unit), DAY)
        assert price_ is not None
        assert price_.price == 0
    for model in ("gpt-4o-mini-2024-07-18", "gpt-4o", "gpt-4.1-mini"):
        for unit in (Unit.INPUT_TOKEN, Unit.CACHED_TOKEN, Unit.OUTPUT_TOKEN):
            assert prices.of(Thing("azure-openai", model, unit), DAY), (model, unit)
    assert prices.of(Thing("azure-speech", "", Unit.SPEECH_SECOND), DAY)
    assert prices.of(Thing("acs", "pstn-in", Unit.TELEPHONY_MINUTE), DAY)


LINE = '{provider: p, model: m, unit: input_token, price: "1", since: 2026-01-01}'
BAD = {
    "not exact": ("price: 0.15", "in quotes"),
    "negative": ('price: "-1"', "greater than or equal to 0"),
    "no number": ("price: cheap", "decimal"),
}


@pytest.mark.parametrize(("written", "said"), BAD.values(), ids=BAD.keys())
def test_a_wrong_price_is_told_with_its_line(tmp_path: Path, written: str, said: str) -> None:
    file = tmp_path / "prices.yaml"
    other = LINE.replace('price: "1"', written)
    file.write_text(f"currency: USD\nprices:\n  - {LINE}\n  - {other}\n")
    with pytest.raises(DocumentError, match=rf"prices\.yaml:4: .*{said}"):
        read_prices(file)


def test_an_unknown_unit_and_an_unknown_key_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "prices.yaml"
    for wrong in (LINE.replace("input_token", "word"), LINE.replace("since", "form")):
        file.write_text(f"currency: USD\nprices:\n  - {wrong}\n")
        with pytest.raises(DocumentError, match=r"prices\.yaml:3"):
            read_prices(file)


def test_two_prices_of_one_day_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "prices.yaml"
    file.write_text(f"currency: USD\nprices:\n  - {LINE}\n  - {LINE}\n")
    with pytest.raises(DocumentError, match="two prices since 2026-01-01"):
        read_prices(file)
