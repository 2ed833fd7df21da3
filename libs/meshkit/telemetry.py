"""Traces: one for each call, a span for the call, each turn, model answer, tool and request.

    configure_tracing(service_name="gateway", service_version="1.0.0", otlp_endpoint="http://otel:4317")
    with span("invoke_agent", of="concierge", gen_ai__agent__name="concierge"): ...

Here spans are recorded; `trace_export` is where they go. Until it switches recording on, the SDK is not
imported and a span costs a look at a variable. Errors are told by their reason or type, because what
they say may repeat what a caller said. `spans_table` declares all names.
"""

from __future__ import annotations

import asyncio
import functools
import re
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from contextvars import Token
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Literal

from opentelemetry import baggage, context, trace
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from meshkit.errors import MeshError
from meshkit.redaction import redact_attributes
from meshkit.spans_table import CONSTANT

if TYPE_CHECKING:
    from meshkit.trace_export import Tracing

Value = str | int | float | bool
Kind = Literal["internal", "server", "client"]

_KINDS = {"internal": SpanKind.INTERNAL, "server": SpanKind.SERVER, "client": SpanKind.CLIENT}
_FROM_BAGGAGE = ("voicemesh.session", "voicemesh.turn")
_KNOWN_VALUES = 1024
"""Values of attributes of which is kept how they may be told: most are names that come again."""
_KNOWN_CHARACTERS = 64
"""Longer ones are no names, and are not kept in memory."""
_REASON = re.compile(r"[A-Z][A-Z0-9_]{0,62}")
"""A reason as ErrorInfo has it; a peer may send anything."""
_OFF: AbstractContextManager[None] = nullcontext()
_W3C = TraceContextTextMapPropagator()


class _State:
    tracer: trace.Tracer | None = None


def configure_tracing(
    service_name: str,
    service_version: str = "",
    otlp_endpoint: str | None = None,
    *,
    sample_ratio: float = 1.0,
) -> Tracing:
    """Send this process's spans to `otlp_endpoint` (gRPC; `http://` is plain, `https://` TLS).

    An empty endpoint configures nothing. `sample_ratio`, 0 to 1, of the calls are traced; a request
    follows the decision of its caller. Raises ValueError for an endpoint or ratio that is none.
    """
    from meshkit.trace_export import start  # it builds on what is here

    return start(service_name, service_version, otlp_endpoint or "", sample_ratio)


def switch(tracer: trace.Tracer | None) -> None:
    """Record with `tracer` from now on; None: nothing."""
    _State.tracer = tracer


def is_on() -> bool:
    """Whether spans are recorded."""
    return _State.tracer is not None


def is_of_a_trace() -> bool:
    """Whether there is a span at hand, of this service or another; without one, work is of no call."""
    return _State.tracer is not None and trace.get_current_span().get_span_context().is_valid


def is_recording() -> bool:
    """Whether the span at hand is recorded here: what is a detail of it may be told."""
    return _State.tracer is not None and trace.get_current_span().is_recording()


def span(
    name: str,
    kind: Kind = "internal",
    began: float | None = None,
    of: str = "",
    linked: str = "",
    **attributes: Value,
) -> AbstractContextManager[None]:
    """A span around the block, child of the one at hand; `gen_ai__tool__name` for dots in names.

    `began`: seconds of `time.monotonic`; None: now. `of` goes behind the name: `execute_tool transfer`.
    `linked`: the `traceparent` of the work that this one takes up; what is none is passed over.
    """
    tracer = _State.tracer
    if tracer is None:
        return _OFF
    return _Recorded(
        tracer,
        f"{name} {of}" if of else name,
        _KINDS[kind],
        _named(attributes),
        None if began is None else _wall(began, _epoch()),
        links_to(linked) if linked else None,
    )


def request_span(
    method: str, kind: Kind, attributes: dict[str, Value]
) -> AbstractContextManager[None]:
    """A span of a request. `attributes` are by their full names and constant, or addresses of ours:
    they are not looked through."""
    tracer = _State.tracer
    return _OFF if tracer is None else _Recorded(tracer, method, _KINDS[kind], attributes)


def annotate(**attributes: Value) -> None:
    """Set attributes of the span at hand, named as in `span`; empty ones are left out."""
    if _State.tracer is not None:
        trace.get_current_span().set_attributes(_named(attributes))


def failed(reason: str) -> None:
    """Mark the span at hand as failed, where no exception says so."""
    if _State.tracer is not None:
        _mark(trace.get_current_span(), reason)


def link(written: str) -> None:
    """Link the span at hand to earlier work, by what `traceparent` gave; nothing to anything else."""
    if is_recording() and written:
        for found in links_to(written):
            trace.get_current_span().add_link(found.context)


