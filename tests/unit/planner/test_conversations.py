"""Whole conversations: what is called, with what, and what is said, turn by turn."""

from __future__ import annotations

from typing import Any

import pytest

from planner import replies
from planner.conversation import Message, Tool
from planner.intents import Embedder
from tests.support.planner_call import ASK_IDENTITY, Bank, PhoneCall
from tests.support.planner_tools import BANK, DEMO, text, tool

ALICE = ("verify_client_identity", {"full_name": "Alice Brown", "last_four": "1234"})
NAME = "Hi, my name is Alice Brown, and the last four digits are one, two, three, four."


@pytest.fixture
def call(embedder: Embedder) -> PhoneCall:
    return PhoneCall(DEMO, embedder)


@pytest.fixture
def bank_call(embedder: Embedder) -> PhoneCall:
    return PhoneCall(BANK, embedder)


def tools_of(call: PhoneCall) -> list[str]:
    return [name for name, _ in call.called]


def test_the_demo_call(call: PhoneCall) -> None:
    assert call.says(NAME) == "Thank you, Alice, you are verified. How can I help you?"
    assert call.says("What is the balance of my checking account?") == "You have 1250 dollars."
    assert call.says("Why did my foreign transaction cost a fee?") == "Abroad costs three percent."
    assert call.says("That is everything. Thank you, goodbye.") == replies.GOODBYE
    assert call.called == [
        ALICE,
        ("get_account_summary", {"client_id": "CLT-7", "account_type": "checking"}),
        ("search_knowledge_base", {"query": "Why did my foreign transaction cost a fee?"}),
    ]


@pytest.mark.parametrize(
    "lines",
    [
        (
            "hi my name is alice brown and the last four digits are one two three four",
            "what is the balance of my checking account",
            "why did my foreign transaction cost a fee",
            "that is everything thank you goodbye",
        ),
        (
            "High, my name is Alice Brown and the last for digits are 1-2-3-4.",
            "What's the balance on my checking account.",
            "Why was I charged a fee on my transaction in Paris?",
            "Thank you. Good bye.",
        ),
        (
            "Alice Brown, 12 34.",
            "Uh, what is the balance of my checking accounts?",
            "And why did my foreign transactions cost a fee?",
            "Thanks, bye.",
        ),
    ],
    ids=["no punctuation", "misheard", "terse"],
)
def test_the_demo_call_as_recognisers_write_it(call: PhoneCall, lines: tuple[str, ...]) -> None:
    for line in lines[:-1]:
        call.says(line)

    assert call.says(lines[-1]) == replies.GOODBYE
    assert call.called[0] == ALICE
    assert call.called[1][1]["account_type"] == "checking"
    assert tools_of(call)[1:] == ["get_account_summary", "search_knowledge_base"]


def test_a_request_before_verification_is_taken_up_after_it(call: PhoneCall) -> None:
    assert call.says("How much do I have in savings?") == ASK_IDENTITY
    spoken = call.says("It's Alice Brown, one two three four.")

    assert spoken == "Thank you, Alice, you are verified. You have 1250 dollars."
    assert call.called[-1] == (
        "get_account_summary",
        {"account_type": "savings", "client_id": "CLT-7"},
    )


def test_name_and_digits_in_two_turns(call: PhoneCall) -> None:
    call.says("what's my balance")

    assert call.says("alice brown") == (
        "Please tell me the last four digits of the social security number."
    )
    call.says("one two three four")
    assert tools_of(call) == [
        "get_account_summary",
        "verify_client_identity",
        "get_account_summary",
    ]
    assert call.called[1] == ALICE


def test_a_digit_that_was_lost_is_asked_for(call: PhoneCall) -> None:
    said = call.says("my name is Alice Brown and the last four are one two three")
    assert said.startswith("Please tell me the last four digits")

    assert call.says("one two three").startswith("I heard 3 digits, but I need 4.")
    call.says("sorry, one two three four")
    assert call.called == [ALICE]


