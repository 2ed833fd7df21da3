"""Turns, their segments and how they come out."""

from __future__ import annotations

import pytest

from gateway.timeline import TurnTimes, UtteranceTimes, after_utterance
from gateway.turns import Outcome, Turn, Turns
from meshkit.errors import MeshError


@pytest.fixture
def turns() -> Turns:
    begun = Turns(played=frozenset({"t1/s9"}))
    begun.begin("t1", "u1", "concierge", TurnTimes(0.0))
    return begun


def turn(turns: Turns, name: str = "t1") -> Turn:
    found = turns.get(name)
    assert found is not None
    return found


def test_a_segment_is_said_once(turns: Turns) -> None:
    assert turns.plan("t1/s0", "Hello.") is turn(turns)
    assert turns.plan("t1/s0", "Hello.") is None


@pytest.mark.parametrize("segment", ["t1/s9", "t2/s0"])
def test_what_was_played_before_or_belongs_to_no_turn_is_not_said(
    turns: Turns, segment: str
) -> None:
    assert turns.plan(segment, "Hello.") is None


def test_nothing_more_is_said_of_a_turn_that_was_cut(turns: Turns) -> None:
    turn(turns).cut = True
    assert turns.plan("t1/s0", "Hello.") is None


def test_a_segment_with_another_kind_of_name_is_refused(turns: Turns) -> None:
    with pytest.raises(MeshError, match="NAME_MALFORMED"):
        turns.plan("one", "Hello.")


def test_a_turn_is_finished_once_all_is_played_and_nothing_more_comes(turns: Turns) -> None:
    begun = turn(turns)
    turns.plan("t1/s0", "Hello.")
    begun.outcome = Outcome("completed")
    assert not turns.finish_if_done(begun)
    begun.pending.clear()
    assert turns.finish_if_done(begun)
    assert not turns.finish_if_done(begun)


def test_a_turn_whose_end_was_not_told_is_finished_only_when_it_cannot_be(turns: Turns) -> None:
    assert not turns.finish_if_done(turn(turns))
    assert turns.finish_if_done(turn(turns), anyway=True)


def test_a_turn_that_begins_again_goes_on(turns: Turns) -> None:
    turns.plan("t1/s0", "Hello.")
    again = turns.begin("t1", "u1", "concierge", TurnTimes(5.0))
    assert "t1/s0" in again.segments
    assert again.times.origin == 0.0


def test_a_cut_turn_was_interrupted_whatever_the_orchestrator_thinks(turns: Turns) -> None:
    begun = turn(turns)
    begun.cut = True
    begun.outcome = Outcome("completed", model_ms=12.0)
    told = begun.as_event()
    assert (told["outcome"], told["model_ms"]) == ("interrupted", 12.0)


def test_a_failed_turn_says_why(turns: Turns) -> None:
    turn(turns).outcome = Outcome("failed", "MODEL_UNAVAILABLE")
    told = turn(turns).as_event()
    assert (told["outcome"], told["failure_reason"]) == ("failed", "MODEL_UNAVAILABLE")


def test_the_timeline_counts_from_the_end_of_speech() -> None:
    times = after_utterance(UtteranceTimes(end_of_speech=10.0, accepted=10.2))
    times.first_token_seconds = 0.05
    times.first_segment, times.first_audio, times.first_frame = 10.3, 10.35, 10.351
    assert times.as_milliseconds() == {
        "end_of_speech_to_final_ms": 200.0,
        "to_first_token_ms": 250.0,
        "to_first_segment_ms": 300.0,
        "to_first_audio_ms": 350.0,
        "to_first_frame_ms": 351.0,
        "to_last_heard_ms": None,
    }


def test_what_did_not_happen_has_no_time() -> None:
    assert set(TurnTimes(1.0).as_milliseconds().values()) == {None}
