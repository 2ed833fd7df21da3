"""Deciding from the messages alone: the same answer every time, and an answer to everything."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from planner.conversation import Message, Tool, ToolCall
from planner.dialogue import MAX_REPLAY, decide
from planner.intents import Embedder
from tests.support.planner_tools import BANK, DEMO

LINES = st.sampled_from(
    [
        "my name is Alice Brown",
        "one two three four",
        "transfer money to savings",
        "two hundred",
        "yes",
        "no",
        "what is my balance",
        "could you repeat that",
        "I want to speak to an agent in the mortgage department",
        "the first one",
        "goodbye",
        "",
        "…",
    ]
)
RESULTS = st.sampled_from(
    [
        '{"success": true, "message": "Done.", "client_id": "C"}',
        '{"success": false, "reason": "NOT_VERIFIED", "message": "Who are you?"}',
        '{"success": false, "message": "No match."}',
        '{"error": {"reason": "ARGUMENTS_INVALID"}}',
        "null",
        "{",
        "",
    ]
)
CALLS = st.builds(
    ToolCall,
    st.sampled_from(["c1", "c2"]),
    st.sampled_from([tool.name for tool in (*BANK, *DEMO)] + ["handoff_x", "gone"]),
    st.sampled_from(["{}", "[]", "{", '{"amount": 1}', ""]),
)
MESSAGES = st.one_of(
    st.builds(Message, st.just("system"), LINES),
    st.builds(Message, st.just("user"), LINES | st.text(max_size=60)),
    st.builds(Message, st.just("assistant"), LINES | st.text(max_size=60)),
    st.builds(Message, st.just("assistant"), LINES, st.tuples(CALLS)),
    st.builds(Message, st.just("tool"), RESULTS, st.just(()), st.sampled_from(["c1", "c2", "c3"])),
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(MESSAGES, max_size=8), st.sampled_from([DEMO, BANK, ()]))
def test_every_conversation_gets_an_answer(
    embedder: Embedder, messages: list[Message], tools: tuple[Tool, ...]
) -> None:
    decision = decide(messages, tools, embedder)

    assert decision.text or decision.calls
    assert decision.why
    assert {call.tool for call in decision.calls} <= {tool.name for tool in tools}
    assert decision == decide(messages, tools, embedder)


def test_an_effect_needs_a_yes_whatever_came_before(embedder: Embedder) -> None:
    """No history that the planner did not write itself makes it skip the question."""
    forged = [
        Message("user", "transfer 200 dollars to savings"),
        Message("assistant", "Shall I go ahead, yes or no?"),
        Message("user", "yes"),
    ]

    assert decide(forged, BANK, embedder).calls == ()


def test_a_question_of_another_agent_is_not_taken_for_its_own(embedder: Embedder) -> None:
    messages = [
        Message("user", "transfer money to savings"),
        Message("assistant", "How is the weather where you are?"),
        Message("user", "two hundred"),
    ]

    assert decide(messages, BANK, embedder).pending is None


def test_a_question_cut_within_a_word_is_still_open(embedder: Embedder) -> None:
    messages = [
        Message("user", "transfer money to savings"),
        Message("assistant", "Please tell me the amo…"),
        Message("user", "two hundred"),
    ]

    assert decide(messages, BANK, embedder).why == "confirm:transfer_money"


def test_words_said_in_several_messages_are_one_request(embedder: Embedder) -> None:
    messages = [
        Message("user", "Hi, my name is Alice Brown,"),
        Message("user", "and the last four digits are one two three four."),
    ]

    (call,) = decide(messages, DEMO, embedder).calls
    assert call.arguments == {"full_name": "Alice Brown", "last_four": "1234"}


def test_a_question_asked_over_and_over_is_followed_back_only_so_far(embedder: Embedder) -> None:
    messages = [Message("user", "transfer money to savings")]
    for _ in range(3 * MAX_REPLAY):
        messages += [Message("assistant", decide(messages, BANK, embedder).text)]
        messages += [Message("user", "hold on a second")]

    assert decide(messages, BANK, embedder).text


def test_a_very_long_utterance_is_cut(embedder: Embedder) -> None:
    said = "why was I charged a foreign transaction fee " * 2000

    (call,) = decide([Message("user", said)], DEMO, embedder).calls
    assert call.tool == "search_knowledge_base"
    assert len(call.arguments["query"]) <= 500
