"""What the console makes of traces and metrics: a tree, a row, each span once whatever was sent."""

from __future__ import annotations

from datetime import datetime

from hypothesis import given
from hypothesis import strategies as st

from gateway.console_view import MAX_FAILURES, call_row, moment, nested, series_row, waterfall
from meshkit.ring import SESSION, AttributeValue, RingSpan, RingTrace, SpanRing
from meshkit.ring_series import RingPoint, SeriesRing

SECOND = 1_000_000_000
BEGAN = 1_780_000_000 * SECOND


def a_span(
    id: str,
    parent: str = "",
    name: str = "turn",
    began: float = 0,
    ended: float = 1,
    service: str = "gateway",
    failed: bool = False,
    agent: str = "",
    slow: bool = False,
) -> RingSpan:
    named: dict[str, AttributeValue] = {SESSION: "s1", "voicemesh.slow": slow}
    if agent:
        named["gen_ai.agent.name"] = agent
    times = BEGAN + int(began * SECOND), BEGAN + int(ended * SECOND)
    return RingSpan(service, name, "t", id, parent, *times, named, failed)


def a_trace(*spans: RingSpan) -> RingTrace:
    ring = SpanRing()
    ring.take(spans)
    return ring.calls()[0]


CALL = (
    a_span("1", name="call", ended=20),
    a_span("2", "1", "answer", 1, 1.5, agent="concierge"),
    a_span("3", "1", "answer", 5, 7, agent="fraud", slow=True),
    a_span("4", "1", "answer", 9, 10, agent="concierge"),
    a_span("5", "3", "execute_tool", 5, 6, "tool-executor", failed=True),
)


def test_a_call_in_a_row() -> None:
    row = call_row(a_trace(*CALL))
    assert row["session"] == "s1"
    assert (row["state"], row["duration_ms"]) == ("ended", 20_000)
    assert row["agents"] == ["concierge", "fraud"]
    assert (row["turns"], row["slow_turns"], row["first_frame_ms"]) == (3, 1, 1_000)
    assert row["services"] == ["gateway", "tool-executor"]
    assert row["failed_spans"] == 1
    assert row["failures"] == [
        {"service": "tool-executor", "name": "execute_tool", "reason": "", "at_ms": 6_000}
    ]


def test_a_call_whose_root_has_not_come() -> None:
    row = call_row(a_trace(*CALL[1:2]))
    assert (row["state"], row["duration_ms"]) == ("unknown", None)
    assert row["began"] == moment(BEGAN + SECOND)


def test_failures_are_bounded() -> None:
    row = call_row(a_trace(*(a_span(str(n), failed=True) for n in range(50))))
    assert (row["failed_spans"], len(row["failures"])) == (50, MAX_FAILURES)


def test_a_waterfall_goes_from_parents_to_children_in_the_order_of_time() -> None:
    told = waterfall(a_trace(*CALL))
    rows = [(row["id"], row["depth"], row["start_ms"]) for row in told["spans"]]
    assert rows == [("1", 0, 0), ("2", 1, 1_000), ("3", 1, 5_000), ("5", 2, 5_000), ("4", 1, 9_000)]
    assert (told["complete"], told["duration_ms"], told["dropped_spans"]) == (True, 20_000, 0)
    assert told["spans"][1]["attributes"]["gen_ai.agent.name"] == "concierge"


def test_a_span_whose_parent_is_not_here_stands_at_the_top() -> None:
    assert [depth for _, depth in nested([a_span("2", "gone"), a_span("3", "2")])] == [0, 1]


def test_parents_in_a_circle_are_told_all_the_same() -> None:
    spans = [a_span("1", "2"), a_span("2", "1"), a_span("3", "3")]
    assert sorted(span.id for span, _ in nested(spans)) == ["1", "2", "3"]


def test_nesting_may_be_as_deep_as_it_likes() -> None:
    spans = [a_span(str(n), str(n - 1)) for n in range(5_000)]
    assert nested(spans)[-1][1] == 4_999


IDS = st.sampled_from("abcdefgh")


@given(st.dictionaries(IDS, st.one_of(st.just(""), IDS, st.just("gone"))))
def test_every_span_is_told_once_and_after_its_parent(parents: dict[str, str]) -> None:
    spans = [a_span(id, parent) for id, parent in parents.items()]
    told = nested(spans)
    assert sorted(span.id for span, _ in told) == sorted(parents)
    depth = {span.id: d for span, d in told}
    seen: set[str] = set()
    for span, d in told:
        if d:
            assert span.parent in seen
            assert d == depth[span.parent] + 1
        seen.add(span.id)


def test_times_that_no_calendar_has() -> None:
    assert datetime.fromisoformat(moment(2**64 - 1)).year == 2554
    assert datetime.fromisoformat(moment(2**200)).year == 1970


def test_series() -> None:
    ring = SeriesRing()
    ring.take(
        [
            RingPoint("gateway", "a", "1", "counter", {"reason": "x"}, 1.0, 3),
            RingPoint("gateway", "a", "1", "counter", {"reason": "x"}, 2.0, 5),
            RingPoint("gateway", "b", "s", "histogram", {}, 1.0, 2.5, 10, (0.1, 0.5), (5, 4, 1)),
            RingPoint("gateway", "c", "s", "histogram", {}, 1.0, 0.0, 0, (0.1, 0.5), (0, 0, 0)),
        ]
    )
    counter, histogram, quiet = (series_row(one, history=True) for one in ring.series())
    assert (counter["value"], counter["labels"]) == (5, {"reason": "x"})
    assert [point["value"] for point in counter["history"]] == [3, 5]
    assert (histogram["count"], histogram["mean"]) == (10, 0.25)
    assert (histogram["p50_at_most"], histogram["p95_at_most"]) == (0.1, None)
    assert (quiet["count"], quiet["mean"], quiet["p50_at_most"]) == (0, None, None)
    assert "history" not in series_row(ring.series()[0])
