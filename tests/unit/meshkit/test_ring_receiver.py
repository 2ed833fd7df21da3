"""The receiver, spoken to by the real exporters and by senders that do not keep to the protocol."""

from __future__ import annotations

import asyncio
import math
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2_grpc import MetricsServiceStub
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub

from meshkit import metrics, telemetry
from meshkit.context import call_context, new_trace
from meshkit.metrics_export import measured
from meshkit.ring_receiver import (
    AT_ONCE,
    MAX_ATTRIBUTES,
    MAX_BUCKETS,
    MAX_MESSAGE_BYTES,
    MAX_TEXT,
    TelemetryRing,
    ring_served,
)
from meshkit.settings import MeshSettings
from meshkit.startup import StartupError
from meshkit.telemetry import configure_tracing


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as opened:
        port: int = opened.getsockname()[1]
        return port


@asynccontextmanager
async def served() -> AsyncIterator[tuple[TelemetryRing, grpc.aio.Channel, str]]:
    port = free_port()
    async with ring_served(port) as ring:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield ring, channel, f"http://127.0.0.1:{port}"


async def test_spans_of_the_real_exporter() -> None:
    async with served() as (ring, _, endpoint):
        tracing = configure_tracing("gateway", "1.2.3", endpoint)
        with new_trace(), call_context(session="s1"):
            with telemetry.span("turn", voicemesh__agent="concierge"):
                telemetry.failed("PEER_UNREACHABLE")
        await tracing.aclose()
        assert tracing.lost_spans == 0
    (trace,) = ring.spans.of_session("s1")
    by_name = {span.name: span for span in trace.spans}
    turn, call = by_name["turn"], by_name["call"]
    assert trace.root is call
    assert (turn.service, turn.parent, turn.failed) == ("gateway", call.id, True)
    assert turn.attributes["voicemesh.agent"] == "concierge"
    assert turn.attributes["error.type"] == "PEER_UNREACHABLE"
    assert call.began <= turn.began <= turn.ended <= call.ended


async def test_metrics_of_the_real_exporter() -> None:
    async with served() as (ring, _, endpoint):
        async with measured("gateway", "1.2.3", MeshSettings(otlp_endpoint=endpoint)):
            metrics.gauge("voicemesh_calls_live", 3)
            metrics.add("voicemesh_turns_total", agent="concierge", outcome="completed")
            metrics.record(
                "voicemesh_turn_stage_seconds", 0.45, agent="concierge", stage="first_frame"
            )
    told = {one.newest.name: one.newest for one in ring.series.series()}
    live, turns = told["voicemesh_calls_live"], told["voicemesh_turns_total"]
    assert (live.kind, live.value, live.service) == ("gauge", 3, "gateway")
    assert (turns.kind, turns.value) == ("counter", 1)
    assert turns.labels == {"agent": "concierge", "outcome": "completed"}
    stage = told["voicemesh_turn_stage_seconds"]
    assert (stage.kind, stage.unit, stage.count) == ("histogram", "s", 1)
    assert stage.at_most(0.5) == 0.5


async def test_a_port_that_is_taken() -> None:
    port = free_port()
    async with ring_served(port):
        with pytest.raises(StartupError, match="VOICEMESH_TELEMETRY_RING_PORT"):
            async with ring_served(port):
                pass


def spans_request(count: int = 1) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    for number in range(count):
        span = scope.spans.add(trace_id=b"t" * 16, span_id=number.to_bytes(8), name="turn")
        span.attributes.add(key="voicemesh.session").value.string_value = "s1"
    return request


async def test_spans_without_ids_are_refused_and_the_others_kept() -> None:
    request = spans_request(3)
    spans = request.resource_spans[0].scope_spans[0].spans
    spans[0].trace_id = b"short"
    spans[1].span_id = b""
    async with served() as (ring, channel, _):
        answer = await TraceServiceStub(channel).Export(request)
    assert answer.partial_success.rejected_spans == 2
    assert answer.partial_success.error_message
    assert ring.spans.spans == 1


async def test_what_a_sender_makes_up_is_cut() -> None:
    request = spans_request()
    span = request.resource_spans[0].scope_spans[0].spans[0]
    span.name, span.start_time_unix_nano, span.end_time_unix_nano = "n" * 9_999, 20, 10
    span.parent_span_id = b"?"
    span.attributes.add(key="text").value.string_value = "x" * 9_999
    span.attributes.add(key="list").value.array_value.values.add().string_value = "inside"
    span.attributes.add(key="nan").value.double_value = math.nan
    for number in range(100):
        span.attributes.add(key=f"k{number}").value.int_value = number
    async with served() as (ring, channel, _):
        await TraceServiceStub(channel).Export(request)
    (kept,) = ring.spans.calls()[0].spans
    assert (len(kept.name), kept.parent, kept.began, kept.ended) == (MAX_TEXT, "", 20, 20)
    assert len(kept.attributes) == MAX_ATTRIBUTES
    assert kept.attributes["text"] == "x" * MAX_TEXT
    assert kept.attributes["list"] == "(array_value)"
    assert kept.attributes["nan"] == "(double_value)"
    assert kept.service == "unknown"


async def test_a_message_that_is_too_large_is_refused_as_a_whole() -> None:
    request = spans_request()
    span = request.resource_spans[0].scope_spans[0].spans[0]
    span.attributes.add(key="text").value.string_value = "x" * (MAX_MESSAGE_BYTES + 1)
    async with served() as (ring, channel, _):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await TraceServiceStub(channel).Export(request)
        assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert ring.spans.spans == 0


async def test_a_large_export_lets_the_loop_go_on() -> None:
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async with served() as (ring, channel, _):
        running = asyncio.create_task(others())
        await TraceServiceStub(channel).Export(spans_request(AT_ONCE * 8))
        running.cancel()
    assert ring.spans.spans == AT_ONCE * 8
    assert turns >= 8


async def test_metrics_that_are_not_kept_are_refused() -> None:
    request = ExportMetricsServiceRequest()
    found = request.resource_metrics.add().scope_metrics.add().metrics
    found.add(name="summary").summary.data_points.add()
    found.add(name="empty")
    delta = found.add(name="delta").sum
    delta.aggregation_temporality = 1
    delta.data_points.add().as_int = 1
    found.add(name="nan").gauge.data_points.add().as_double = math.nan
    found.add(name="no value").gauge.data_points.add()
    many = found.add(name="many buckets").histogram.data_points.add()
    many.bucket_counts.extend(range(MAX_BUCKETS + 1))
    endless = found.add(name="endless").histogram.data_points.add()
    endless.explicit_bounds.append(math.inf)
    found.add(name="good").gauge.data_points.add().as_int = 7
    async with served() as (ring, channel, _):
        answer = await MetricsServiceStub(channel).Export(request)
    assert answer.partial_success.rejected_data_points == 6
    (one,) = ring.series.series()
    assert (one.newest.name, one.newest.value) == ("good", 7)


def test_it_listens_on_loopback_only() -> None:
    source = Path(telemetry.__file__).with_name("ring_receiver.py").read_text()
    assert source.count("add_insecure_port") == 1
    assert 'add_insecure_port(f"127.0.0.1:' in source
