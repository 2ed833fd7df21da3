"""Traces: what leaves, what never leaves, and that a collector which is away holds nobody up."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from meshkit import metrics
from meshkit.context import call_context, incoming_metadata, new_trace, outgoing_metadata
from meshkit.errors import MeshError, Reason
from meshkit.rpc_telemetry import serving
from meshkit.settings import MeshSettings
from meshkit.spans_table import ATTRIBUTES, CONSTANT, SPANS
from meshkit.telemetry import (
    Past,
    configure_tracing,
    failure_of,
    is_on,
    is_recording,
    span,
    tell_past,
    traceparent,
)
from meshkit.trace_export import Pace, Tracing, start
from tests.support.kept_metrics import kept_metrics
from tests.support.otlp_sink import OtlpSink, otlp_sink

ROOT = Path(__file__).parents[3]


@asynccontextmanager
async def tracing(sink: OtlpSink, **given: float) -> AsyncIterator[Tracing]:
    configured = configure_tracing("gateway", "1.2.3", sink.endpoint, **given)
    try:
        yield configured
    finally:
        await configured.aclose()


async def test_spans_leave_with_their_parents_ids_and_call() -> None:
    with otlp_sink() as sink:
        async with tracing(sink):
            with new_trace(), call_context(session="s-1", turn="t2"):
                with span("invoke_agent", of="concierge", gen_ai__agent__name="concierge"):
                    pass
    turn, call = sink.spans
    assert (call.name, call.parent, call.service) == ("call", "", "gateway")
    named = ("invoke_agent concierge", call.id, call.trace)
    assert (turn.name, turn.parent, turn.trace) == named
    assert turn.attributes == {
        "gen_ai.agent.name": "concierge",
        "voicemesh.session": "s-1",
        "voicemesh.turn": "t2",
    }


async def test_a_request_carries_the_trace_to_the_next_service() -> None:
    with otlp_sink() as sink:
        async with tracing(sink):
            with new_trace():
                metadata = outgoing_metadata()
            with incoming_metadata(metadata), serving("x.Service/Do"):
                pass
    call, request = sink.spans
    assert request.parent == call.id
    assert request.trace == call.trace
    assert request.attributes["rpc.system"] == "grpc"


async def test_an_error_is_told_by_its_type_and_never_by_what_it_says() -> None:
    with otlp_sink() as sink:
        async with tracing(sink):
            for error in (ValueError("my PIN is 4929"), MeshError(Reason.POOL_EXHAUSTED, "4929")):
                with pytest.raises(type(error)), span("turn"):
                    raise error
    assert all(span.failed for span in sink.spans)
    kinds = [span.attributes["error.type"] for span in sink.spans]
    assert kinds == ["ValueError", "POOL_EXHAUSTED"]
    assert "4929" not in repr(sink.spans)


def test_only_a_reason_of_ours_is_told_and_nothing_that_an_error_says() -> None:
    class Foreign(Exception):
        reason = "My PIN is 4929"

    assert failure_of(Foreign()) == "Foreign"
    assert failure_of(MeshError("says 4929", "")) == "MeshError", "a peer may send anything"
    assert failure_of(MeshError(Reason.POOL_EXHAUSTED, "")) == "POOL_EXHAUSTED"


async def test_work_that_is_taken_up_links_to_the_span_it_had() -> None:
    with otlp_sink() as sink:
        async with tracing(sink):
            with new_trace(), span("invoke_agent"):
                left = traceparent()
            with new_trace(), span("invoke_agent", linked=left):
                pass
            with new_trace(), span("invoke_agent", linked="no traceparent"):
                pass
    first, second, third = [span for span in sink.spans if span.name == "invoke_agent"]
    assert first.trace != second.trace
    assert second.links == ((first.trace, first.id),)
    assert first.links == third.links == ()


async def test_without_tracing_there_is_no_traceparent_to_keep() -> None:
    with new_trace():
        assert traceparent() == ""


async def test_details_are_told_only_within_a_span_that_is_recorded_here() -> None:
    with otlp_sink() as sink:
        async with tracing(sink, sample_ratio=0.0):
            with new_trace():
                assert not is_recording()
        async with tracing(sink):
            with new_trace():
                assert is_recording()
                metadata = outgoing_metadata()
            with incoming_metadata(metadata):
                assert not is_recording(), "the span is another service's"
    assert not is_recording()


async def test_a_span_of_the_past_has_its_ids_kind_and_failure() -> None:
    with otlp_sink() as sink:
        async with tracing(sink):
            with new_trace(), call_context(session="s-1"):
                began = time.monotonic() - 2
                whole = Past("whole", began, began + 1, {"a.b": 1}, "WHY", "client")
                tell_past(whole, [Past("part", began, began + 0.5)])
    part, told, call = sink.spans
    assert (told.parent, part.parent) == (call.id, told.id)
    assert told.end - told.begin == 10**9
    assert told.failed
    assert told.kind == 3
    assert told.attributes == {"a.b": 1, "error.type": "WHY", "voicemesh.session": "s-1"}
    assert part.attributes == {"voicemesh.session": "s-1"}


async def test_being_cancelled_is_no_failure() -> None:
    with otlp_sink() as sink:
        async with tracing(sink):
            with pytest.raises(asyncio.CancelledError), span("turn"):
                raise asyncio.CancelledError
    assert not sink.spans[0].failed


async def test_a_call_that_is_not_sampled_sends_nothing_and_tells_the_next_so() -> None:
    with otlp_sink() as sink:
        async with tracing(sink, sample_ratio=0):
            with new_trace():
                metadata = outgoing_metadata()
            with incoming_metadata(metadata), serving("x.Service/Do"):
                pass
    assert sink.spans == []
    flags = int(dict(metadata)["traceparent"].rpartition("-")[2], 16)
    assert not flags & 1, "the sampled flag of W3C trace context"


async def test_a_collector_that_hangs_holds_nobody_up_and_its_spans_are_counted() -> None:
    with otlp_sink() as sink:
        sink.hangs = threading.Event()
        began = time.monotonic()
        configured = start("gateway", "1", sink.endpoint, 1.0, Pace(10.0, flush_seconds=0.3))
        for _ in range(5000):
            with span("turn"):
                pass
        assert time.monotonic() - began < 3, "spans wait in a bounded queue, not the caller"
        ending = time.monotonic()
        await configured.aclose()
        assert time.monotonic() - ending < 2, "the collector was given its time, and no more"
        assert configured.lost_spans == 5000


async def test_spans_that_no_collector_takes_are_counted() -> None:
    with otlp_sink() as sink:
        sink.fails = True
        async with tracing(sink) as configured:
            with span("turn"):
                pass
    assert configured.lost_spans == 1


async def test_what_stands_in_our_code_passes_and_all_else_is_redacted() -> None:
    assert set(ATTRIBUTES) > CONSTANT
    with otlp_sink() as sink:
        async with tracing(sink):
            with span("turn", db__system__name="redis", customer__name="Ada", to="+1 415 555 2671"):
                pass
    told = sink.spans[0].attributes
    assert told == {
        "db.system.name": "redis", "customer.name": "[withheld]", "to": "[phone]",
    }  # fmt: skip


async def test_spans_are_counted_once_between_two_looks_and_at_the_end() -> None:
    with otlp_sink() as sink, kept_metrics() as kept:
        async with tracing(sink):
            for _ in range(2):
                with span("turn"):
                    pass
            metrics.sample(0.0)
            metrics.sample(0.0)
            assert kept.of("voicemesh_spans_total") == [(2, {"result": "ended"})]
            with span("turn"):
                pass
    told = kept.of("voicemesh_spans_total")[1:]
    assert told == [(1, {"result": "ended"}), (3, {"result": "sent"})]
    assert len(sink.spans) == 3


async def test_without_an_endpoint_nothing_is_configured() -> None:
    for nothing in ("", None):
        await configure_tracing("gateway", "1", nothing).aclose()
    assert not is_on()
    with span("turn"), new_trace():
        assert not is_on()


def test_without_an_endpoint_the_sdk_is_not_imported() -> None:
    code = (
        "import sys; from meshkit.telemetry import configure_tracing;"
        "configure_tracing('a'); assert 'opentelemetry.sdk' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.parametrize(
    ("endpoint", "ratio", "says"),
    [("collector:4317", 1.0, "http://"), ("http://c:1", 1.5, "sample_ratio")],
)
def test_what_makes_no_sense_is_refused(endpoint: str, ratio: float, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        configure_tracing("a", "1", endpoint, sample_ratio=ratio)


def test_the_usual_variable_of_opentelemetry_is_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4317")
    assert MeshSettings().otlp_endpoint == "http://collector:4317"


def test_the_code_uses_the_declared_names_and_no_other() -> None:
    source = "\n".join(
        path.read_text()
        for folder in ("libs", "services")
        for path in sorted((ROOT / folder).rglob("*.py"))
        if "voicemesh" not in path.relative_to(ROOT).parts
    )
    names = set(re.findall(r"(?<![\w.])(?:telemetry\.)?span\(\s*\"([^\"]+)\"", source))
    names |= set(re.findall(r"Past\(\s*\"([^\"]+)\"", source))
    names |= set(re.findall(r"\(\"(stage_\w+)\", ", source))
    assert names == {name.partition(" ")[0] for name in SPANS}
    given = set(re.findall(r"\b((?:voicemesh|gen_ai|rpc|db)(?:__\w+)+)=", source))
    set_there = set(re.findall(r"set_attribute\(\"([^\"]+)\"", source))
    in_past = set(
        re.findall(r"\"((?:voicemesh|rpc|server)\.\w+|gen_ai(?:\.\w+)+)\":(?! \()", source)
    )
    used = {name.replace("__", ".") for name in given} | set_there | in_past
    assert used <= set(ATTRIBUTES)
    assert set(ATTRIBUTES) - used == {"voicemesh.session"}, "from the baggage"
