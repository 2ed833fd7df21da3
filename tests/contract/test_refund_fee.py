"""The shipped refund_fee under its policy, over the wire and a real store: consent, yes, limits."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path

import pytest

from tests.support.policy_call import PolicyCall, policy_call
from tool_executor.customers import WithRefunds, demo_customers
from tool_executor.refunds import Refunds
from tool_executor.tools.refunds import CONSENT, MAY_I, RefundTools
from toolkit import Registry, tools_of

ALICE = "alice_brown_ab"
TODAY = date(2026, 11, 24)
LATE = '{"fee": "late", "amount": 29}'
FOREIGN = '{"fee": "foreign transaction", "amount": 12.36}'
QUESTION = (
    "Refund your late fee of 29 dollars to your account. Shall I go ahead? Say yes or no, or press 1"
    " for yes."
)


@pytest.fixture
def refunds(tmp_path: Path) -> Refunds:
    return Refunds(tmp_path / "refunds.sqlite3")


def shipped(refunds: Refunds) -> Registry:
    customers = WithRefunds(demo_customers(), refunds, lambda: TODAY)
    return Registry(tools_of(RefundTools(customers, refunds, lambda: TODAY)))


@pytest.fixture
async def call(tmp_path: Path, refunds: Refunds) -> AsyncIterator[PolicyCall]:
    """Alice, verified, who has consented before."""
    levels = ("identity", CONSENT)
    tools = shipped(refunds)
    async with policy_call(tmp_path / "call", client=ALICE, levels=levels, tools=tools) as running:
        yield running


async def test_consent_then_a_yes_then_once(tmp_path: Path, refunds: Refunds) -> None:
    async with policy_call(tmp_path / "call", client=ALICE, tools=shipped(refunds)) as call:
        assert (await call.wants("refund_fee", LATE)).failure.message == MAY_I
        await call.hears(MAY_I)
        await call.says("Yes, you may.")
        assert (await call.wants("refund_fee", LATE)).failure.reason == "CONSENT_NEEDED"
        await call.hears(MAY_I)
        await call.says("Yes.")
        asked = await call.wants("refund_fee", LATE)
        assert asked.failure.message == QUESTION
        await call.hears(QUESTION)
        await call.says("Yes, please.")
        done = await call.wants("refund_fee", LATE)
        again = (await call.executor.send(call.last)).outcome
    assert json.loads(done.result_json)["refunded"] == 29.0
    assert again == done
    assert len(refunds.of(ALICE)) == 1


async def test_a_second_one_past_the_day_s_limit_is_refused_in_words(
    call: PolicyCall, refunds: Refunds
) -> None:
    assert (await call.confirmed("refund_fee", LATE)).result_json
    outcome = await call.confirmed("refund_fee", FOREIGN)
    assert outcome.failure.reason == "LIMIT_REACHED"
    assert "in one day" in outcome.failure.message
    assert [one.fee.name for one in refunds.of(ALICE)] == ["Late payment fee"]


async def test_a_yes_to_another_amount_confirms_nothing(call: PolicyCall, refunds: Refunds) -> None:
    await call.wants("refund_fee", FOREIGN)
    await call.hears("Refund your foreign transaction fee of 12.36 dollars to your account."
                     " Shall I go ahead?")  # fmt: skip
    await call.says("Yes.")
    outcome = await call.wants("refund_fee", LATE)
    assert outcome.failure.reason == "CONFIRMATION_NEEDED"
    assert "29 dollars" in outcome.failure.message
    assert refunds.of(ALICE) == []


@pytest.mark.parametrize("written", ["29.00", "29.0", "2.9e1"])
async def test_the_same_amount_written_otherwise_is_the_same_act(
    call: PolicyCall, written: str
) -> None:
    await call.wants("refund_fee", LATE)
    await call.hears(QUESTION)
    await call.says("Yes.")
    assert (await call.wants("refund_fee", LATE.replace("29", written))).result_json


@pytest.mark.parametrize(
    ("arguments", "agent", "reason"),
    [
        ('{"fee": "late", "amount": 29, "client_id": "CLT-001-JS"}', "concierge", "POLICY_REFUSED"),
        (LATE, "sales", "POLICY_REFUSED"),
        ('{"fee": "late", "amount": 50.01}', "concierge", "LIMIT_REACHED"),
    ],
)  # fmt: skip
async def test_refused(
    call: PolicyCall, refunds: Refunds, arguments: str, agent: str, reason: str
) -> None:
    outcome = await call.wants("refund_fee", arguments, agent=agent)
    assert outcome.failure.reason == reason
    assert refunds.of(ALICE) == []


async def test_a_fee_that_is_not_there_does_not_use_up_the_day(call: PolicyCall) -> None:
    none = await call.confirmed("refund_fee", '{"fee": "late", "amount": 30}')
    assert json.loads(none.result_json)["success"] is False
    assert (await call.confirmed("refund_fee", LATE)).result_json
