"""A turn as spans: stages that add up, and marks for what a tail sampler must keep."""

from __future__ import annotations

import itertools

import pytest

from gateway import turn_spans
from gateway.timeline import TurnTimes
from gateway.turns import Outcome, Turn
from meshkit.context import call_context, new_trace
from meshkit.telemetry import configure_tracing
from tests.support.otlp_sink import otlp_sink


def times(first_frame: float | None = 11.0) -> TurnTimes:
    return TurnTimes(
        10.0,
        final=10.2,
        sent=10.2,
        first_token_seconds=0.3,
        first_segment=10.6,
        first_audio=10.9,
        first_frame=first_frame,
    )


def turn(given: TurnTimes, outcome: Outcome | None = None) -> Turn:
    return Turn("t1", "u1", "concierge", given, outcome=outcome or Outcome("completed"))


def test_stages_follow_one_another_and_add_up_to_the_answer() -> None:
    answer, stages = turn_spans.spans_of(turn(times()))
    assert [(stage.name, round(stage.ended - stage.began, 6)) for stage in stages] == [
        ("stage_final", 0.2),
        ("stage_first_token", 0.3),
        ("stage_first_segment", 0.1),
        ("stage_first_audio", 0.3),
        ("stage_first_frame", 0.1),
    ]
    assert all(a.ended == b.began for a, b in itertools.pairwise(stages))
    assert (answer.began, answer.ended) == (stages[0].began, stages[-1].ended)


def test_a_stage_whose_clock_runs_ahead_takes_no_time_and_never_less() -> None:
    given = times()
    given.first_segment = 10.4  # the token's time is the orchestrator's
    _, stages = turn_spans.spans_of(turn(given))
    assert all(stage.ended >= stage.began for stage in stages)
    assert stages[2].ended == stages[2].began


def test_a_turn_that_was_never_answered_has_no_stage() -> None:
    answer, stages = turn_spans.spans_of(turn(TurnTimes(10.0)))
    assert stages == []
    assert answer.began == answer.ended


@pytest.mark.parametrize(("first_frame", "slow"), [(11.5, False), (11.6, True)])
def test_a_slow_turn_says_so(first_frame: float, slow: bool) -> None:
    answer, _ = turn_spans.spans_of(turn(times(first_frame)))
    assert answer.attributes["voicemesh.slow"] is slow


async def test_the_spans_leave_with_their_times_within_the_call() -> None:
    failure = Outcome("failed", failure_reason="MODEL_UNAVAILABLE")
    with otlp_sink() as sink:
        tracing = configure_tracing("gateway", "1", sink.endpoint)
        with new_trace(), call_context(session="s-1"):
            turn_spans.tell(turn(times(), failure))
        await tracing.aclose()
    by_name = {span.name: span for span in sink.spans}
    answer, call = by_name["answer"], by_name["call"]
    assert answer.parent == call.id
    assert (answer.end - answer.begin) / 1e9 == pytest.approx(1.0, abs=1e-6)
    assert answer.failed
    assert answer.attributes == {
        "error.type": "MODEL_UNAVAILABLE",
        "gen_ai.agent.name": "concierge",
        "voicemesh.outcome": "failed",
        "voicemesh.session": "s-1",
        "voicemesh.slow": False,
        "voicemesh.turn": "t1",
    }
    stages = [span for span in sink.spans if span.name.startswith("stage_")]
    assert len(stages) == 5
    assert {span.parent for span in stages} == {answer.id}
    assert sum(span.end - span.begin for span in stages) == answer.end - answer.begin


def test_without_tracing_nothing_is_made() -> None:
    turn_spans.tell(turn(times()))
