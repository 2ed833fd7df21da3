"""What the gateway counts of calls and turns."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from gateway.meters import CallMeters, totals_of, turn_finished
from gateway.playback import PacingStats
from gateway.timeline import TurnTimes
from gateway.turns import Outcome, Turn
from tests.support.kept_metrics import kept_metrics


def call_with(stats: PacingStats, samples: int = 0) -> Any:
    """As much of a call as is measured, hashed as calls are."""
    parts = SimpleNamespace(player=SimpleNamespace(stats=stats), audio=SimpleNamespace(end=samples))

    class Measured:
        def __init__(self) -> None:
            self.parts = parts

    return Measured()


def test_a_turn_tells_the_stages_that_happened_from_the_end_of_speech() -> None:
    times = TurnTimes(10.0, final=10.2, sent=10.2, first_token_seconds=0.1, first_segment=10.5)
    turn = Turn("t1", "u1", "concierge", times, outcome=Outcome("completed"))
    with kept_metrics() as kept:
        turn_finished(turn)
    stages = {
        labels["stage"]: (labels["agent"], value)
        for value, labels in kept.of("voicemesh_turn_stage_seconds")
    }
    assert stages == {
        "final": ("concierge", 0.2),
        "first_token": ("concierge", pytest.approx(0.3)),
        "first_segment": ("concierge", 0.5),
    }
    ended = {"agent": "concierge", "outcome": "completed"}
    assert kept.of("voicemesh_turns_total") == [(1, ended)]


def test_a_turn_that_was_cut_is_counted_as_such() -> None:
    turn = Turn("t1", "u1", "concierge", TurnTimes(0.0), outcome=Outcome("completed"), cut=True)
    with kept_metrics() as kept:
        turn_finished(turn)
    assert kept.of("voicemesh_turns_total")[0][1]["outcome"] == "interrupted"


def test_frames_fall_into_the_class_of_their_lateness() -> None:
    stats = PacingStats(gaps=1)
    for seconds in (0.0, 0.0049, 0.005, 0.0199, 0.03, 0.06, 5.0):
        stats.record(seconds)
    assert totals_of(stats, 16_000) == {
        ("frames", "under_5ms"): 2,
        ("frames", "under_20ms"): 2,
        ("frames", "under_60ms"): 1,
        ("frames", "more"): 2,
        ("gaps", ""): 1,
        ("audio", "to_caller"): pytest.approx(7 * 0.02),
        ("audio", "from_caller"): 1.0,
    }


def test_each_look_tells_only_what_is_new_and_the_end_tells_the_rest() -> None:
    stats = PacingStats()
    call = call_with(stats, 8_000)
    live = [call]
    meters = CallMeters(lambda: live)
    with kept_metrics() as kept:
        stats.record(0.0)
        meters.look()
        meters.look()
        stats.record(0.0)
        stats.record(0.0)
        live.clear()
        meters.ended(call)
    frames = [value for value, _ in kept.of("voicemesh_frames_total")]
    assert frames == [1, 2]
    audio = kept.of("voicemesh_audio_seconds_total")
    assert [v for v, labels in audio if labels["direction"] == "from_caller"] == [0.5]
    assert [value for value, _ in kept.of("voicemesh_calls_live")] == [1, 1]


def test_a_call_that_ended_is_not_kept() -> None:
    call = call_with(PacingStats())
    meters = CallMeters(lambda: [call])
    with kept_metrics():
        meters.look()
    meters.ended(call)
    assert meters._told == {}
