"""The ring of traces: the newest stay, in order, and no sender makes it larger than its bounds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from meshkit.ring import SESSION, RingBounds, RingSpan, SpanRing

SMALL = RingBounds(calls=3, others=2, trace_spans=4, spans=8, size=6_000)


def a_span(
    trace: str = "t", id: str = "s", session: str = "", began: int = 0, name: str = "turn"
) -> RingSpan:
    attributes = {SESSION: session} if session else {}
    return RingSpan("gateway", name, trace, id, "", began, began + 1, attributes)


def sessions(ring: SpanRing) -> list[str]:
    return [trace.session for trace in ring.calls()]


def test_calls_are_told_newest_first_and_their_spans_in_order() -> None:
    ring = SpanRing()
    ring.take([a_span("old", "2", "a", 5), a_span("new", "3", "b", 9), a_span("old", "1", "a", 4)])
    assert sessions(ring) == ["b", "a"]
    (old,) = ring.of_session("a")
    assert [span.id for span in old.spans] == ["1", "2"]
    assert old.began == 4


def test_a_parent_comes_before_a_child_that_began_with_it() -> None:
    ring = SpanRing()
    child = RingSpan("gateway", "turn", "t", "c", "p", 0, 5, {SESSION: "a"})
    ring.take([child, RingSpan("gateway", "call", "t", "p", "", 0, 9, {SESSION: "a"})])
    (trace,) = ring.calls()
    assert [span.id for span in trace.spans] == ["p", "c"]
    assert trace.root is trace.spans[0]


def test_a_trace_becomes_a_calls_when_one_of_its_spans_says_so() -> None:
    ring = SpanRing()
    ring.take([a_span(id="1")])
    assert ring.calls() == []
    ring.take([a_span(id="2", session="a")])
    assert [len(trace.spans) for trace in ring.calls()] == [2]
    ring.take([a_span(id="3")])
    assert [len(trace.spans) for trace in ring.calls()] == [3], "the third need not say it again"


def test_each_leg_of_a_session_is_a_trace() -> None:
    ring = SpanRing()
    ring.take([a_span("one", "1", "a", 1), a_span("two", "2", "a", 2)])
    assert [trace.id for trace in ring.of_session("a")] == ["two", "one"]
    assert ring.of_session("b") == []


def test_what_was_not_heard_of_for_longest_goes_first() -> None:
    ring = SpanRing(SMALL)
    for number in range(3):
        ring.take([a_span(f"t{number}", "1", f"s{number}", number)])
    ring.take([a_span("t0", "2", "s0", 9), a_span("t3", "1", "s3", 10)])
    assert sessions(ring) == ["s3", "s2", "s0"], "s0 is the oldest, but goes on"
    assert ring.forgotten == 1


def test_traces_of_no_call_push_out_no_call() -> None:
    ring = SpanRing(SMALL)
    ring.take([a_span("call", "1", "a")])
    ring.take(a_span(f"probe{number}", "1") for number in range(50))
    assert sessions(ring) == ["a"]
    assert ring.spans == 1 + SMALL.others


def test_a_span_that_comes_twice_is_kept_once() -> None:
    ring = SpanRing()
    ring.take([a_span(session="a"), a_span(session="a")])
    assert ring.spans == 1


def test_a_trace_that_is_too_long_tells_how_much_is_missing() -> None:
    ring = SpanRing(SMALL)
    ring.take(a_span(id=str(number), session="a") for number in range(6))
    (trace,) = ring.calls()
    assert (len(trace.spans), trace.dropped) == (4, 2)


def test_large_attributes_count() -> None:
    ring = SpanRing(SMALL)
    huge = RingSpan("x", "turn", "huge", "1", "", 0, 1, {SESSION: "a", "text": "x" * 7_000})
    ring.take([a_span("small", "1", "b"), huge])
    assert (ring.calls(), ring.spans, ring.size) == ([], 0, 0)


IDS = st.sampled_from("abcdefgh")
SPANS = st.builds(
    a_span, trace=IDS, id=IDS, session=st.sampled_from(["", "x", "y"]), began=st.integers(0, 20)
)


@given(st.lists(SPANS, max_size=60))
def test_the_bounds_hold_whatever_comes(spans: list[RingSpan]) -> None:
    ring = SpanRing(SMALL)
    for span in spans:
        ring.take([span])
        told = ring.calls()
        assert len(told) <= SMALL.calls
        assert ring.spans <= SMALL.spans
        assert ring.size <= SMALL.size
        assert all(0 < len(trace.spans) <= SMALL.trace_spans for trace in told)
        assert sum(len(trace.spans) for trace in told) <= ring.spans
        assert [t.began for t in told] == sorted((t.began for t in told), reverse=True)
        if span.attributes:
            assert span.trace in {trace.id for trace in told}, "what came last is kept"


@given(st.lists(SPANS, max_size=60))
def test_an_empty_ring_counts_nothing(spans: list[RingSpan]) -> None:
    ring = SpanRing(RingBounds(calls=0, others=0))
    ring.take(spans)
    assert (ring.spans, ring.size, ring.calls()) == (0, 0, [])
