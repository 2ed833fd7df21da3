"""Traces: one for each call, a span for the call, each turn, model answer, tool and request.

    configure_tracing(service_name="gateway", service_version="1.0.0", otlp_endpoint="http://otel:4317")
    with span("turn", agent="concierge"): ...

Without an endpoint nothing is configured, the SDK is not imported and a span costs a look at a
variable. Spans leave by a thread of their own, from a bounded queue: a collector that is slow or away
costs spans, which are counted, and never a call. Errors are told by their type, because what they say
may repeat what a caller said.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from opentelemetry import baggage, context, trace
from opentelemetry.trace import SpanKind, Status, StatusCode

from meshkit import metrics
from meshkit.redaction import redact_attributes
from meshkit.tasks import off_the_loop

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

    from meshkit.settings import MeshSettings

logger = logging.getLogger("voicemesh.meshkit.telemetry")  # `meshkit.logging` builds on us

QUEUE_SPANS = 2048
"""Spans that may wait for the collector; the oldest go first."""
EXPORT_EACH_SECONDS = 10.0
"""Spans are gathered for this long, or until a batch is full: an export costs more than the few spans
in it. A pod that is killed takes with it what it had gathered."""
EXPORT_SECONDS = 3.0
"""Time that one export may take."""
FLUSH_SECONDS = 4.0
"""Time that a process which ends gives its last spans."""
RING_EACH_SECONDS = 2.0
"""Instead of EXPORT_EACH_SECONDS where a person watches: spans go to the ring of a local mesh."""
RING_FLUSH_SECONDS = 0.3
"""Instead of FLUSH_SECONDS: the ring is near, or it has ended with the mesh and nobody would look."""

SPANS = {
    "call": "gateway: the life of a call, the root of its trace",
    "turn": "orchestrator: an agent's answer, from its cause to its last segment",
    "chat": "orchestrator: one answer of the model (GenAI conventions)",
    "execute_tool": "tool-executor: the body of a tool (GenAI conventions)",
    "answer": "gateway: a turn as the caller had it, from the end of speech to its first frame",
    "stage_final": "gateway: of `answer`, from the end of speech to the final transcript",
    "stage_first_token": "gateway: then to the model's first token",
    "stage_first_segment": "gateway: then to the first segment of the answer",
    "stage_first_audio": "gateway: then to its first audio from the synthesiser",
    "stage_first_frame": "gateway: then to its first frame on the caller's socket",
}
"""Every span of ours by name and meaning; a request's span is called `{package.Service}/{Method}`."""

ATTRIBUTES = {
    "voicemesh.session": ("string", "id of the session"),
    "voicemesh.turn": ("string", "id of the turn within the session"),
    "voicemesh.agent": ("string", "name of the agent that answers"),
    "voicemesh.outcome": ("string", "completed, interrupted or failed"),
    "voicemesh.slow": ("bool", "whether the first frame came later than a caller takes for prompt"),
    "voicemesh.resumed": ("bool", "whether the turn was taken up where another pod left it"),
    "error.type": ("string", "type of what ended the span, or the reason that was answered"),
    "rpc.system": ("string", "grpc"),
    "gen_ai.operation.name": ("string", "chat or execute_tool"),
    "gen_ai.tool.name": ("string", "name of the tool"),
    "gen_ai.provider.name": ("string", "whose model it is; `local`: on this machine"),
    "gen_ai.response.model": ("string", "the model that answered"),
    "gen_ai.usage.input_tokens": ("int", "tokens that the model read"),
    "gen_ai.usage.output_tokens": ("int", "tokens that the model wrote"),
}
"""Every attribute of our spans: type and meaning."""

_FROM_BAGGAGE = ("session", "turn")
_OFF: AbstractContextManager[None] = nullcontext()


