"""A call is paid for by what was heard, said and answered in it, at the deployment's own prices."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio

from acs_standin.caller import PlacedCall
from cli.call import Conversation, Line
from tests.support.scripted_mesh import scripted_mesh
from tests.support.tonetext import encode

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

PRICES = {
    "input_token": "0.001",
    "output_token": "0.01",
    "speech_second": "0.1",
    "synthesis_character": "0.0001",
    "telephony_minute": "1",
}
TOKENS = (10, 5)
"""What the scripted model tells of each answer."""


@dataclass
class Paid:
    """A call that is over."""

    cost: dict[str, Any]
    duration_ms: int
    agent_texts: list[str]
    logs: list[dict[str, Any]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def paid(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Paid]:
    """Two lines said and answered, with a budget that is far too small."""
    prices = tmp_path_factory.mktemp("cost") / "prices.yaml"
    prices.write_text(price_file())
    environment = {
        "VOICEMESH_PRICES_FILE": str(prices),
        "VOICEMESH_CALL_BUDGET": "0.01",
        "VOICEMESH_LOG_LEVEL": "info",
    }
    lines: list[str] = []
    events: list[dict[str, Any]] = []
    async with scripted_mesh((), environment, lambda part, line: lines.append(line)) as mesh:
        async with PlacedCall(f"{mesh.media_url}?scenario=banking") as call:
            conversation = Conversation(call, events.append, turn_seconds=20.0)
            said = [Line(text, encode(text)) for text in ("hi there", "bye")]
            await conversation.run(said, mesh.control_url)
    (cost,) = [event for event in events if event["kind"] == "call_cost"]
    assert events[events.index(cost) + 1]["kind"] == "call_ended"
    texts = [text for who, text in conversation.progress.transcripts if who == "agent"]
    logs = [json.loads(line) for line in lines if line.startswith("{")]
    yield Paid(cost, events[-1]["time_ms"], texts, logs)


def price_file() -> str:
    entries = [
        f'  - {{provider: local, model: "*", unit: {unit}, price: "{price}", since: 2026-01-01}}'
        for unit, price in PRICES.items()
    ]
    return "\n".join(["currency: EUR", "prices:", *entries, ""])


async def test_each_unit_is_counted(paid: Paid) -> None:
    used = {unit: Decimal(amount) for unit, amount in paid.cost["used"].items()}
    assert used["input_token"] == 2 * TOKENS[0]
    assert used["output_token"] == 2 * TOKENS[1]
    assert used["synthesis_character"] == sum(map(len, paid.agent_texts))
    minutes = Decimal(paid.duration_ms) / 60_000
    assert abs(used["telephony_minute"] - minutes) < Decimal("0.01")
    # All that the caller's side sends is sent on to the recogniser, silence too.
    assert Decimal("0.8") < used["speech_second"] / (60 * minutes) <= Decimal("1.05")


async def test_the_money_is_the_sum_at_the_deployment_s_prices(paid: Paid) -> None:
    cost, used = paid.cost, paid.cost["used"]
    assert cost["currency"] == "EUR"
    expected = sum(Decimal(used[unit]) * Decimal(price) for unit, price in PRICES.items())
    assert abs(Decimal(cost["total"]) - expected) < Decimal("0.0001")
    assert (cost["unpriced"], cost["unmeasured_answers"]) == ([], 0)
    assert set(cost["by_agent"]) == {"concierge"}
    assert set(cost["by_tier"]) <= {"warm", "dedicated", "cold"}
    assert cost["by_tier"]


async def test_the_log_has_the_cost_and_an_alarm_a_threshold(paid: Paid) -> None:
    (record,) = [log for log in paid.logs if log["message"] == "call cost"]
    assert record["total"] == paid.cost["total"]
    assert record["used"] == paid.cost["used"]
    alarms = [log for log in paid.logs if log["message"] == "budget alarm"]
    assert [(log["scope"], log["threshold"]) for log in alarms] == [("call", "0.8"), ("call", "1")]
    assert {log["session"] for log in alarms} == {record["session"]}