def test_a_wrong_digit_is_corrected_alone(call: PhoneCall) -> None:
    assert "could not match" in call.says("I'm Alice Brown, last four 1235")

    assert "verified" in call.says("no, one two three four")
    assert call.called[-1] == ALICE


def test_identity_and_request_in_one_breath(call: PhoneCall) -> None:
    spoken = call.says("My name is Alice Brown, last four 1234, and what is my balance?")

    assert spoken == "Thank you, Alice, you are verified. You have 1250 dollars."


def test_identity_and_request_without_punctuation(call: PhoneCall) -> None:
    call.says("my name is alice brown last four one two three for what is my balance")

    assert tools_of(call) == ["verify_client_identity", "get_account_summary"]


def test_a_question_in_between_is_answered(call: PhoneCall) -> None:
    call.says("what's my balance")
    spoken = call.says("what is your fee refund policy")

    assert spoken == "Abroad costs three percent."
    assert tools_of(call)[-1] == "search_knowledge_base"


def test_the_greeting_s_question_is_answered_bare(embedder: Embedder) -> None:
    greeting = (
        "Welcome to Contoso Bank. To begin, please tell me your full name and the last four digits"
        " of your social security number."
    )
    for line in ("alice brown one two three four", "sure, Alice Brown, 12 34", NAME):
        call = PhoneCall(DEMO, embedder, messages=[Message("assistant", greeting)])
        call.says(line)
        assert call.called == [ALICE], line


def test_the_greeting_s_question_may_be_passed_over(embedder: Embedder) -> None:
    greeting = "Welcome. Please tell me your full name and the last four digits of your number."
    for line, wanted in (
        ("Why did my foreign transaction cost a fee?", "search_knowledge_base"),
        ("wire transfer fees", "search_knowledge_base"),
        ("recent transactions", "get_recent_transactions"),
    ):
        call = PhoneCall(DEMO, embedder, messages=[Message("assistant", greeting)])
        call.says(line)
        assert tools_of(call)[:1] == [wanted], line


@pytest.mark.parametrize("name", ["priya patel", "Wei Zhang", "bob jones", "José García"])
def test_any_name_answers_the_greeting(name: str, embedder: Embedder) -> None:
    greeting = "Welcome. Please tell me your full name and the last four digits of your number."
    call = PhoneCall(DEMO, embedder, messages=[Message("assistant", greeting)])

    assert call.says(name).startswith("Please tell me the last four digits")
    call.says("1234")
    assert call.called[0][1]["full_name"].lower() == name.lower()


def test_a_required_id_without_verification_asks_who_is_calling(embedder: Embedder) -> None:
    needs_id = tool(
        "get_account_summary",
        "Get the balance of the caller's accounts.",
        "what is my balance",
        ("client_id",),
        client_id=text("The verified client."),
    )
    call = PhoneCall((DEMO[0], needs_id), embedder)

    assert call.says("what is my balance").startswith(replies.NOT_VERIFIED)
    assert call.called == []
    assert call.says("alice brown 1234").endswith("You have 1250 dollars.")
    assert call.called[-1] == ("get_account_summary", {"client_id": "CLT-7"})


def test_a_transfer_is_asked_for_confirmed_and_done(bank_call: PhoneCall) -> None:
    assert bank_call.says("I want to transfer money to my savings") == (
        "Please tell me the amount in dollars."
    )
    confirmation = bank_call.says("two hundred")
    assert "amount 200 and account savings" in confirmation
    assert confirmation.endswith("Shall I go ahead, yes or no?")
    assert bank_call.called == []

    assert bank_call.says("yes please") == "Done."
    assert bank_call.called == [("transfer_money", {"amount": 200, "to_account": "savings"})]


@pytest.mark.parametrize("refusal", ["no", "No, don't.", "never mind", "yes... no, stop"])
def test_a_no_moves_nothing(bank_call: PhoneCall, refusal: str) -> None:
    bank_call.says("transfer 200 dollars to savings")

    assert bank_call.says(refusal) == replies.NOT_DONE
    assert bank_call.called == []
    assert bank_call.says("yes") != "Done."
    assert bank_call.called == []