class Tracing:
    """What `configure_tracing` set up."""

    def __init__(
        self, provider: TracerProvider | None = None, flush_seconds: float = FLUSH_SECONDS
    ) -> None:
        self._provider = provider
        self._flush_seconds = flush_seconds
        self.ended_spans = 0
        """Sampled spans that were given to the queue."""
        self.sent_spans = 0
        """Of those, the ones that the collector took."""

    @property
    def lost_spans(self) -> int:
        """Those that no collector took. Final once closed; before, some may still be waiting."""
        return self.ended_spans - self.sent_spans

    async def aclose(self) -> None:
        """Give the last spans some seconds to leave, off the loop, and stop."""
        provider, self._provider = self._provider, None
        if provider is None:
            return
        _State.tracer = None
        in_time = await off_the_loop(provider.shutdown, self._flush_seconds)
        if not in_time or self.lost_spans:
            logger.warning(
                "the collector did not take all spans", extra={"lost_spans": self.lost_spans}
            )


class _State:
    tracer: trace.Tracer | None = None


def configure_tracing(
    service_name: str,
    service_version: str = "",
    otlp_endpoint: str | None = None,
    *,
    sample_ratio: float = 1.0,
    export_each_seconds: float = EXPORT_EACH_SECONDS,
    flush_seconds: float = FLUSH_SECONDS,
) -> Tracing:
    """Send this process's spans to `otlp_endpoint` (gRPC; `http://` is plain, `https://` TLS).

    An empty endpoint configures nothing. `sample_ratio`, 0 to 1, of the calls are traced; a request
    follows the decision of its caller. Raises ValueError for an endpoint or ratio that is none.
    """
    if not otlp_endpoint:
        return Tracing()
    if not otlp_endpoint.startswith(("http://", "https://")):
        raise ValueError("otlp_endpoint must begin with http:// or https://")
    if not 0 <= sample_ratio <= 1:
        raise ValueError("sample_ratio must be 0 to 1")
    tracing = Tracing(flush_seconds=flush_seconds)
    provider = _provider(
        service_name, service_version, otlp_endpoint, sample_ratio, export_each_seconds, tracing
    )
    tracing._provider = provider
    _State.tracer = provider.get_tracer("voicemesh")
    return tracing


@asynccontextmanager
async def traced(service: str, version: str, settings: MeshSettings) -> AsyncIterator[None]:
    """Trace as the settings say, within the block."""
    near = settings.uses_ring
    tracing = configure_tracing(
        service,
        version,
        settings.telemetry_endpoint,
        sample_ratio=settings.trace_sample_ratio,
        export_each_seconds=RING_EACH_SECONDS if near else EXPORT_EACH_SECONDS,
        flush_seconds=RING_FLUSH_SECONDS if near else FLUSH_SECONDS,
    )
    try:
        yield
    finally:
        await tracing.aclose()


def is_on() -> bool:
    """Whether spans are recorded."""
    return _State.tracer is not None


def span(
    name: str,
    kind: SpanKind = SpanKind.INTERNAL,
    began: float | None = None,
    **attributes: str,
) -> AbstractContextManager[None]:
    """A span around the block, child of the one at hand; `gen_ai__tool__name` for dots in names.

    `began`: seconds of `time.monotonic`; None: now.
    """
    tracer = _State.tracer
    if tracer is None:
        return _OFF
    return _recorded(
        tracer, name, kind, None if began is None else _wall(began, _epoch()), attributes
    )


def annotate(**attributes: str | int | bool) -> None:
    """Set attributes of the span at hand, named as in `span`; empty ones are left out."""
    if _State.tracer is not None:
        given = {k.replace("__", "."): v for k, v in attributes.items() if v != ""}
        trace.get_current_span().set_attributes(redact_attributes(given))


def failed(reason: str) -> None:
    """Mark the span at hand as failed, where no exception says so."""
    if _State.tracer is not None:
        annotate(error__type=reason)
        trace.get_current_span().set_status(Status(StatusCode.ERROR))


@dataclass(frozen=True, slots=True)
class Past:
    """A span of what is over. Times are `time.monotonic` seconds."""

    name: str
    began: float
    ended: float
    attributes: Mapping[str, str | bool] = field(default_factory=dict)
    """By their full names."""
    failure: str = ""
    """Why it failed; empty: it did not."""


