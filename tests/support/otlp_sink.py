"""An OTLP receiver over gRPC that parses what it is sent by the protocol's own stubs, for tests."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from opentelemetry.proto.collector.metrics.v1 import (
    metrics_service_pb2,
    metrics_service_pb2_grpc,
)
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

from tests.support.sink_scan import SCAN


@dataclass(frozen=True)
class ReceivedSpan:
    """A span as it came over the wire."""

    service: str
    name: str
    trace: str
    id: str
    parent: str
    kind: int
    attributes: dict[str, Any]
    failed: bool
    begin: int
    end: int
    links: tuple[tuple[str, str], ...] = ()
    """Trace and span of each."""


@dataclass(frozen=True)
class ReceivedPoint:
    """A series of a metric as it came over the wire."""

    service: str
    name: str
    unit: str
    labels: dict[str, Any]
    value: float
    """Of a histogram the sum."""
    count: int
    """Of a histogram; else 0."""
    exemplar_traces: tuple[str, ...]


@dataclass
class OtlpSink:
    """What came, and how to misbehave."""

    endpoint: str = ""
    spans: list[ReceivedSpan] = field(default_factory=list)
    points: list[ReceivedPoint] = field(default_factory=list)
    requests: list[Any] = field(default_factory=list)
    """All that came, as the protocol's messages."""
    hangs: threading.Event | None = None
    """Exports wait for this."""
    fails: bool = False

    @property
    def text(self) -> str:
        """All that came, events and states too, as text."""
        return "\n".join(map(str, self.requests))

    def of_trace(self, trace: str) -> list[ReceivedSpan]:
        return [span for span in self.spans if span.trace == trace]

    def misbehave(self, context: Any) -> None:
        """Hang or fail, if told to."""
        if self.hangs:
            self.hangs.wait(30)
        if self.fails:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "told to fail")


class _Metrics(metrics_service_pb2_grpc.MetricsServiceServicer):
    def __init__(self, sink: OtlpSink) -> None:
        self._sink = sink

    def Export(self, request: Any, context: Any) -> Any:
        self._sink.misbehave(context)
        self._sink.requests.append(request)
        for resource in request.resource_metrics:
            service = _attributes(resource.resource.attributes)["service.name"]
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    self._sink.points += _points(service, metric)
        return metrics_service_pb2.ExportMetricsServiceResponse()


class _Traces(trace_service_pb2_grpc.TraceServiceServicer):
    def __init__(self, sink: OtlpSink) -> None:
        self._sink = sink

    def Export(self, request: Any, context: Any) -> Any:
        self._sink.misbehave(context)
        self._sink.requests.append(request)
        for resource in request.resource_spans:
            named = _attributes(resource.resource.attributes)
            for scope in resource.scope_spans:
                self._sink.spans += [_received(named["service.name"], span) for span in scope.spans]
        return trace_service_pb2.ExportTraceServiceResponse()


@contextmanager
def otlp_sink() -> Iterator[OtlpSink]:
    """The receiver, on a free port, in threads of its own."""
    sink = OtlpSink()
    server = grpc.server(futures.ThreadPoolExecutor(4))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(_Traces(sink), server)
    metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server(_Metrics(sink), server)
    sink.endpoint = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield sink
    finally:
        if sink.hangs:
            sink.hangs.set()
        server.stop(0).wait(5)
        SCAN.read("otlp", sink.text)


def _received(service: str, span: Any) -> ReceivedSpan:
    return ReceivedSpan(
        service=service,
        name=span.name,
        trace=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        kind=span.kind,
        attributes=_attributes(span.attributes),
        failed=span.status.code == 2,
        begin=span.start_time_unix_nano,
        end=span.end_time_unix_nano,
        links=tuple((link.trace_id.hex(), link.span_id.hex()) for link in span.links),
    )


def _points(service: str, metric: Any) -> Iterator[ReceivedPoint]:
    data = getattr(metric, metric.WhichOneof("data"))
    for point in data.data_points:
        histogram = hasattr(point, "explicit_bounds")
        yield ReceivedPoint(
            service=service,
            name=metric.name,
            unit=metric.unit,
            labels=_attributes(point.attributes),
            value=point.sum if histogram else getattr(point, point.WhichOneof("value")),
            count=point.count if histogram else 0,
            exemplar_traces=tuple(one.trace_id.hex() for one in point.exemplars),
        )


def _attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}