def test_a_correction_is_read_back_again(bank_call: PhoneCall) -> None:
    bank_call.says("transfer 200 dollars to savings")

    assert "amount 300 and account savings" in bank_call.says("no, three hundred dollars")
    bank_call.says("yes")
    assert bank_call.called == [("transfer_money", {"amount": 300, "to_account": "savings"})]


def test_neither_yes_nor_no_is_asked_again_and_then_left(bank_call: PhoneCall) -> None:
    bank_call.says("please block my debit card")

    for _ in range(2):
        assert bank_call.says("well you know the weather").startswith(replies.NOT_CAUGHT)
    bank_call.says("well you know the weather")
    bank_call.says("yes")
    assert bank_call.called == []


def test_another_request_instead_of_a_yes(bank_call: PhoneCall) -> None:
    bank_call.says("transfer 200 dollars to savings")
    bank_call.says("what is my balance")

    assert tools_of(bank_call) == ["get_balance"]


def test_a_yes_to_nothing_does_nothing(bank_call: PhoneCall) -> None:
    bank_call.says("yes, go ahead")

    assert bank_call.called == []


def test_waiting_and_repeating_do_not_lose_the_question(bank_call: PhoneCall) -> None:
    question = bank_call.says("transfer money to my savings account")

    assert bank_call.says("hold on a second") == replies.WAITING
    assert bank_call.says("um, one moment please") == replies.WAITING
    assert "amount 50" in bank_call.says("fifty dollars")
    assert question == "Please tell me the amount in dollars."


def test_can_you_hear_me_is_answered_with_the_question(bank_call: PhoneCall) -> None:
    question = bank_call.says("transfer money to my savings account")

    assert bank_call.says("can you hear me") == f"Yes, I can hear you. {question}"
    assert "amount 50" in bank_call.says("fifty dollars")


def test_a_question_is_repeated_and_still_open(bank_call: PhoneCall) -> None:
    question = bank_call.says("transfer money to my savings account")

    assert bank_call.says("sorry, could you repeat that") == question
    assert "amount 50" in bank_call.says("fifty dollars")


def test_a_question_that_was_cut_short_is_still_answered(bank_call: PhoneCall) -> None:
    bank_call.says("transfer money to my savings account")
    bank_call.cut_short(words=4)

    assert "amount 50" in bank_call.says("fifty dollars")


def test_a_confirmation_that_was_not_heard_confirms_nothing(bank_call: PhoneCall) -> None:
    bank_call.says("transfer 200 dollars to savings")
    bank_call.cut_short(words=1)
    bank_call.says("yes")

    assert bank_call.called == []


@pytest.mark.parametrize(
    ("answer", "tool"),
    [
        ("the first one", "transfer_to_human"),
        ("the second one please", "get_rates"),
        ("the latter", "get_rates"),
    ],
)
def test_two_tools_that_fit_are_offered(bank_call: PhoneCall, answer: str, tool: str) -> None:
    asked = bank_call.says("I want to speak to an agent in the mortgage department")
    assert asked.startswith(
        "I am not sure I understood. Shall I transfer the call to a human agent"
    )

    bank_call.says(answer)
    assert tools_of(bank_call) == [tool]


def test_an_offer_of_two_is_answered_in_words(bank_call: PhoneCall) -> None:
    bank_call.says("I want to speak to an agent in the mortgage department")
    bank_call.says("tell me the interest rates")

    assert tools_of(bank_call) == ["get_rates"]


def test_an_offer_of_two_may_be_refused(bank_call: PhoneCall) -> None:
    bank_call.says("I want to speak to an agent in the mortgage department")

    assert bank_call.says("no, neither") == replies.LEFT
    assert bank_call.called == []


def test_a_goodbye_ends_the_call_where_a_tool_does(bank_call: PhoneCall) -> None:
    bank_call.says("thank you, goodbye")

    assert bank_call.called == [("end_call", {})]


def test_anything_else_no(call: PhoneCall) -> None:
    assert call.says("thanks") == replies.THANKED
    assert call.says("no") == replies.GOODBYE


