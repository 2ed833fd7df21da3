"""Arguments filled from words and from earlier results."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.conversation import Message, Tool
from planner.schema import slots_of
from planner.slots import fill, known_values, missing
from tests.support.planner_tools import BANK, DEMO, KNOWLEDGE, TRANSACTIONS, VERIFY, text, tool


def bank(name: str) -> Tool:
    return next(one for one in BANK if one.name == name)


def filled(offered: Tool, said: str, **known: Any) -> dict[str, Any]:
    return fill(slots_of(offered), said, known)


def test_name_and_digits() -> None:
    said = "Hi, my name is Alice Brown and the last four digits are one two three four."

    assert filled(VERIFY, said) == {"full_name": "Alice Brown", "last_four": "1234"}


def test_a_full_name_has_two_words() -> None:
    assert filled(VERIFY, "my name is Alice") == {}


def test_what_is_not_found_is_missing() -> None:
    given_now = filled(VERIFY, "my name is Alice Brown")

    assert missing(slots_of(VERIFY), given_now) == ("last_four",)


def test_an_id_comes_from_an_earlier_result_and_not_from_the_words() -> None:
    said = "what are my last five transactions, my client id is 12345"

    assert filled(TRANSACTIONS, said, client_id="CLT-7") == {"client_id": "CLT-7", "limit": 5}
    assert filled(TRANSACTIONS, "what did I spend") == {}


def test_an_identifier_that_is_called_by_its_name() -> None:
    claim = tool("claim", "Look up a claim.", claim_id=text("The claim."))

    assert filled(claim, "my claim number is 8 8 1 2") == {"claim_id": "8812"}
    assert filled(claim, "I have 8812 questions") == {}


@pytest.mark.parametrize(
    ("said", "arguments"),
    [
        (
            "transfer two hundred dollars to my savings account",
            {"amount": 200, "to_account": "savings"},
        ),
        (
            "put $1,250 on my credit card from checking",
            {"amount": 1250, "to_account": "credit card"},
        ),
        ("take 40 from savings into checking", {"amount": 40, "to_account": "checking"}),
        ("send fifty from checking", {"amount": 50}),
        ("savings, 30.50", {"amount": 30.5, "to_account": "savings"}),
    ],
)
def test_an_amount_and_where_it_goes(said: str, arguments: dict[str, Any]) -> None:
    assert filled(bank("transfer_money"), said) == arguments


@pytest.mark.parametrize(
    ("offered", "said", "arguments"),
    [
        ("find_branch", "where is the nearest branch to the airport", {"location": "airport"}),
        ("find_branch", "is there an ATM in zip code 94107", {"location": "94107"}),
        ("find_branch", "do you have an office in Denver?", {"location": "Denver"}),
        ("find_branch", "what time do you open", {}),
        ("dispute_charge", "45 dollars from Amazon", {"amount": 45, "merchant": "Amazon"}),
        ("dispute_charge", "a purchase at Best Buy that I did not make", {"merchant": "Best Buy"}),
        ("refund_fee", "charged me an overdraft fee", {"fee_type": "overdraft fee"}),
        ("update_address", "my new address is 12 Oak Street", {"address": "12 Oak Street"}),
        ("block_card", "I lost my debit card", {"card_type": "debit"}),
        (
            "schedule_payment",
            "pay the electric company 80 dollars",
            {"amount": 80, "payee": "electric company"},
        ),
    ],
)
def test_places_parties_and_choices(offered: str, said: str, arguments: dict[str, Any]) -> None:
    assert filled(bank(offered), said) == arguments


def test_a_question_is_passed_on_as_it_was_said() -> None:
    said = "Why was I charged a three percent fee on my last two purchases?"

    assert filled(KNOWLEDGE, said) == {"query": said}


def test_a_choice_is_taken_in_singular_or_plural() -> None:
    offered = tool("search", "Search.", where=text("Where.", enum=["policies", "bank_fees"]))

    assert filled(offered, "look at your bank fee list") == {"where": "bank_fees"}
    assert filled(offered, "look anywhere") == {}


def test_numbers_keep_within_their_bounds() -> None:
    spec = {"type": "integer", "minimum": 1, "maximum": 10, "description": "transactions"}
    offered = tool("list_it", "List recent transactions.", limit=spec)

    assert filled(offered, "my last fifty transactions") == {"limit": 10}


def test_a_flag_is_filled_only_once_it_is_asked_for() -> None:
    slots = slots_of(tool("t", "d", urgent={"type": "boolean"}))

    assert fill(slots, "yes", {}) == {}
    assert fill(slots, "yes please", {}, ["urgent"]) == {"urgent": True}
    assert fill(slots, "no", {}, ["urgent"]) == {"urgent": False}
    assert fill(slots, "well", {}, ["urgent"]) == {}


def test_an_answer_may_be_bare() -> None:
    assert fill(slots_of(VERIFY), "alice brown", {}, ["full_name"]) == {"full_name": "Alice Brown"}
    where = slots_of(bank("find_branch"))
    assert fill(where, "um, downtown please.", {}, ["location"]) == {"location": "downtown please"}


def test_values_are_known_by_key_from_the_latest_result() -> None:
    messages = [
        Message("tool", json.dumps({"client_id": "A", "accounts": [{"id": "x"}]})),
        Message("tool", "not json"),
        Message("user", json.dumps({"client_id": "said by the caller"})),
        Message("tool", json.dumps({"result": {"client_id": "B", "verified": True}})),
        Message("tool", "[" * 5000),
    ]

    assert known_values(messages) == {"client_id": "B"}


def test_one_of_many_is_not_the_one() -> None:
    content = json.dumps({"transactions": [{"transaction_id": "T1"}, {"transaction_id": "T2"}]})

    assert known_values([Message("tool", content)]) == {}


@given(st.text(max_size=200), st.booleans())
def test_any_text_is_read_without_failing(said: str, asked: bool) -> None:
    for offered in (*DEMO, *BANK):
        slots = slots_of(offered)
        names = [slot.name for slot in slots] if asked else []
        json.dumps(fill(slots, said, {}, names))


def test_to_check_a_balance_is_not_the_checking_account() -> None:
    summary = DEMO[1]

    assert filled(summary, "I want to check my account balance") == {}
    assert filled(summary, "what's in my saving account") == {"account_type": "savings"}
