"""Endpointing: from speech probabilities to utterances."""

from __future__ import annotations

import itertools
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speech_pool.engines.endpointing import (
    FRAME_SAMPLES,
    Decision,
    Endpointer,
    Endpointing,
    Hypothesise,
    Span,
    UtteranceBegan,
    UtteranceEnded,
)

FRAMES_OF_SILENCE = 16  # 0.5 s in frames of 32 ms
FRAMES_TO_SPECULATE = 6  # 0.2 s
FRAMES_TO_CONFIRM = 6  # 0.2 s
PRE_ROLL = 6400  # 0.4 s

T = TypeVar("T")

SPEECH, SILENCE, BETWEEN = 0.9, 0.05, 0.4


def run(endpointer: Endpointer, *stretches: tuple[int, float]) -> list[Decision]:
    """Feed stretches of (frames, probability)."""
    return [
        decision
        for frames, probability in stretches
        for _ in range(frames)
        for decision in endpointer.feed(probability)
    ]


def only(kind: type[T], decisions: list[Decision]) -> list[T]:
    return [decision for decision in decisions if isinstance(decision, kind)]


def test_an_utterance_begins_where_its_first_frame_of_speech_began() -> None:
    decisions = run(Endpointer(Endpointing()), (10, SILENCE), (FRAMES_TO_CONFIRM, SPEECH))

    assert decisions == [UtteranceBegan(10 * FRAME_SAMPLES)]


def test_less_speech_than_the_minimum_is_no_utterance() -> None:
    endpointer = Endpointer(Endpointing())

    decisions = run(endpointer, *[(FRAMES_TO_CONFIRM - 1, SPEECH), (20, SILENCE)] * 5)

    assert decisions == []


def test_syllables_with_short_gaps_count_together() -> None:
    decisions = run(Endpointer(Endpointing()), (4, SPEECH), (3, SILENCE), (4, SPEECH))

    assert only(UtteranceBegan, decisions) == [UtteranceBegan(0)]


def test_speech_ends_after_the_silence_and_not_before() -> None:
    endpointer = Endpointer(Endpointing())
    run(endpointer, (20, SPEECH))

    early = run(endpointer, (FRAMES_OF_SILENCE - 1, SILENCE))
    due = run(endpointer, (1, SILENCE))

    assert only(UtteranceEnded, early) == []
    assert only(UtteranceEnded, due)[0].speech == Span(0, 20 * FRAME_SAMPLES)


def test_the_final_clip_is_the_one_that_was_recognised_in_advance() -> None:
    decisions = run(Endpointer(Endpointing()), (40, SILENCE), (12, SPEECH), (30, SILENCE))

    speculation = next(d for d in only(Hypothesise, decisions) if d.speculative)
    (ended,) = only(UtteranceEnded, decisions)
    assert speculation.clip == ended.clip
    assert ended.clip.start == 40 * FRAME_SAMPLES - PRE_ROLL
    assert ended.clip.end == (52 + FRAMES_TO_SPECULATE) * FRAME_SAMPLES


def test_speech_after_a_speculation_makes_another_one() -> None:
    decisions = run(
        Endpointer(Endpointing()), (12, SPEECH), (8, SILENCE), (12, SPEECH), (20, SILENCE)
    )

    first, second = (d.clip for d in only(Hypothesise, decisions) if d.speculative)
    (ended,) = only(UtteranceEnded, decisions)
    assert first.end == (12 + FRAMES_TO_SPECULATE) * FRAME_SAMPLES
    assert second == ended.clip
    assert ended.speech == Span(0, 32 * FRAME_SAMPLES)


def test_a_pause_that_is_too_short_speculates_nothing() -> None:
    decisions = run(
        Endpointer(Endpointing()), (12, SPEECH), (FRAMES_TO_SPECULATE - 1, SILENCE), (2, SPEECH)
    )

    assert [d for d in only(Hypothesise, decisions) if d.speculative] == []


def test_silence_shorter_than_the_speculation_is_obeyed() -> None:
    endpointer = Endpointer(Endpointing(silence_seconds=0.1))

    decisions = run(endpointer, (12, SPEECH), (3, SILENCE))

    assert only(UtteranceEnded, decisions)[0].clip.end == 15 * FRAME_SAMPLES


def test_probabilities_in_between_hold_speech_but_do_not_begin_it() -> None:
    assert run(Endpointer(Endpointing()), (40, BETWEEN)) == []

    decisions = run(Endpointer(Endpointing()), (12, SPEECH), (40, BETWEEN))
    assert only(UtteranceEnded, decisions) == []


def test_the_pre_roll_does_not_reach_into_the_utterance_before() -> None:
    endpointer = Endpointer(Endpointing(silence_seconds=0.2))

    decisions = run(endpointer, (12, SPEECH), (7, SILENCE), (12, SPEECH), (7, SILENCE))

    first, second = only(UtteranceEnded, decisions)
    assert second.clip.start == first.clip.end


