"""A call's usage is what was sent and told; its cost is told once, to everybody, with its alarms."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from gateway.costs import Accounts, Billing, open_accounts, usage_of
from gateway.parts import CallParts
from gateway.settings import GatewaySettings
from gateway.timeline import TurnTimes
from gateway.turns import ModelUse, Outcome, Turns
from meshkit import metrics
from meshkit.budget import TenantSpending
from meshkit.prices import Price, PriceTable
from meshkit.startup import StartupError
from meshkit.usage import Thing, Unit

DAY = date(2026, 11, 24)
BILLING = Billing("speech", ("acs", "pstn-in"))
PRICES = {
    ("speech", Unit.SPEECH_SECOND): "0.01",
    ("speech", Unit.SYNTHESIS_CHARACTER): "0.001",
    ("acs", Unit.TELEPHONY_MINUTE): "0.02",
    ("openai", Unit.INPUT_TOKEN): "0.1",
    ("openai", Unit.CACHED_TOKEN): "0.05",
    ("openai", Unit.OUTPUT_TOKEN): "1",
}


def parts(provider: str = "openai") -> CallParts:
    """Ten seconds heard, two segments spoken, one turn told and one that was not."""
    turns = Turns()
    for name, agent in (("t0", "concierge"), ("t1", "fraud")):
        turns.begin(name, "greeting", agent, TurnTimes(0.0))
        turns.plan(f"{name}/s0", "Hello.")
    told = turns.get("t0")
    assert told is not None
    told.outcome = Outcome(
        "completed", model_usage=(ModelUse(provider, "m", 30, 20, 2),), unmeasured_answers=1
    )
    sent = Counter({("t0/s0", "warm"): 6, ("t1/s0", "dedicated"): 6, ("notice", "warm"): 5})
    made = SimpleNamespace(
        turns=turns,
        hearing=SimpleNamespace(sent_samples=Counter({"warm": 160_000})),
        speaking=SimpleNamespace(sent_characters=sent),
    )
    return cast(CallParts, made)


def accounts(call_budget: str = "0", tenant_budget: str = "0") -> Accounts:
    since = date(2026, 1, 1)
    lines = tuple(
        Price(provider=provider, model="*", unit=unit, price=Decimal(price), per=1, since=since)
        for (provider, unit), price in PRICES.items()
    )
    return Accounts(
        PriceTable(currency="USD", prices=lines),
        BILLING,
        Decimal(call_budget),
        TenantSpending(Decimal(tenant_budget)),
    )


def settle(books: Accounts, call: CallParts | None = None) -> dict[str, Any]:
    return books.open().settle(call or parts(), 90.0, DAY, tenant="bank", scenario="banking")


def alarms(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    told = [vars(record) for record in caplog.records if record.message == "budget alarm"]
    return [(record["scope"], record["threshold"]) for record in told]


def test_usage_is_what_was_sent_and_told() -> None:
    usage = usage_of(parts(), 90.0, BILLING)
    assert usage.sums() == {
        Thing("speech", "", Unit.SPEECH_SECOND, tier="warm"): 10,
        Thing("speech", "", Unit.SYNTHESIS_CHARACTER, "concierge", "warm"): 6,
        Thing("speech", "", Unit.SYNTHESIS_CHARACTER, "fraud", "dedicated"): 6,
        Thing("speech", "", Unit.SYNTHESIS_CHARACTER, "", "warm"): 5,
        Thing("openai", "m", Unit.INPUT_TOKEN, "concierge"): 10,
        Thing("openai", "m", Unit.CACHED_TOKEN, "concierge"): 20,
        Thing("openai", "m", Unit.OUTPUT_TOKEN, "concierge"): 2,
        Thing("acs", "pstn-in", Unit.TELEPHONY_MINUTE): Decimal("1.5"),
    }
    assert usage.unmeasured == 2


def test_the_record_breaks_the_cost_down() -> None:
    record = settle(accounts())
    assert Decimal(record["total"]) == Decimal("4.147")
    assert {k: Decimal(v) for k, v in record["by_agent"].items()} == {
        "concierge": Decimal("4.006"),
        "fraud": Decimal("0.006"),
    }
    assert {k: Decimal(v) for k, v in record["by_tier"].items()} == {
        "warm": Decimal("0.111"),
        "dedicated": Decimal("0.006"),
    }
    assert sum(map(Decimal, record["by_unit"].values())) == Decimal(record["total"])
    assert (record["unpriced"], record["unmeasured_answers"]) == ([], 2)
    assert json.loads(json.dumps(record)) == record


def test_what_has_no_price_is_named_and_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    books = accounts()
    for _ in range(2):
        record = settle(books, parts("elsewhere"))
        assert record["unpriced"] == [
            "elsewhere m cached_token",
            "elsewhere m input_token",
            "elsewhere m output_token",
        ]
    assert caplog.messages.count("no price") == 3


def test_a_call_alarms_while_it_lives_and_once_a_threshold(
    caplog: pytest.LogCaptureFixture,
) -> None:
    books = accounts(call_budget="5")
    account, call = books.open(), parts()
    account.watch(call, 90.0, DAY)
    account.watch(call, 90.0, DAY)
    assert alarms(caplog) == [("call", "0.8")]
    account.settle(call, 9000.0, DAY, tenant="bank", scenario="banking")
    assert alarms(caplog) == [("call", "0.8"), ("call", "1")]


def test_a_tenant_alarms_over_its_calls_of_the_day(caplog: pytest.LogCaptureFixture) -> None:
    books = accounts(tenant_budget="10")
    for _ in range(3):
        settle(books)
    assert alarms(caplog) == [("tenant_day", "0.8"), ("tenant_day", "1")]


class Kept:
    """What was counted."""

    def __init__(self) -> None:
        self.sums: Counter[tuple[str, ...]] = Counter()

    def take(self, name: str, value: float, labels: dict[str, str]) -> None:
        self.sums[name, *labels.values()] += value  # type: ignore[assignment]


@pytest.fixture
def counted() -> Iterator[Kept]:
    kept = Kept()
    metrics.switch(kept)
    yield kept
    metrics.switch(None)


def test_money_is_counted_by_agent_tier_and_tenant(counted: Kept) -> None:
    settle(accounts(call_budget="4"))
    sums = {key: pytest.approx(value) for key, value in counted.sums.items()}
    assert sums["voicemesh_tenant_cost_total", "bank"] == 4.147
    assert sums["voicemesh_agent_cost_total", "concierge", "output_token"] == 2
    assert sums["voicemesh_agent_cost_total", "none", "telephony_minute"] == 0.03
    assert sums["voicemesh_tier_cost_total", "dedicated", "synthesis_character"] == 0.006
    assert sums["voicemesh_budget_alarms_total", "call", "1"] == 1
    for name in ("voicemesh_agent_cost_total", "voicemesh_tier_cost_total"):
        of = sum(value for key, value in counted.sums.items() if key[0] == name)
        assert of == pytest.approx(4.147), name


def test_calls_without_a_whole_price_are_counted(counted: Kept) -> None:
    settle(accounts(), parts("elsewhere"))
    assert counted.sums["voicemesh_unpriced_calls_total",] == 1


def test_the_profile_says_who_bills() -> None:
    assert open_accounts(GatewaySettings()).billing == Billing("local", ("local", ""))
    azure = GatewaySettings(profile="azure")
    assert open_accounts(azure).billing == Billing("azure-speech", ("acs", "pstn-in"))
    chosen = GatewaySettings(speech_billing="acme", line_billing="acs/voip")
    assert open_accounts(chosen).billing == Billing("acme", ("acs", "voip"))


def test_a_call_of_the_local_profile_costs_nothing_and_all_of_it_is_priced() -> None:
    books = open_accounts(GatewaySettings())
    record = settle(books, parts("local"))
    assert Decimal(record["total"]) == 0
    assert record["unpriced"] == []


def test_a_wrong_price_table_stops_the_start_with_a_sentence(tmp_path: Path) -> None:
    file = tmp_path / "prices.yaml"
    file.write_text("currency: dollars\nprices: []\n")
    with pytest.raises(StartupError, match=r"VOICEMESH_PRICES_FILE: .*prices\.yaml:1"):
        open_accounts(GatewaySettings(prices_file=str(file)))
