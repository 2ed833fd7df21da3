"""Where spans go: to a collector by OTLP over gRPC, from a bounded queue, by a thread of their own.

A collector that is slow or away costs spans, which are counted, and never a call. The SDK is imported
only where there is an endpoint.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from meshkit import metrics, telemetry
from meshkit.tasks import off_the_loop

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

    from meshkit.settings import MeshSettings

logger = logging.getLogger("voicemesh.meshkit.telemetry")  # `meshkit.logging` builds on us

QUEUE_SPANS = 2048
"""Spans that may wait for the collector; the oldest go first."""
EXPORT_SECONDS = 3.0
"""Time that one export may take."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How soon spans leave."""

    each_seconds: float
    """Spans are gathered for this long, or until a batch is full: an export costs more than the few
    spans in it. A pod that is killed takes with it what it had gathered."""
    flush_seconds: float
    """Time that a process which ends gives its last spans."""


TO_COLLECTOR = Pace(10.0, 4.0)
TO_RING = Pace(2.0, 0.1)
"""Where a person watches. The ring is near, or it has ended with the mesh and nobody would look."""


class Tracing:
    """What `configure_tracing` set up."""

    def __init__(self, flush_seconds: float = TO_COLLECTOR.flush_seconds) -> None:
        self._flush_seconds = flush_seconds
        self._provider: TracerProvider | None = None
        self._unwatch: Callable[[], None] = lambda: None
        self._told = (0, 0)
        self.ended_spans = 0
        """Sampled spans that were given to the queue."""
        self.sent_spans = 0
        """Of those, the ones that the collector took."""

    @property
    def lost_spans(self) -> int:
        """Those that no collector took. Final once closed; before, some may still be waiting."""
        return self.ended_spans - self.sent_spans

    def record_with(self, provider: TracerProvider) -> None:
        """Record spans by `provider`, until closed."""
        self._provider = provider
        self._unwatch = metrics.watch(self.count)
        telemetry.switch(provider.get_tracer("voicemesh"))

    async def aclose(self) -> None:
        """Give the last spans some seconds to leave, off the loop, and stop."""
        provider, self._provider = self._provider, None
        if provider is None:
            return
        telemetry.switch(None)
        self._unwatch()
        in_time = await off_the_loop(provider.shutdown, self._flush_seconds)
        self.count()
        if not in_time or self.lost_spans:
            logger.warning(
                "the collector did not take all spans", extra={"lost_spans": self.lost_spans}
            )

    def count(self) -> None:
        """Tell how many ended and left since the last time; a span by itself tells nobody."""
        now = (self.ended_spans, self.sent_spans)
        for result, new, before in zip(("ended", "sent"), now, self._told, strict=True):
            metrics.add("voicemesh_spans_total", new - before, result=result)
        self._told = now


@asynccontextmanager
async def traced(service: str, version: str, settings: MeshSettings) -> AsyncIterator[None]:
    """Trace as the settings say, within the block."""
    endpoint, pace = settings.telemetry_endpoint, TO_RING if settings.uses_ring else TO_COLLECTOR
    tracing = start(service, version, endpoint, settings.trace_sample_ratio, pace)
    try:
        yield
    finally:
        await tracing.aclose()


def start(
    service: str, version: str, endpoint: str, ratio: float, pace: Pace = TO_COLLECTOR
) -> Tracing:
    """See `telemetry.configure_tracing`."""
    tracing = Tracing(pace.flush_seconds)
    if not endpoint:
        return tracing
    if not endpoint.startswith(("http://", "https://")):
        raise ValueError("otlp_endpoint must begin with http:// or https://")
    if not 0 <= ratio <= 1:
        raise ValueError("sample_ratio must be 0 to 1")
    tracing.record_with(_provider(service, version, endpoint, ratio, pace, tracing))
    return tracing


def _provider(
    service: str, version: str, endpoint: str, ratio: float, pace: Pace, tracing: Tracing
) -> TracerProvider:
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
    from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

    class Counting(SpanExporter):
        """Counts what is taken."""

        def __init__(self, inner: SpanExporter) -> None:
            self._inner = inner

        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            result = self._inner.export(spans)
            if result is SpanExportResult.SUCCESS:
                tracing.sent_spans += len(spans)
            return result

        def shutdown(self) -> None:
            self._inner.shutdown()

    class Queue(BatchSpanProcessor):
        """Counts what is put in. Spans are only recorded where they are sampled."""

        def on_end(self, span: ReadableSpan) -> None:
            tracing.ended_spans += 1
            super().on_end(span)

    resource = Resource.create({"service.name": service, "service.version": version})
    provider = TracerProvider(
        sampler=ParentBased(TraceIdRatioBased(ratio)),
        resource=resource,
        shutdown_on_exit=False,
    )
    exporter: Any = OTLPSpanExporter(
        endpoint=endpoint, insecure=endpoint.startswith("http://"), timeout=EXPORT_SECONDS
    )
    provider.add_span_processor(
        Queue(
            Counting(exporter),
            max_queue_size=QUEUE_SPANS,
            schedule_delay_millis=pace.each_seconds * 1000,
            export_timeout_millis=EXPORT_SECONDS * 1000,
        )
    )
    return provider
