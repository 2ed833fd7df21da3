"""The planner understands the tools that the tool-executor ships, as their authors wrote them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import pytest

from orchestrator.history import NO_RESULT
from planner.conversation import Message, PlannedCall
from planner.inference import RequestEmbedder
from planner.intents import Embedder
from planner.minilm import MiniLM
from planner.results import read_result
from tests.support.planner_call import Bank, PhoneCall
from tests.support.planner_tools import shipped
from tool_executor.limits import PER_DAY
from tool_executor.policy import IDENTITY, ask_for
from tool_executor.tools.refunds import MAY_I

GREETING = (
    "Welcome to Meridian Bank. To begin, please tell me your full name and the last four digits of"
    " your social security number."
)
ALICE = ("verify_client_identity", {"full_name": "Alice Brown", "ssn_last_4": "1234"})


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    encode = MiniLM().encode
    return RequestEmbedder(lru_cache(1024)(encode), encode)


@pytest.fixture
def call(embedder: Embedder) -> PhoneCall:
    return PhoneCall(shipped(), embedder, messages=[Message("assistant", GREETING)])


@pytest.mark.parametrize(
    "name",
    [
        "Hi, my name is Alice Brown, and the last four digits are one, two, three, four.",
        "hi my name is alice brown and the last four digits are one two three four",
        "Alice Brown, 1234.",
        "It's Alice Brown. 1-2-3-4.",
        "sure, alice brown, twelve thirty four",
    ],
)
def test_the_demo_call(call: PhoneCall, name: str) -> None:
    call.says(name)
    call.says("What is the balance of my checking account?")
    call.says("Why did my foreign transaction cost a fee?")
    spoken = call.says("That is everything. Thank you, goodbye.")

    assert call.called == [
        ALICE,
        ("get_account_summary", {"client_id": "CLT-7", "account_type": "checking"}),
        ("search_knowledge_base", {"query": "Why did my foreign transaction cost a fee?"}),
    ]
    assert spoken.endswith("Goodbye.")


@pytest.mark.parametrize(
    ("line", "tool", "arguments"),
    [
        ("what are my latest transactions", "get_recent_transactions", {}),
        ("read me the last three transactions", "get_recent_transactions", {"limit": 3}),
        ("how much do I have in savings", "get_account_summary", {"account_type": "savings"}),
        ("I want to check my balance", "get_account_summary", {}),
        ("why was I charged a fee in Paris", "search_knowledge_base", {}),
        ("what are your opening hours", "search_knowledge_base", {}),
        ("what do I do if I lose my card", "search_knowledge_base", {}),
    ],
)
def test_other_requests(call: PhoneCall, line: str, tool: str, arguments: dict[str, Any]) -> None:
    call.says("my name is Alice Brown and my last four are 1234")
    call.says(line)

    name, given = call.called[-1]
    assert name == tool
    assert {key: given.get(key) for key in arguments} == arguments
    assert "collection" not in given
    assert "top_k" not in given


def test_the_executor_s_refusal_leads_to_verification_and_back(embedder: Embedder) -> None:
    call = PhoneCall(shipped(), embedder)
    bank = Bank()
    refusal = {"success": False, "reason": "NOT_VERIFIED", "message": ask_for(IDENTITY)}
    call.bank = lambda one: refusal if not bank.verified and "verify" not in one.tool else bank(one)

    assert call.says("What is my checking balance?") == ask_for(IDENTITY)
    call.says("alice brown, one two three four")
    assert [name for name, _ in call.called] == [
        "get_account_summary",
        "verify_client_identity",
        "get_account_summary",
    ]
    assert call.called[-1][1] == {"account_type": "checking", "client_id": "CLT-7"}


REFUNDED = "I have refunded your late payment fee of 29 dollars to your checking account."
SHALL_I = "Refund your late fee of 29 dollars to your account. Shall I go ahead?"


def executor(answers: list[dict[str, Any]]) -> Callable[[PlannedCall], Mapping[str, Any]]:
    """Verifies Alice, and gives these answers to refund_fee one after another."""
    bank = Bank()
    waiting = iter(answers)
    return lambda one: next(waiting) if one.tool == "refund_fee" else bank(one)


def needed(reason: str, message: str) -> dict[str, Any]:
    return {"success": False, "reason": reason, "message": message, "retryable": True}


@pytest.mark.parametrize(
    "line",
    [
        "please refund the late fee",
        "Could you refund my late fee, please?",
        "I want the late fee back",
        "can you waive the late fee",
    ],
)
def test_a_refund_from_the_wish_to_the_yes(call: PhoneCall, line: str) -> None:
    call.bank = executor(
        [
            needed("CONSENT_NEEDED", MAY_I),
            needed("CONFIRMATION_NEEDED", SHALL_I),
            {"success": True, "message": REFUNDED},
        ]
    )
    call.says("my name is Alice Brown and my last four are 1234")
    assert "amount" in call.says(line)
    assert call.says("twenty nine dollars") == MAY_I
    assert call.says("yes") == SHALL_I, "word for word, and nothing beside it"
    assert call.says("yes please") == REFUNDED
    arguments = {"fee": "late", "amount": 29, "client_id": "CLT-7"}
    assert call.called[1:] == [("refund_fee", arguments)] * 3


def test_a_refund_in_one_breath(call: PhoneCall) -> None:
    call.bank = executor([needed("CONFIRMATION_NEEDED", SHALL_I)])
    call.says("my name is Alice Brown and my last four are 1234")
    assert call.says("please refund the late fee of twenty nine dollars") == SHALL_I


def test_a_no_is_a_no_and_a_limit_is_said_and_not_got_round(call: PhoneCall) -> None:
    limit = needed("LIMIT_REACHED", PER_DAY)
    call.bank = executor([needed("CONFIRMATION_NEEDED", SHALL_I), limit])
    call.says("my name is Alice Brown and my last four are 1234")
    call.says("please refund the late fee of twenty nine dollars")
    call.says("no, leave it")
    assert [name for name, _ in call.called].count("refund_fee") == 1
    said = call.says("please refund the foreign transaction fee of twelve dollars and 36 cents")
    assert said == PER_DAY
    assert call.called[-1][1]["amount"] == 12.36
    assert [name for name, _ in call.called].count("refund_fee") == 2


def test_a_call_that_was_broken_off_is_a_failure_that_can_be_said() -> None:
    result = read_result(NO_RESULT)

    assert not result.ok
    assert result.message == "This was broken off and not finished."
