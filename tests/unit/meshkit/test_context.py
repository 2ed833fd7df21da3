"""What is written and read in place is what OpenTelemetry's own propagators write and read."""

from __future__ import annotations

from contextlib import ExitStack

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from opentelemetry import baggage, context, trace
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from meshkit.context import (
    call_context,
    carries_context,
    current_ids,
    incoming_metadata,
    new_trace,
    outgoing_metadata,
)

REFERENCE = CompositePropagator([TraceContextTextMapPropagator(), W3CBaggagePropagator()])
PARENT = "00-862a8bc044f7aad95c9f7958c02868f9-7ae97c2dc518d9f1-01"

VALUES = st.one_of(
    st.from_regex(r"[A-Za-z0-9._~-]{1,20}", fullmatch=True), st.text(min_size=1, max_size=12)
)
PARENTS = st.one_of(
    st.just(PARENT),
    st.from_regex(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-x)?", fullmatch=True),
    st.sampled_from(["", f" {PARENT} ", PARENT.upper(), f"00-{'0' * 32}-{'1' * 16}-00"]),
    st.sampled_from([f"00-{'1' * 32}-{'0' * 16}-00", f"ff{PARENT[2:]}", f"{PARENT}-more"]),
)
ENTRIES = st.one_of(
    st.from_regex(r"voicemesh\.(session|call|turn)=[A-Za-z0-9._~%+-]{1,12}", fullmatch=True),
    st.from_regex(r"[a-z.]{1,12} ?= ?[A-Za-z0-9;=%]{0,12}", fullmatch=True),
    st.sampled_from(["", "voicemesh.turn", "voicemesh.turn=", "voicemesh.other=1"]),
)
CARRIERS = st.fixed_dictionaries(
    {},
    optional={
        "traceparent": PARENTS,
        "tracestate": st.sampled_from(["", "a=1", "a=1,b=2", "no state"]),
        "baggage": st.lists(ENTRIES, max_size=6).map(",".join),
    },
)


def seen() -> tuple[trace.SpanContext, dict[str, object]]:
    return trace.get_current_span().get_span_context(), dict(baggage.get_all())


def by_the_reference(carrier: dict[str, str]) -> tuple[trace.SpanContext, dict[str, object]]:
    taken = REFERENCE.extract(carrier, context.Context())
    return trace.get_current_span(taken).get_span_context(), dict(baggage.get_all(taken))


@given(CARRIERS)
@example({"traceparent": PARENT, "baggage": "voicemesh.session=a,voicemesh.turn=t1"})
@example({"baggage": "voicemesh.turn=t1"})
@example({"traceparent": PARENT, "baggage": "voicemesh.turn=t%31"})
def test_any_headers_are_read_as_the_reference_reads_them(carrier: dict[str, str]) -> None:
    with incoming_metadata(tuple(carrier.items())):
        if carrier:
            assert seen() == by_the_reference(carrier)


@given(VALUES, VALUES, PARENTS, st.sampled_from(["", "a=1,b=2"]))
def test_what_is_sent_is_what_the_reference_sends(
    session: str, turn: str, parent: str, state: str
) -> None:
    carrier = {"traceparent": parent} | ({"tracestate": state} if state else {})
    with incoming_metadata(tuple(carrier.items())), call_context(session=session, turn=turn):
        expected: dict[str, str] = {}
        REFERENCE.inject(expected)
        assert dict(outgoing_metadata()) == expected


def test_a_call_travels_whole() -> None:
    with new_trace(), call_context(session="acs-1", call="c.2", turn="t3"):
        sent, ids = outgoing_metadata(), current_ids()
    assert carries_context(sent)
    with incoming_metadata(sent):
        assert current_ids() == ids
    assert ids == {"session": "acs-1", "call": "c.2", "turn": "t3", "trace": ids["trace"]}


def test_without_a_call_nothing_is_sent_or_taken_up() -> None:
    assert outgoing_metadata() == ()
    assert not carries_context((("user-agent", "x"),))
    with call_context(session="a"), incoming_metadata((("user-agent", "x"),)):
        assert current_ids() == {"session": "a"}


def test_only_known_ids_can_be_set() -> None:
    with pytest.raises(TypeError, match="unknown ids"), ExitStack() as stack:
        stack.enter_context(call_context(caller="a"))
