"""Policy over the wire, whatever a model was told: what is refused, and what a yes is worth."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.policy_call import CONSENT, PolicyCall, policy_call, refund_of
from tests.support.store_calls import create, get_verified
from tool_executor.audit import AuditLog
from voicemesh.session.v1 import journal_event_pb2 as ev
from voicemesh.session.v1 import session_store_pb2 as ss

QUESTION = "Refund 20 dollars to your account. Shall I go ahead? Say yes or no, or press 1 for yes."
BOB = '{"client_id": "bob"}'


@pytest.fixture
async def call(tmp_path: Path) -> AsyncIterator[PolicyCall]:
    async with policy_call(tmp_path) as running:
        yield running


@pytest.mark.parametrize(
    ("why", "tool", "arguments", "agent", "reason", "said"),
    [
        ("an agent tricked by its prompt cannot read another client's balance",
         "balance", BOB, "concierge", "POLICY_REFUSED", "person who was verified"),
        ("nor refund to another", "pay", '{"amount": 5, "client_id": "bob"}', "concierge",
         "POLICY_REFUSED", "person who was verified"),
        ("MFA is not proved", "send_card", "{}", "cards", "NOT_VERIFIED", "security code"),
        ("not that agent's tool", "send_card", "{}", "concierge", "POLICY_REFUSED", "not something"),
        ("no business caller", "claim", "{}", "concierge", "NOT_VERIFIED", "company's name"),
        ("more than one run may do", "refund", refund_of("50.01"), "concierge",
         "LIMIT_REACHED", "more than I may do at once"),
        ("more than one call may do", "pay", refund_of("81"), "concierge",
         "LIMIT_REACHED", "more than I may do at once"),
        ("less than nothing", "pay", refund_of("-5"), "concierge",
         "ARGUMENTS_INVALID", "over zero"),
        ("half a cent", "pay", refund_of("1.005"), "concierge",
         "ARGUMENTS_INVALID", "more than 2 decimals"),
        ("not confirmed", "refund", refund_of("20"), "concierge",
         "CONFIRMATION_NEEDED", "Refund 20 dollars"),
        ("no consent", "record", "{}", "concierge", "CONSENT_NEEDED", CONSENT),
    ],
)  # fmt: skip
async def test_refused(
    call: PolicyCall, why: str, tool: str, arguments: str, agent: str, reason: str, said: str
) -> None:
    outcome = await call.wants(tool, arguments, agent=agent)
    assert outcome.failure.reason == reason, why
    assert said in outcome.failure.message
    assert not outcome.HasField("execution_duration")
    assert call.bank.done == []


@pytest.mark.parametrize("tool", ["balance", "refund", "record"])
async def test_nobody_is_served_who_is_not_verified(tmp_path: Path, tool: str) -> None:
    async with policy_call(tmp_path, client="") as call:
        outcome = await call.wants(tool, refund_of("20") if tool == "refund" else "{}")
        assert outcome.failure.reason == "NOT_VERIFIED"
        assert "full name" in outcome.failure.message


async def test_a_second_refund_past_the_day_s_limit_is_refused_in_another_call(
    call: PolicyCall,
) -> None:
    assert (await call.wants("pay", refund_of("60"))).result_json
    await create(call.store, "b")
    await set_verified_of_b(call)
    again = await call.executor.run("pay", refund_of("40.01"), session="sessions/b")
    assert again.failure.reason == "LIMIT_REACHED"
    assert "in one day" in again.failure.message
    assert (await call.executor.run("pay", refund_of("40"), session="sessions/b")).result_json
    assert len(call.bank.done) == 2


async def test_a_call_s_limit_is_the_sum_of_its_refunds(call: PolicyCall) -> None:
    assert (await call.wants("pay", refund_of("79.90"))).result_json
    outcome = await call.wants("pay", refund_of("0.11"))
    assert "on this call" in outcome.failure.message
    assert (await call.wants("pay", refund_of("0.1"))).result_json


async def test_a_refund_that_said_no_does_not_count_and_one_that_broke_off_does(
    call: PolicyCall,
) -> None:
    call.bank.fails = "says_no"
    await call.wants("pay", refund_of("80"))
    call.bank.fails = "raises"
    assert (await call.wants("pay", refund_of("70"))).failure.reason == "TOOL_RAISED"
    call.bank.fails = ""
    assert (await call.wants("pay", refund_of("20"))).failure.reason == "LIMIT_REACHED"
    assert (await call.wants("pay", refund_of("10"))).result_json


async def test_of_refunds_at_once_no_more_pass_than_the_limit(call: PolicyCall) -> None:
    requests = [call.executor.request("pay", refund_of(f"{30 + n}")) for n in range(5)]
    answers = await asyncio.gather(*map(call.executor.send, requests))
    done = [answer.outcome for answer in answers if answer.outcome.result_json]
    assert len(done) == 2
    assert len(call.bank.done) == 2


async def test_the_caller_s_yes_lets_the_very_act_run_once(call: PolicyCall) -> None:
    asked = await call.wants("refund", refund_of("20"))
    assert asked.failure.message == QUESTION
    await call.hears(QUESTION)
    await call.says("Yes, please.")
    done = await call.wants("refund", refund_of("20"))
    assert json.loads(done.result_json)["message"] == "It is refunded."
    assert call.bank.done == ["refund 20 alice sessions/a/t2/0/0"]
    twice = await call.wants("refund", refund_of("20"), again=True)
    assert twice.failure.reason == "POLICY_REFUSED"
    assert "by this yes" in twice.failure.message
    assert len(call.bank.done) == 1


async def test_sent_again_after_the_yes_it_is_the_same_run(call: PolicyCall) -> None:
    first = await call.confirmed("refund", refund_of("20"))
    second = (await call.executor.send(call.last)).outcome
    assert second == first
    assert len(call.bank.done) == 1


async def test_yes_to_one_amount_does_not_confirm_another(call: PolicyCall) -> None:
    await call.wants("refund", refund_of("20"))
    await call.hears(QUESTION)
    await call.says("Yes.")
    other = await call.wants("refund", refund_of("50"))
    assert other.failure.reason == "CONFIRMATION_NEEDED"
    assert "50 dollars" in other.failure.message
    back = await call.wants("refund", refund_of("20"))
    assert back.failure.reason == "CONFIRMATION_NEEDED", "the later question replaced the first"
    assert call.bank.done == []


@pytest.mark.parametrize(
    "reply",
    ["No.", "Yes, no, don't.", "Yes, but only ten.", "What for?", "Hmm.", "I said yes to that before",
     "yes if it is free", "not yes", "Refund it twice"],
)  # fmt: skip
async def test_anything_but_a_yes_is_not_one(call: PolicyCall, reply: str) -> None:
    outcome = await call.confirmed("refund", refund_of("20"), reply)
    assert outcome.failure.reason == "CONFIRMATION_NEEDED"
    assert call.bank.done == []


@pytest.mark.parametrize("reply", ["yes", "Yeah, go ahead.", "Okay, sure.", "Um, yes. Thank you!"])
async def test_a_yes(call: PolicyCall, reply: str) -> None:
    assert (await call.confirmed("refund", refund_of("20"), reply)).result_json


@pytest.mark.parametrize(("keys", "runs"), [("1", True), ("1#", True), ("2", False), ("11", False)])
async def test_the_key_that_was_named(call: PolicyCall, keys: str, runs: bool) -> None:
    await call.wants("refund", refund_of("20"))
    await call.hears(QUESTION)
    await call.says(keys, keyed=True)
    assert bool((await call.wants("refund", refund_of("20"))).result_json) is runs


async def test_a_model_that_does_not_ask_gets_nowhere(call: PolicyCall) -> None:
    for again in (False, True, True):
        outcome = await call.wants("refund", refund_of("20"), again=again)
        assert outcome.failure.reason == "CONFIRMATION_NEEDED"
    await call.hears("Would you like to hear a joke?")
    await call.says("Yes.")
    outcome = await call.wants("refund", refund_of("20"))
    assert outcome.failure.reason == "CONFIRMATION_NEEDED"
    assert call.bank.done == []


async def test_a_yes_of_before_the_question_is_none(call: PolicyCall) -> None:
    await call.says("Yes.")
    await call.wants("refund", refund_of("20"))
    await call.hears(QUESTION)
    outcome = await call.wants("refund", refund_of("20"))
    assert outcome.failure.reason == "CONFIRMATION_NEEDED"


@pytest.mark.parametrize(
    ("heard", "runs"),
    [(len(QUESTION), True), (QUESTION.index("Say"), True), (25, False), (0, False)],
)
async def test_a_question_must_have_been_heard(call: PolicyCall, heard: int, runs: bool) -> None:
    await call.wants("refund", refund_of("20"))
    await call.hears(QUESTION, heard=heard)
    await call.says("Yes.")
    assert bool((await call.wants("refund", refund_of("20"))).result_json) is runs


async def test_a_yes_to_a_later_question_is_none(call: PolicyCall) -> None:
    await call.wants("refund", refund_of("20"))
    await call.hears(f"{QUESTION} And would you like a coffee?")
    await call.says("Yes.")
    assert (await call.wants("refund", refund_of("20"))).failure.reason == "CONFIRMATION_NEEDED"


async def test_a_yes_after_something_else_was_said_is_none(call: PolicyCall) -> None:
    await call.wants("refund", refund_of("20"))
    await call.hears(QUESTION)
    call.turn += 1
    await call.hears("Are you still there?")
    await call.says("Yes.")
    assert (await call.wants("refund", refund_of("20"))).failure.reason == "CONFIRMATION_NEEDED"


async def test_consent_is_proved_by_the_caller_and_kept(call: PolicyCall) -> None:
    assert (await call.wants("record")).failure.message == CONSENT
    await call.hears(CONSENT)
    await call.says("Yes, I consent.")
    assert (await call.wants("record")).result_json
    kept = await get_verified(call.store)
    assert [(p.level, p.method) for p in kept.proofs][1:] == [("consent", "spoken_yes")]
    assert (await call.wants("record")).result_json
    assert call.bank.done == ["record", "record"]


async def test_without_consent_nothing_is_recorded(call: PolicyCall) -> None:
    outcome = await call.confirmed("record", "{}", "No, I would rather not.")
    assert outcome.failure.reason == "CONSENT_NEEDED"
    assert [proof.level for proof in (await get_verified(call.store)).proofs] == ["identity"]


async def test_what_is_stored_is_not_shown_logged_or_audited(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    audit = AuditLog(tmp_path / "audit", days=1)
    async with policy_call(tmp_path, audit=audit) as call:
        shown = await call.wants("balance")
        call.bank.fails = "raises"
        raised = await call.wants("pay", refund_of("20"))
        refused = await call.wants("balance", BOB)
    audit.close()
    written = "".join(file.read_text() for file in (tmp_path / "audit").iterdir())
    assert json.loads(shown.result_json) == {"success": True, "message": "Seven.", "balance": 7}
    told = f"{shown} {raised} {refused} {caplog.text} {written}"
    assert "4000111122223333" not in told
    decisions = [json.loads(line)["decision"] for line in written.splitlines()]
    assert decisions == ["ALLOWED", "ALLOWED", "POLICY_REFUSED"]


async def set_verified_of_b(call: PolicyCall) -> None:
    """Alice calls again."""
    proof = ev.Proof(level="identity", method="m", request_id="sessions/b/t1/0/0")
    record = ev.VerifiedRecord(name="sessions/b/verified", client_id="alice", proofs=[proof])
    await call.store.sessions.SetVerified(ss.SetVerifiedRequest(verified=record))