def test_small_talk_calls_nothing(call: PhoneCall) -> None:
    for line, start in (
        ("hello", "Hello."),
        ("who are you", "I am Ava, an automated assistant of Contoso Bank."),
        ("can you hear me", "Yes, I can hear you."),
        ("what can you do", "I can get the balance of your accounts"),
        ("tell me a joke", "I am afraid I cannot help with that."),
        ("hold on", "Of course"),
        ("blue green seven", "Sorry, I did not quite understand."),
    ):
        assert call.says(line).startswith(start), line
    assert call.called == []


def test_a_failure_is_told_and_not_retried(embedder: Embedder) -> None:
    out = {"success": False, "reason": "TIMED_OUT", "message": "That takes too long."}
    call = PhoneCall(DEMO, embedder, bank=Bank({"search_knowledge_base": out}))

    assert call.says("why was I charged a foreign fee") == "That takes too long."
    assert len(call.called) == 1


def test_arguments_that_were_refused_are_asked_for_again(embedder: Embedder) -> None:
    refused = {"success": False, "reason": "ARGUMENTS_INVALID", "message": "query: too short"}
    call = PhoneCall(DEMO, embedder, bank=Bank({"search_knowledge_base": refused}))
    said = call.says("why was I charged a foreign fee")

    assert said.startswith(replies.NOT_CAUGHT)
    assert "too short" not in said


def test_a_lockout_is_told_and_nothing_more_is_asked(embedder: Embedder) -> None:
    locked = {"success": False, "reason": "POLICY_REFUSED", "message": "I cannot try again."}
    call = PhoneCall(DEMO, embedder, bank=lambda _: locked)

    assert call.says(NAME) == "I cannot try again."


def test_an_unknown_outcome_is_not_tried_again(embedder: Embedder) -> None:
    unknown: dict[str, Any] = {"success": False, "reason": "OUTCOME_UNKNOWN"}
    call = PhoneCall(BANK, embedder, bank=lambda _: unknown)
    call.says("please block my debit card")

    assert call.says("yes") == replies.UNKNOWN_OUTCOME
    assert len(call.called) == 1


def test_a_tool_that_always_refuses_ends_in_words(embedder: Embedder) -> None:
    refused = {"success": False, "reason": "NOT_VERIFIED", "message": ASK_IDENTITY}
    verified = {"success": True, "message": "Thank you.", "client_id": "CLT-7"}
    call = PhoneCall(
        DEMO,
        embedder,
        bank=lambda one: verified if one.tool == "verify_client_identity" else refused,
    )
    call.says("what is my balance")

    assert call.says("Alice Brown 1234") == f"Thank you. {ASK_IDENTITY}"


def test_after_a_handoff_the_new_agent_serves_the_request(embedder: Embedder) -> None:
    handoff = Tool(
        "handoff_fraud_agent",
        "Hand the caller over to the fraud desk. For example: I think my card was stolen; somebody"
        " used my card; report fraud",
        {"type": "object", "properties": {"reason": text("Why.")}, "required": ["reason"]},
    )
    block = next(one for one in BANK if one.name == "block_card")
    call = PhoneCall((*DEMO, handoff, block), embedder, bank=lambda _: {"success": True})
    call.tools = (*DEMO, handoff)
    call.says("somebody stole my card")
    assert call.called == [("handoff_fraud_agent", {"reason": "somebody stole my card"})]

    call.messages.pop()  # the new agent speaks instead
    call.tools = (block,)
    assert call.answers().startswith("You would like me to block a lost or stolen card.")


def test_a_word_into_the_silence(call: PhoneCall) -> None:
    call.says("hello")
    call.messages.append(Message("system", "The caller has been silent for ten seconds."))

    assert call.answers() == replies.STILL_THERE


def test_the_first_words_of_a_call(embedder: Embedder) -> None:
    prompt = Message("system", "You are Ava, the concierge of Contoso Bank.")

    assert PhoneCall(DEMO, embedder, messages=[prompt]).answers().startswith("Hello, this is Ava")
    assert PhoneCall((), embedder, messages=[]).answers() == "Hello, welcome. How can I help you?"