def traceparent() -> str:
    """The span at hand as W3C has it, for work that may be taken up elsewhere; empty: none."""
    carrier: dict[str, str] = {}
    if _State.tracer is not None:
        _W3C.inject(carrier)
    return carrier.get("traceparent", "")


def links_to(written: str) -> list[trace.Link]:
    """A link to what `traceparent` gave; none to anything else."""
    told = trace.get_current_span(_W3C.extract({"traceparent": written})).get_span_context()
    # An invalid one is not overlaid: what is at hand is then found, and is no work of the past.
    at_hand = trace.get_current_span().get_span_context()
    return [trace.Link(told)] if told.is_valid and told != at_hand else []


@dataclass(frozen=True, slots=True)
class Past:
    """A span of what is over. Times are `time.monotonic` seconds."""

    name: str
    began: float
    ended: float
    attributes: Mapping[str, Value] = field(default_factory=dict)
    """By their full names."""
    failure: str = ""
    """Why it failed; empty: it did not."""
    kind: Kind = "internal"


def tell_past(whole: Past, parts: Sequence[Past] = ()) -> None:
    """Record a span of the past, child of the one at hand, with `parts` as its children."""
    tracer = _State.tracer
    if tracer is None:
        return
    epoch, at_hand = _epoch(), context.get_current()
    ids = _ids(at_hand)
    recorded = _begin_past(tracer, whole, at_hand, ids, epoch)
    inside = trace.set_span_in_context(recorded, at_hand)
    for part in parts:
        _begin_past(tracer, part, inside, ids, epoch).end(_wall(part.ended, epoch))
    if whole.failure:
        _mark(recorded, whole.failure)
    recorded.end(_wall(whole.ended, epoch))


def _begin_past(
    tracer: trace.Tracer, past: Past, parent: context.Context, ids: dict[str, Value], epoch: int
) -> trace.Span:
    told = {name: _told(name, value) for name, value in past.attributes.items()}
    began = _wall(past.began, epoch)
    return tracer.start_span(past.name, parent, _KINDS[past.kind], ids | told, None, began)


def failure_of(error: BaseException) -> str:
    """How an error is told: by the reason of one of ours, or by its type."""
    if isinstance(error, MeshError) and _REASON.fullmatch(error.reason):
        return error.reason
    return type(error).__name__


class _Recorded:
    """A span around a block. A class, since a generator costs half as much as the span itself."""

    __slots__ = ("_arguments", "_span", "_token", "_tracer")
    _span: trace.Span
    _token: Token[context.Context]

    def __init__(
        self,
        tracer: trace.Tracer,
        name: str,
        kind: SpanKind,
        attributes: dict[str, Value],
        start_time: int | None = None,
        links: Sequence[trace.Link] | None = None,
    ) -> None:
        self._tracer = tracer
        self._arguments = (name, kind, attributes, links, start_time)

    def __enter__(self) -> None:
        name, kind, attributes, links, start_time = self._arguments
        parent = context.get_current()
        given = _ids(parent) | attributes
        # The last two: errors are told by us, because the SDK would tell their text.
        self._span = self._tracer.start_span(
            name, parent, kind, given, links, start_time, False, False
        )
        self._token = context.attach(trace.set_span_in_context(self._span, parent))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        context.detach(self._token)
        if error is not None and not isinstance(error, (asyncio.CancelledError, GeneratorExit)):
            _mark(self._span, failure_of(error))
        self._span.end()


def _mark(marked: trace.Span, failure: str) -> None:
    marked.set_attribute("error.type", _told("error.type", failure))
    marked.set_status(Status(StatusCode.ERROR))


def _ids(of: context.Context) -> dict[str, Value]:
    """Whose span it is, by what the context carries."""
    return {name: str(value) for name in _FROM_BAGGAGE if (value := baggage.get_baggage(name, of))}


def _named(attributes: Mapping[str, Value]) -> dict[str, Value]:
    names = ((_dotted(name), value) for name, value in attributes.items() if value != "")
    return {name: _told(name, value) for name, value in names}


@functools.lru_cache(_KNOWN_VALUES)
def _dotted(name: str) -> str:
    return name.replace("__", ".")


def _told(name: str, value: Value) -> Value:
    if name in CONSTANT:
        return value
    if isinstance(value, str) and len(value) > _KNOWN_CHARACTERS:
        return _redacted(name, value)
    return _known(name, value)


def _redacted(name: str, value: Value) -> Value:
    told: Value = redact_attributes({name: value})[name]
    return told


_known = functools.lru_cache(_KNOWN_VALUES, typed=True)(_redacted)


def _epoch() -> int:
    """Nanoseconds to add to the monotonic clock for the wall clock as it stands now. Looked at once
    for spans that must fit each other, since it may be set meanwhile."""
    return time.time_ns() - time.monotonic_ns()


def _wall(monotonic: float, epoch: int) -> int:
    return epoch + round(monotonic * 1e9)
