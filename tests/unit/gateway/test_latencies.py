"""The parts of a turn add up, and percentiles are of the newest turns."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.latencies import Latencies, percentile
from gateway.timeline import MARKS, TurnTimes, mouth_to_ear_ms, parts
from gateway.turns import Turn

moments = st.none() | st.floats(0, 60_000).map(lambda ms: round(ms, 2))


@given(st.fixed_dictionaries(dict.fromkeys(MARKS.values(), moments)), st.floats(1, 60_000))
def test_parts_touch_and_add_up_to_mouth_to_ear(
    row: dict[str, float | None], first_frame: float
) -> None:
    row["to_first_frame_ms"] = first_frame
    made = parts(row)
    for before, after in itertools.pairwise(made):
        assert after.begin_ms == pytest.approx(before.begin_ms + before.ms, abs=0.01)
    assert made[0].begin_ms == 0
    assert all(part.ms >= 0 for part in made)
    assert sum(part.ms for part in made) == pytest.approx(mouth_to_ear_ms(row), abs=0.05)


def test_what_did_not_happen_is_in_the_next_part() -> None:
    row = {"to_first_segment_ms": 30.0, "to_first_frame_ms": 50.0, "to_first_audio_ms": None}
    assert [(p.name, p.begin_ms, p.ms) for p in parts(row)] == [
        ("first_segment", 0.0, 30.0),
        ("first_frame", 30.0, 20.0),
    ]
    assert parts({}) == []
    assert mouth_to_ear_ms({}) is None


def test_a_token_that_seems_later_than_its_segment_takes_nothing_from_the_sum() -> None:
    row = {"to_first_token_ms": 120.0, "to_first_segment_ms": 100.0, "to_first_frame_ms": 110.0}
    assert [(p.name, p.ms) for p in parts(row)] == [
        ("first_token", 100.0),
        ("first_segment", 0.0),
        ("first_frame", 10.0),
    ]


def answered(ms: float | None, agent: str = "a", cause: str = "u1") -> Turn:
    frame = None if ms is None else ms / 1000
    return Turn("t1", cause, agent, TurnTimes(0.0, final=0.0, sent=0.0, first_frame=frame))


def test_percentiles_are_by_nearest_rank() -> None:
    hundred = [float(value) for value in range(1, 101)]
    assert [percentile(hundred, share) for share in (0.5, 0.95, 0.99)] == [50.0, 95.0, 99.0]
    assert percentile([7.0], 0.99) == 7.0


def test_rows_are_by_scenario_agent_and_cause_newest_first() -> None:
    latencies = Latencies()
    latencies.add("banking", [answered(100.0), answered(300.0), answered(None)])
    latencies.add("banking", [Turn("t0", "greeting", "a", TurnTimes(0.0, first_frame=0.01))])
    latencies.add("other", [Turn("t2", "handoff", "b", TurnTimes(0.0, first_frame=0.01))])
    rows = latencies.as_json()
    assert [(r["scenario"], r["agent"], r["cause"], r["turns"]) for r in rows] == [
        ("other", "b", "other", 1),
        ("banking", "a", "greeting", 1),
        ("banking", "a", "utterance", 2),
    ]
    assert rows[2]["ms"]["mouth_to_ear"] == {"p50": 100.0, "p95": 300.0, "p99": 300.0}
    assert "first_audio" not in rows[2]["ms"], "a part that no turn had"


def test_the_oldest_turns_and_the_rows_longest_unused_go() -> None:
    latencies = Latencies(kept_turns=2, kept_rows=2)
    latencies.add("s", [answered(ms) for ms in (900.0, 1.0, 2.0)])
    (row,) = latencies.as_json()
    assert (row["turns"], row["ms"]["mouth_to_ear"]["p99"]) == (2, 2.0)
    latencies.add("s", [answered(1.0, "b"), answered(1.0, "a"), answered(1.0, "c")])
    assert [row["agent"] for row in latencies.as_json()] == ["c", "a"]
