"""How tools are compared with words."""

from __future__ import annotations

import numpy as np
import pytest

from planner.conversation import Tool
from planner.intents import MAX_PHRASES, Embedder, phrases, purpose, rank
from planner.minilm import Array
from planner.smalltalk import SmallTalk
from tests.support.planner_tools import BANK, DEMO


def best(said: str, tools: tuple[Tool, ...], embedder: Embedder) -> str | SmallTalk:
    return rank(said, tools, embedder)[0].label


def test_the_last_sentence_gives_the_examples() -> None:
    tool = Tool(
        "find_it", "Find a thing. Only one. For example: where is it; 'find it'; ; show me."
    )

    assert phrases(tool) == ("find it. Find a thing", "where is it", "find it", "show me")
    assert purpose(tool) == "Find a thing"


def test_a_tool_without_description_is_known_by_its_name() -> None:
    tool = Tool("order_new_card")

    assert phrases(tool) == ("order new card. order new card",)
    assert purpose(tool) == "order new card"


def test_phrases_are_bounded() -> None:
    tool = Tool("t", "Do. For example: " + "; ".join(f"say {n}" for n in range(100)))
    long = Tool("t", "x" * 10_000)

    assert len(phrases(tool)) == MAX_PHRASES
    assert max(map(len, phrases(long))) == 300


@pytest.mark.parametrize(
    ("said", "tool"),
    [
        ("What is the balance of my checking account?", "get_account_summary"),
        ("Why was I charged a fee on my transaction in Paris?", "search_knowledge_base"),
        ("what are my latest transactions", "get_recent_transactions"),
        ("my name is alice brown", "verify_client_identity"),
        ("Okay. I was in Paris in May. Why did that cost a foreign fee?", "search_knowledge_base"),
    ],
)
def test_the_demo_s_tools(said: str, tool: str, embedder: Embedder) -> None:
    assert best(said, DEMO, embedder) == tool


def test_the_same_words_reach_another_tool_where_others_are_offered(embedder: Embedder) -> None:
    said = "why was I charged a late payment fee"

    assert best(said, DEMO, embedder) == "search_knowledge_base"
    assert best(said, BANK, embedder) == "refund_fee"


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("who am I speaking to", SmallTalk.WHO),
        ("could you tell me a joke", SmallTalk.OTHER),
        ("can you hear me", SmallTalk.HEARING),
        ("say it again please", SmallTalk.REPEAT),
    ],
)
def test_small_talk_competes(said: str, meant: SmallTalk, embedder: Embedder) -> None:
    assert best(said, BANK, embedder) is meant


def test_a_phrase_itself_scores_one(embedder: Embedder) -> None:
    assert rank("what is my balance", DEMO, embedder)[0].score == pytest.approx(1, abs=1e-5)


def test_every_label_is_ranked_once_and_in_order(embedder: Embedder) -> None:
    ranked = rank("I lost my card", BANK, embedder)

    assert {one.label for one in ranked} == {tool.name for tool in BANK} | set(SmallTalk)
    assert [one.score for one in ranked] == sorted((one.score for one in ranked), reverse=True)


def test_without_tools_there_is_only_small_talk(embedder: Embedder) -> None:
    assert all(isinstance(one.label, SmallTalk) for one in rank("hello", (), embedder))


class Counting:
    """Counts what is embedded, by kind."""

    def __init__(self) -> None:
        self.phrases: list[str] = []
        self.said: list[str] = []

    def phrase(self, text: str) -> Array:
        self.phrases.append(text)
        return np.ones(4, np.float32) / 2

    def words(self, text: str) -> Array:
        self.said.append(text)
        return np.ones(4, np.float32) / 2


def test_what_was_said_is_never_remembered_as_a_phrase() -> None:
    counting = Counting()
    rank("my name is Alice Brown. What is my balance?", DEMO, counting)

    assert all("Brown" not in phrase or "Alice Brown and" in phrase for phrase in counting.phrases)
    assert counting.said[0] == "my name is Alice Brown. What is my balance?"
