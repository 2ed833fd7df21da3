"""The door of the ring: an OTLP receiver over gRPC, on loopback, that parses what the mesh exports.

    async with ring_served(14317) as ring:
        ring.spans.calls()

The protocol's own stubs read the messages (opentelemetry-proto, OTLP 1.x). What is malformed, or of a
kind that the mesh does not export, is refused as a partial success, which a sender does not send
again. Texts are cut, so that no sender makes the ring larger than its bounds say. What came is not
redacted here: senders did that.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import islice
from sys import intern
from typing import Any

import grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.metrics.v1 import metrics_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

from meshkit.ring import AttributeValue, RingSpan, SpanRing
from meshkit.ring_series import Kind, RingPoint, SeriesRing
from meshkit.startup import StartupError

MAX_MESSAGE_BYTES = 4 << 20
MAX_EXPORTS = 16
"""At a time; more are refused, and tried again by who sent them."""
MAX_ATTRIBUTES = 32
"""Of one span or point."""
MAX_BUCKETS = 64
MAX_TEXT = 256
"""Characters of one name or value."""
AT_ONCE = 64
"""Spans or points that are taken without letting the loop do something else."""
_TRACE_BYTES, _SPAN_BYTES = 16, 8
_STOP_SECONDS = 0.2
_KINDS: dict[str, Kind] = {"sum": "counter", "gauge": "gauge", "histogram": "histogram"}


@dataclass(frozen=True, slots=True)
class TelemetryRing:
    """What the mesh told of late."""

    spans: SpanRing = field(default_factory=SpanRing)
    series: SeriesRing = field(default_factory=SeriesRing)


@asynccontextmanager
async def ring_served(port: int) -> AsyncIterator[TelemetryRing]:
    """A ring that is filled by whoever exports to this port of 127.0.0.1 within the block.

    Raises StartupError where the port cannot be listened on.
    """
    ring = TelemetryRing()
    server = grpc.aio.server(
        options=[("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES)],
        maximum_concurrent_rpcs=MAX_EXPORTS,
    )
    traces, measures = _Traces(ring.spans), _Metrics(ring.series)
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(traces, server)  # type: ignore[no-untyped-call]
    metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server(measures, server)  # type: ignore[no-untyped-call]
    try:
        server.add_insecure_port(f"127.0.0.1:{port}")
    except RuntimeError:
        raise StartupError(
            f"the ring of telemetry cannot listen on 127.0.0.1:{port}: stop what holds the port, or"
            " set VOICEMESH_TELEMETRY_RING_PORT to another; empty: no ring."
        ) from None
    await server.start()
    try:
        yield ring
    finally:
        await server.stop(_STOP_SECONDS)


class _Traces(trace_service_pb2_grpc.TraceServiceServicer):
    def __init__(self, ring: SpanRing) -> None:
        self._ring = ring

    async def Export(self, request: Any, context: Any) -> Any:  # noqa: N802 - the protocol's name
        refused = await _taken(spans_of(request), self._ring.take)
        answer = trace_service_pb2.ExportTraceServiceResponse()
        if refused:
            answer.partial_success.rejected_spans = refused
            answer.partial_success.error_message = "spans without valid ids"
        return answer


class _Metrics(metrics_service_pb2_grpc.MetricsServiceServicer):
    def __init__(self, ring: SeriesRing) -> None:
        self._ring = ring

    async def Export(self, request: Any, context: Any) -> Any:  # noqa: N802 - the protocol's name
        refused = await _taken(points_of(request), self._ring.take)
        answer = metrics_service_pb2.ExportMetricsServiceResponse()
        if refused:
            answer.partial_success.rejected_data_points = refused
            answer.partial_success.error_message = (
                "only cumulative sums, gauges and histograms with explicit buckets are kept"
            )
        return answer


async def _taken(came: Iterator[Any], take: Callable[[list[Any]], None]) -> int:
    """Give what came to the ring, a few at a time. How many were refused."""
    refused = 0
    while some := list(islice(came, AT_ONCE)):
        good = [one for one in some if one is not None]
        refused += len(some) - len(good)
        take(good)
        await asyncio.sleep(0)
    return refused


def spans_of(request: trace_service_pb2.ExportTraceServiceRequest) -> Iterator[RingSpan | None]:
    """The spans of an export; None for one without valid ids."""
    for resource in request.resource_spans:
        service = _service(resource)
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield _span(service, span)


def points_of(
    request: metrics_service_pb2.ExportMetricsServiceRequest,
) -> Iterator[RingPoint | None]:
    """The points of an export; None for one of a kind that is not kept, or without a number."""
    for resource in request.resource_metrics:
        service = _service(resource)
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                yield from _points(service, metric)


def _span(service: str, span: trace_pb2.Span) -> RingSpan | None:
    if len(span.trace_id) != _TRACE_BYTES or len(span.span_id) != _SPAN_BYTES:
        return None
    return RingSpan(
        service=service,
        name=_name(span.name),
        trace=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex() if len(span.parent_span_id) == _SPAN_BYTES else "",
        began=span.start_time_unix_nano,
        ended=max(span.start_time_unix_nano, span.end_time_unix_nano),
        attributes=_attributes(span.attributes),
        failed=span.status.code == trace_pb2.Status.STATUS_CODE_ERROR,
    )


def _points(service: str, metric: metrics_pb2.Metric) -> Iterator[RingPoint | None]:
    held = metric.WhichOneof("data")
    data: Any = getattr(metric, held) if held else None
    kind = _KINDS.get(held or "")
    delta = metrics_pb2.AGGREGATION_TEMPORALITY_DELTA
    if kind and getattr(data, "aggregation_temporality", None) == delta:
        kind = None
    for point in getattr(data, "data_points", ()):
        yield None if kind is None else _point(service, metric, kind, point)


def _point(service: str, metric: metrics_pb2.Metric, kind: Kind, point: Any) -> RingPoint | None:
    histogram = kind == "histogram"
    numbers = _histogram(point) if histogram else _number(point)
    if numbers is None:
        return None
    return RingPoint(
        service,
        _name(metric.name),
        _name(metric.unit),
        kind,
        {key: str(label) for key, label in _attributes(point.attributes).items()},
        point.time_unix_nano / 1e9,
        *numbers,
    )


_Numbers = tuple[float, int, tuple[float, ...], tuple[int, ...]]


def _number(point: Any) -> _Numbers | None:
    held = point.WhichOneof("value")
    value = float(getattr(point, held)) if held else math.nan
    return (value, 0, (), ()) if math.isfinite(value) else None


def _histogram(point: Any) -> _Numbers | None:
    if len(point.bucket_counts) > MAX_BUCKETS:
        return None
    if not all(map(math.isfinite, (point.sum, *point.explicit_bounds))):
        return None
    return point.sum, point.count, tuple(point.explicit_bounds), tuple(point.bucket_counts)


def _service(resource: Any) -> str:
    named = _attributes(resource.resource.attributes)
    return intern(str(named.get("service.name", "unknown")))


def _attributes(pairs: Any) -> dict[str, AttributeValue]:
    """The first attributes; a list, a map or bytes is told by its kind."""
    return {_name(pair.key): _value(pair.value) for pair in islice(pairs, MAX_ATTRIBUTES)}


def _value(value: Any) -> AttributeValue:
    held = value.WhichOneof("value")
    if held == "string_value":
        return _name(value.string_value)  # ids and names, which many spans share
    if held in ("bool_value", "int_value"):
        return getattr(value, held)  # type: ignore[no-any-return]
    if held == "double_value" and math.isfinite(value.double_value):
        return float(value.double_value)
    return f"({held or 'empty'})"


def _name(text: str) -> str:
    """A short text, kept once however many spans have it."""
    return intern(text[:MAX_TEXT])
