"""Small talk by rule, and yes or no."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.smalltalk import SmallTalk, by_rule, yes_or_no


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("Thank you, goodbye.", SmallTalk.GOODBYE),
        ("That is everything. Thank you, goodbye.", SmallTalk.GOODBYE),
        ("no that's all, thanks", SmallTalk.GOODBYE),
        ("okay bye bye", SmallTalk.GOODBYE),
        ("nothing else, thank you", SmallTalk.GOODBYE),
        ("thanks", SmallTalk.THANKS),
        ("Okay, thank you so much!", SmallTalk.THANKS),
        ("Hello there.", SmallTalk.GREETING),
        ("pardon?", SmallTalk.REPEAT),
        ("Sorry, could you repeat that?", SmallTalk.REPEAT),
        ("I didn't get that", SmallTalk.REPEAT),
        ("um, hold on a second", SmallTalk.WAIT),
        ("one moment please", SmallTalk.WAIT),
        ("let me check", SmallTalk.WAIT),
        ("help", SmallTalk.HELP),
        ("yes", SmallTalk.YES),
        ("Yeah, sure.", SmallTalk.YES),
        ("yes please", SmallTalk.YES),
        ("No.", SmallTalk.NO),
        ("no thanks", SmallTalk.NO),
        ("no thank you", SmallTalk.NO),
    ],
)
def test_short_and_certain_wordings(said: str, meant: SmallTalk) -> None:
    assert by_rule(said) is meant


@pytest.mark.parametrize(
    "said",
    [
        "yes, my name is Alice Brown",
        "no, three hundred dollars",
        "hello, what is my balance",
        "thank you. Why was I charged a fee?",
        "what is my balance",
        "I want to say goodbye to my old card and get a new one",
        "wait, why was I charged a fee",
        "1234",
        "",
        "...",
    ],
)
def test_what_says_more_is_not_small_talk(said: str) -> None:
    assert by_rule(said) is None


@pytest.mark.parametrize(
    ("said", "answer"),
    [
        ("yes", True),
        ("Yes, please go ahead.", True),
        ("sure, do it", True),
        ("that's right", True),
        ("okay", True),
        ("no", False),
        ("no don't do that", False),
        ("yes... no, never mind", False),
        ("that's not right", False),
        ("I changed my mind", False),
        ("rather not", False),
        ("no I wanted it to go to the other account of my wife", False),
        ("what would that cost", None),
        ("what is my balance", None),
        ("", None),
        ("yes I would like to know what my balance is first", None),
    ],
)
def test_yes_or_no(said: str, answer: bool | None) -> None:
    assert yes_or_no(said) is answer


@given(st.text(max_size=100))
def test_a_refusal_is_never_taken_for_agreement(said: str) -> None:
    assert yes_or_no(f"no {said}") is not True