def tell_past(whole: Past, parts: Sequence[Past] = ()) -> None:
    """Record a span of the past, child of the one at hand, with `parts` as its children."""
    tracer = _State.tracer
    if tracer is None:
        return
    epoch = _epoch()
    recorded = tracer.start_span(
        whole.name,
        attributes=redact_attributes(whole.attributes),
        start_time=_wall(whole.began, epoch),
    )
    inside = trace.set_span_in_context(recorded)
    for part in parts:
        tracer.start_span(
            part.name,
            inside,
            attributes=part.attributes,
            start_time=_wall(part.began, epoch),
        ).end(_wall(part.ended, epoch))
    if whole.failure:
        recorded.set_attribute("error.type", whole.failure)
        recorded.set_status(Status(StatusCode.ERROR))
    recorded.end(_wall(whole.ended, epoch))


def _epoch() -> int:
    """Nanoseconds to add to the monotonic clock for the wall clock as it stands now. Looked at once
    for spans that must fit each other, since it may be set meanwhile."""
    return time.time_ns() - time.monotonic_ns()


def _wall(monotonic: float, epoch: int) -> int:
    return epoch + round(monotonic * 1e9)


def server_span(method: str) -> AbstractContextManager[None]:
    """A span around the handling of a request."""
    return span(method, SpanKind.SERVER, rpc__system="grpc")


@contextmanager
def _recorded(
    tracer: trace.Tracer,
    name: str,
    kind: SpanKind,
    start_time: int | None,
    attributes: dict[str, str],
) -> Iterator[None]:
    named = redact_attributes({k.replace("__", "."): v for k, v in attributes.items()})
    with tracer.start_as_current_span(
        name,
        kind=kind,
        attributes=named,
        start_time=start_time,
        record_exception=False,
        set_status_on_exception=False,
    ) as current:
        try:
            yield
        except (asyncio.CancelledError, GeneratorExit):
            raise
        except BaseException as error:
            current.set_attribute("error.type", str(getattr(error, "reason", "") or _type(error)))
            current.set_status(Status(StatusCode.ERROR))
            raise


def _type(error: BaseException) -> str:
    return type(error).__name__


def _provider(
    service: str, version: str, endpoint: str, ratio: float, each_seconds: float, tracing: Tracing
) -> TracerProvider:
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
    from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

    class Counting(SpanExporter):
        """Counts what is not taken."""

        def __init__(self, inner: SpanExporter) -> None:
            self._inner = inner

        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            result = self._inner.export(spans)
            if result is SpanExportResult.SUCCESS:
                tracing.sent_spans += len(spans)
                metrics.add("voicemesh_spans_total", len(spans), result="sent")
            return result

        def shutdown(self) -> None:
            self._inner.shutdown()

    class CallIds(SpanProcessor):
        """Puts the ids of the call at hand on every span, and counts those that end."""

        def on_start(self, span: Span, parent_context: context.Context | None = None) -> None:
            for name in _FROM_BAGGAGE:
                value = baggage.get_baggage(f"voicemesh.{name}", parent_context)
                if value:
                    span.set_attribute(f"voicemesh.{name}", str(value))

        def on_end(self, span: ReadableSpan) -> None:
            if span.context is not None and span.context.trace_flags.sampled:
                tracing.ended_spans += 1
                metrics.add("voicemesh_spans_total", result="ended")

    resource = Resource.create({"service.name": service, "service.version": version})
    provider = TracerProvider(
        sampler=ParentBased(TraceIdRatioBased(ratio)),
        resource=resource,
        shutdown_on_exit=False,
    )
    provider.add_span_processor(CallIds())
    exporter: Any = OTLPSpanExporter(
        endpoint=endpoint, insecure=endpoint.startswith("http://"), timeout=EXPORT_SECONDS
    )
    provider.add_span_processor(
        BatchSpanProcessor(
            Counting(exporter),
            max_queue_size=QUEUE_SPANS,
            schedule_delay_millis=each_seconds * 1000,
            export_timeout_millis=EXPORT_SECONDS * 1000,
        )
    )
    return provider
