"""A gateway with a ring, and what tells the ring of calls and metrics as the mesh's exporters do."""

from __future__ import annotations

import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2_grpc import MetricsServiceStub
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub

from tests.support.gateway_rig import Rig, rig

BAD = "<img src=x onerror=alert(1)>"
"""The name of an agent that would be markup where a page takes it for such."""


@asynccontextmanager
async def rig_with_ring(**settings: Any) -> AsyncIterator[tuple[Rig, grpc.aio.Channel]]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    async with rig(telemetry_ring_port=port, **settings) as mesh:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield mesh, channel


async def export_spans(channel: grpc.aio.Channel, session: str = "call-1", ago: float = 0) -> None:
    """A root span that began some seconds ago and a turn in it."""
    began = int((time.time() - ago) * 1e9)
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.add(key="service.name").value.string_value = "gateway"
    spans, trace = resource.scope_spans.add().spans, int(ago * 1e9).to_bytes(16)
    root = spans.add(trace_id=trace, span_id=b"r" * 8, name="call")
    answer = spans.add(trace_id=trace, span_id=b"a" * 8, parent_span_id=b"r" * 8, name="answer")
    answer.attributes.add(key="voicemesh.session").value.string_value = session
    answer.attributes.add(key="gen_ai.agent.name").value.string_value = BAD
    root.start_time_unix_nano, root.end_time_unix_nano = began, began + 9_000_000_000
    answer.start_time_unix_nano, answer.end_time_unix_nano = began, began + 400_000_000
    await TraceServiceStub(channel).Export(request)


async def export_metric(channel: grpc.aio.Channel, value: int) -> None:
    request = ExportMetricsServiceRequest()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="m", unit="1")
    metric.gauge.data_points.add(time_unix_nano=value).as_int = value
    await MetricsServiceStub(channel).Export(request)
