"""Sentences made from tools and prompts."""

from __future__ import annotations

import pytest

from planner import replies
from planner.conversation import Tool
from tests.support.planner_tools import BANK, DEMO, SUMMARY, VERIFY, number, text, tool


@pytest.mark.parametrize(
    ("prompt", "spoken"),
    [
        (
            "You are Ava, the concierge of Contoso Bank. Be brief.",
            "Hello, this is Ava at Contoso Bank. How can I help you?",
        ),
        ("You are Ava.", "Hello, this is Ava. How can I help you?"),
        (
            "Answer calls for Woodgrove Bank and Trust.",
            "Hello, welcome to Woodgrove Bank and Trust. How can I help you?",
        ),
        ("Be helpful.", "Hello, welcome. How can I help you?"),
        ("", "Hello, welcome. How can I help you?"),
    ],
)
def test_the_greeting_names_whom_the_prompt_names(prompt: str, spoken: str) -> None:
    assert replies.greeting(prompt) == spoken


def test_asked_who_it_is_it_does_not_pretend_to_be_a_person() -> None:
    assert "automated assistant of Contoso Bank" in replies.introduction(
        "You are Ava, the concierge of Contoso Bank."
    )


@pytest.mark.parametrize(
    ("description", "spoken"),
    [
        ("Get the balance of the caller's accounts.", "get the balance of your accounts"),
        ("Returns a customer's transactions.", "return your transactions"),
        ("Searches the documents.", "search the documents"),
        ("Verifies who the caller is.", "verify who you are"),
        ("Process a refund.", "process a refund"),
        ("", "any tool"),
    ],
)
def test_a_purpose_is_said_to_the_caller(description: str, spoken: str) -> None:
    assert replies.spoken_purpose(Tool("any_tool", description)) == spoken


def test_an_offer_leaves_out_what_only_serves_other_tools() -> None:
    said = replies.offer(DEMO)

    assert said.startswith("I can get the balance of your accounts, list your most recent")
    assert "verify" not in said
    assert replies.offer(()) == replies.WELCOME_BACK


def test_a_question_for_a_name_and_digits() -> None:
    assert replies.ask_for(VERIFY, ["full_name", "last_four"]) == (
        "Please tell me your full name and the last four digits of the social security number."
    )


def test_a_question_says_how_many_digits_are_missing() -> None:
    assert replies.ask_for(VERIFY, ["last_four"], heard_digits=3).startswith(
        "I heard 3 digits, but I need 4. "
    )
    assert replies.ask_for(VERIFY, ["last_four"], heard_digits=1).startswith("I heard 1 digit,")
    assert replies.ask_for(VERIFY, ["last_four"]).startswith("Please tell me the last four")


def test_a_question_for_one_of_some() -> None:
    assert replies.ask_for(SUMMARY, ["account_type"]) == (
        "Please tell me which account: checking, savings, or credit."
    )


def test_the_caller_is_addressed_in_questions() -> None:
    offered = tool("t", "Do.", address=text("The caller's new address, with the zip code."))

    assert replies.ask_for(offered, ["address"]) == "Please tell me your new address."


def test_a_confirmation_reads_back_what_will_be_done() -> None:
    transfer = next(one for one in BANK if one.name == "transfer_money")

    assert replies.confirm(transfer, {"amount": 200, "to_account": "credit_card"}) == (
        "You would like me to transfer money between your own accounts, with amount 200 and"
        " account credit card. Shall I go ahead, yes or no?"
    )


def test_a_confirmation_keeps_ids_to_itself() -> None:
    offered = tool(
        "close_account",
        "Close the account.",
        client_id=text("The client."),
        amount=number("amount"),
        urgent={"type": "boolean"},
    )

    said = replies.confirm(offered, {"client_id": "CLT-7", "amount": 12.5, "urgent": True})
    assert "CLT-7" not in said
    assert "amount 12.5 and urgent yes" in said


def test_a_question_between_tools() -> None:
    said = replies.which([BANK[4], BANK[5]])

    assert said.startswith("I am not sure I understood. Shall I block a lost or stolen card or ")


def test_a_closing_question_is_left_out_where_the_answer_is_known() -> None:
    assert replies.thanks_only("Thank you, Alice. How can I help you?") == "Thank you, Alice."
    assert replies.thanks_only("Anything else?") == ""
