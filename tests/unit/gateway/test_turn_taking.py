"""Who has the floor: every move of a caller against an agent that speaks, thinks or listens."""

from __future__ import annotations

import pytest

from gateway.turn_taking import BargeIn, Decision, TurnTaking

RULES = BargeIn(confirm_seconds=0.5, resume_seconds=0.8)


@pytest.fixture
def speaking() -> TurnTaking:
    """The agent has the floor."""
    floor = TurnTaking(RULES)
    assert floor.turn_began() is Decision.NOTHING
    return floor


def test_a_voice_holds_the_agent_and_words_cut_it(speaking: TurnTaking) -> None:
    assert speaking.speech_began(1.0) is Decision.HOLD
    assert speaking.words(final=False) is Decision.CUT
    assert not speaking.agent_has_floor
    assert speaking.words(final=True) is Decision.NOTHING


def test_a_short_noise_does_not_count(speaking: TurnTaking) -> None:
    speaking.speech_began(1.0)
    assert speaking.speech_ended(1.2) is Decision.NOTHING
    assert speaking.wake_at == pytest.approx(2.0)
    assert speaking.due(1.9) is Decision.NOTHING
    assert speaking.due(2.0) is Decision.RESUME
    assert speaking.agent_has_floor
    assert speaking.wake_at is None


def test_an_empty_final_resumes_at_once(speaking: TurnTaking) -> None:
    speaking.speech_began(1.0)
    speaking.speech_ended(1.2)
    assert speaking.no_words() is Decision.RESUME


def test_a_long_sound_counts_without_words(speaking: TurnTaking) -> None:
    speaking.speech_began(1.0)
    assert speaking.wake_at == pytest.approx(1.5)
    assert speaking.due(1.5) is Decision.CUT


def test_words_that_come_after_the_voice_ended_still_cut(speaking: TurnTaking) -> None:
    speaking.speech_began(1.0)
    speaking.speech_ended(1.3)
    assert speaking.words(final=True) is Decision.CUT


def test_a_second_noise_within_the_wait_holds_on(speaking: TurnTaking) -> None:
    speaking.speech_began(1.0)
    speaking.speech_ended(1.2)
    assert speaking.speech_began(1.4) is Decision.NOTHING  # held already
    assert speaking.due(1.8) is Decision.NOTHING
    assert speaking.due(1.9) is Decision.CUT


def test_words_without_a_beginning_cut(speaking: TurnTaking) -> None:
    assert speaking.words(final=False) is Decision.CUT


def test_a_key_cuts(speaking: TurnTaking) -> None:
    assert speaking.keyed() is Decision.CUT


def test_while_nobody_has_the_floor_a_caller_interrupts_nothing() -> None:
    floor = TurnTaking(RULES)
    assert floor.speech_began(1.0) is Decision.NOTHING
    assert floor.words(final=False) is Decision.NOTHING
    assert floor.speech_ended(2.0) is Decision.NOTHING
    assert floor.words(final=True) is Decision.NOTHING


def test_a_turn_that_begins_while_the_caller_speaks_waits(speaking: TurnTaking) -> None:
    floor = TurnTaking(RULES)
    floor.speech_began(1.0)
    assert floor.turn_began() is Decision.HOLD
    floor.speech_ended(1.2)
    assert floor.due(2.0) is Decision.RESUME


def test_a_turn_that_begins_while_the_caller_has_words_is_resumed_when_he_stops() -> None:
    floor = TurnTaking(RULES)
    floor.words(final=False)
    assert floor.turn_began() is Decision.HOLD
    assert floor.speech_ended(2.0) is Decision.RESUME


def test_after_a_final_the_next_turn_speaks_at_once() -> None:
    floor = TurnTaking(RULES)
    floor.speech_began(1.0)
    floor.speech_ended(2.0)
    floor.words(final=True)
    assert floor.turn_began() is Decision.NOTHING


def test_a_finished_turn_is_not_resumed(speaking: TurnTaking) -> None:
    speaking.speech_began(1.0)
    speaking.turn_over()
    speaking.speech_ended(1.1)
    assert speaking.due(9.0) is Decision.NOTHING


def test_with_barge_in_off_the_agent_says_it_to_the_end() -> None:
    floor = TurnTaking(BargeIn(enabled=False))
    floor.turn_began()
    assert floor.speech_began(1.0) is Decision.NOTHING
    assert floor.words(final=True) is Decision.NOTHING
    assert floor.keyed() is Decision.NOTHING
    assert floor.agent_has_floor
