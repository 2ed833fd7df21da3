"""A tool that asks for the caller's yes by itself: its question is said as it is, and answered."""

from __future__ import annotations

import json

from planner.conversation import Decision, Message, Tool, ToolCall
from planner.dialogue import decide
from planner.intents import Embedder

QUESTION = "Refund 35 dollars to your account. Shall I go ahead? Say yes or no, or press 1 for yes."
AMOUNT = {"type": "number", "description": "How much, in dollars."}
REFUND = Tool(
    "refund_fee",
    "Refund a fee to the caller. For example: refund my fee; give me back the thirty five dollars",
    {"type": "object", "properties": {"amount": AMOUNT}, "required": ["amount"]},
)
FAILED = {"success": False, "reason": "CONFIRMATION_NEEDED", "message": QUESTION, "retryable": True}
ASKED = (
    Message("system", "You help callers of a bank."),
    Message("user", "please refund thirty five dollars"),
    Message("assistant", "", (ToolCall("c1", "refund_fee", '{"amount": 35}'),)),
    Message("tool", json.dumps(FAILED), tool_call_id="c1"),
)


def answered(text: str, embedder: Embedder) -> Decision:
    messages = (*ASKED, Message("assistant", QUESTION), Message("user", text))
    return decide(messages, [REFUND], embedder)


def test_the_question_is_said_word_for_word(embedder: Embedder) -> None:
    decision = decide(ASKED, [REFUND], embedder)
    assert decision.text == QUESTION
    assert not decision.calls


def test_after_a_yes_the_same_call_is_made(embedder: Embedder) -> None:
    calls = answered("yes please", embedder).calls
    assert [(call.tool, dict(call.arguments)) for call in calls] == [("refund_fee", {"amount": 35})]


def test_after_a_no_none_is(embedder: Embedder) -> None:
    decision = answered("no", embedder)
    assert not decision.calls
    assert decision.why == "refused:refund_fee"
