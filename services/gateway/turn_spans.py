"""A turn as the caller had it, as spans: `answer`, and in it one for each stage, end to end.

They are told when the turn is over, since only then it is known how it came out. Stages follow one
another without gaps, so they add up to `answer`: from the end of speech to the first frame of the
answer. A failed turn has the status of an error and a slow one says so, for tail samplers.
"""

from __future__ import annotations

from gateway.timeline import TurnTimes
from gateway.turns import Turn
from meshkit import telemetry
from meshkit.telemetry import Past

SLOW_SECONDS = 1.5
"""Of the way to the first frame; people begin to wonder whether they were heard."""


def tell(turn: Turn) -> None:
    """Tell the spans of a turn that is over; nothing of one that had no answer."""
    if telemetry.is_on():
        answer, stages = spans_of(turn)
        telemetry.tell_past(answer, stages)


def spans_of(turn: Turn) -> tuple[Past, list[Past]]:
    """The turn's span and those of its stages. Pure."""
    stages = _stages(turn.times)
    began = turn.times.origin
    ended = stages[-1].ended if stages else began
    row = turn.as_event()
    answer = Past(
        "answer",
        began,
        ended,
        failure=str(row["failure_reason"]) if row["outcome"] == "failed" else "",
        attributes={
            "voicemesh.turn": turn.name,
            "gen_ai.agent.name": turn.agent,
            "voicemesh.outcome": str(row["outcome"]),
            "voicemesh.slow": ended - began > SLOW_SECONDS,
        },
    )
    return answer, stages


def _stages(times: TurnTimes) -> list[Past]:
    """What happened, in the order of the clock; a stage begins where the one before ended."""
    token = None
    if times.sent is not None and times.first_token_seconds is not None:
        token = times.sent + times.first_token_seconds
    moments = (
        ("stage_final", times.final),
        ("stage_first_token", token),
        ("stage_first_segment", times.first_segment),
        ("stage_first_audio", times.first_audio),
        ("stage_first_frame", times.first_frame),
    )
    stages: list[Past] = []
    at = times.origin
    for name, moment in moments:
        if moment is not None:
            stages.append(Past(name, at, max(at, moment)))
            at = max(at, moment)
    return stages