def test_interims_come_every_half_second_and_rarer_as_the_utterance_grows() -> None:
    decisions = run(Endpointer(Endpointing()), (600, SPEECH))

    ends = [d.clip.end / 16_000 for d in only(Hypothesise, decisions)]
    gaps = [later - earlier for earlier, later in itertools.pairwise(ends)]
    assert ends[0] == pytest.approx(0.5, abs=0.04)
    assert gaps[0] == pytest.approx(0.5, abs=0.04)
    assert gaps[-1] >= 0.125 * ends[-2]
    assert all(d.clip.start == 0 for d in only(Hypothesise, decisions))


def test_flush_ends_the_utterance_in_the_middle_of_speech() -> None:
    endpointer = Endpointer(Endpointing())
    run(endpointer, (20, SPEECH))

    decisions = endpointer.flush(20 * FRAME_SAMPLES + 100)

    span = Span(0, 20 * FRAME_SAMPLES)
    assert decisions == [UtteranceEnded(span, Span(0, 20 * FRAME_SAMPLES + 100))]


def test_flush_in_the_silence_reuses_the_speculation() -> None:
    endpointer = Endpointer(Endpointing())
    decisions = run(endpointer, (12, SPEECH), (10, SILENCE))

    (ended,) = endpointer.flush(22 * FRAME_SAMPLES)

    assert isinstance(ended, UtteranceEnded)
    assert [ended.clip] == [d.clip for d in only(Hypothesise, decisions)]


@pytest.mark.parametrize("frames", [0, FRAMES_TO_CONFIRM - 1])
def test_flush_without_an_utterance_gives_nothing(frames: int) -> None:
    endpointer = Endpointer(Endpointing())
    run(endpointer, (10, SILENCE), (frames, SPEECH))

    assert endpointer.flush(10_000) == []
    assert run(endpointer, (1, SPEECH)) == []  # what was heard before is forgotten


def test_listen_for_changes_the_silence_during_an_utterance() -> None:
    endpointer = Endpointer(Endpointing())
    run(endpointer, (12, SPEECH), (4, SILENCE))

    endpointer.listen_for(1.0)

    assert only(UtteranceEnded, run(endpointer, (20, SILENCE))) == []
    assert len(only(UtteranceEnded, run(endpointer, (10, SILENCE)))) == 1


def test_an_endless_utterance_is_cut_at_its_quietest_place() -> None:
    rules = Endpointing(max_utterance_seconds=5.0, cut_search_seconds=1.0)
    endpointer = Endpointer(rules)

    decisions = run(endpointer, (140, SPEECH), (1, BETWEEN), (40, SPEECH))

    (ended,) = only(UtteranceEnded, decisions)
    assert ended.speech == Span(0, 141 * FRAME_SAMPLES)
    assert only(UtteranceBegan, decisions)[1] == UtteranceBegan(141 * FRAME_SAMPLES)


def test_after_a_cut_the_rest_is_the_next_utterance_without_gap_or_overlap() -> None:
    rules = Endpointing(max_utterance_seconds=5.0, cut_search_seconds=1.0)
    endpointer = Endpointer(rules)

    decisions = run(endpointer, (400, SPEECH), (20, SILENCE))

    spans = [d.clip for d in only(UtteranceEnded, decisions)]
    assert len(spans) >= 3
    assert all(a.end == b.start for a, b in itertools.pairwise(spans))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("silence_seconds", 0.05),
        ("silence_seconds", 11.0),
        ("speculation_seconds", 0.0),
        ("min_speech_seconds", -1.0),
        ("interim_seconds", 0.0),
        ("speech_probability", 0.2),
        ("max_utterance_seconds", 2.0),
    ],
)
def test_rules_that_make_no_sense_are_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=r"must|need|seconds"):
        Endpointing(**{name: value})


def test_listen_for_refuses_a_silence_that_makes_no_sense() -> None:
    with pytest.raises(ValueError, match=r"0\.1 to 10 seconds, got 60"):
        Endpointer(Endpointing()).listen_for(60)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(1, 60), st.sampled_from([SPEECH, SILENCE, BETWEEN])), max_size=30
    )
)
def test_whatever_is_heard_events_alternate_and_clips_stay_within_what_is_kept(
    stretches: list[tuple[int, float]],
) -> None:
    endpointer = Endpointer(Endpointing(max_utterance_seconds=4.0))
    position, speaking, last_end = 0, False, 0
    for frames, probability in stretches:
        for _ in range(frames):
            kept_from = endpointer.oldest_needed
            position += FRAME_SAMPLES
            for decision in endpointer.feed(probability):
                match decision:
                    case UtteranceBegan(sample):
                        assert not speaking
                        assert last_end <= sample <= position
                        speaking = True
                    case Hypothesise(clip):
                        assert speaking
                        assert kept_from <= clip.start < clip.end <= position
                    case UtteranceEnded(speech, clip):
                        assert speaking
                        assert kept_from <= clip.start < clip.end <= position
                        assert last_end <= speech.start < speech.end
                        assert clip.end - clip.start <= (4.0 + 0.4 + 0.6) * 16_000
                        speaking, last_end = False, speech.end
