"""Which call is being worked on: ids and trace context, in the task and over the wire.

The ids travel as W3C baggage beside the W3C trace context, so that every log line and span of a
call, on whichever service, carries the same session, call and turn. Nothing else travels so.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import baggage, context, trace
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from meshkit import telemetry

Metadata = tuple[tuple[str, str], ...]

_IDS = ("session", "call", "turn")
_PREFIX = "voicemesh."
_CARRIED = frozenset({"traceparent", "tracestate", "baggage"})
_PROPAGATOR = CompositePropagator([TraceContextTextMapPropagator(), W3CBaggagePropagator()])


@contextmanager
def call_context(**ids: str) -> Iterator[None]:
    """Work on a call within the block: `call_context(session="a", turn="t3")`.

    Ids that are not given stay as they were. Raises TypeError for an id other than session, call
    and turn.
    """
    unknown = set(ids) - set(_IDS)
    if unknown:
        raise TypeError(f"unknown ids {sorted(unknown)}; known are {_IDS}")
    current = context.get_current()
    for name, value in ids.items():
        current = baggage.set_baggage(_PREFIX + name, value, current)
    with _attached(current):
        yield


@contextmanager
def new_trace(began: float | None = None, linked: str = "") -> Iterator[None]:
    """Begin a trace within the block, unless one is under way.

    `began`: when its call began, in seconds of `time.monotonic`; None: now. `linked`: as in
    `telemetry.span`.
    """
    if trace.get_current_span().get_span_context().is_valid:
        yield
        return
    if telemetry.is_on():
        with telemetry.span("call", began=began, linked=linked):
            yield
        return
    span_context = trace.SpanContext(
        trace_id=secrets.randbits(128) or 1,
        span_id=secrets.randbits(64) or 1,
        is_remote=False,
        trace_flags=trace.TraceFlags(trace.TraceFlags.SAMPLED),
    )
    with _attached(trace.set_span_in_context(trace.NonRecordingSpan(span_context))):
        yield


def current_ids() -> dict[str, str]:
    """The ids of the call at hand, with the trace id: what a log record is stamped with."""
    stamped = {name: str(value) for name in _IDS if (value := baggage.get_baggage(_PREFIX + name))}
    span_context = trace.get_current_span().get_span_context()
    if span_context.is_valid:
        stamped["trace"] = trace.format_trace_id(span_context.trace_id)
    return stamped


def outgoing_metadata() -> Metadata:
    """gRPC metadata that carries the context to the next service."""
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier)
    return tuple(carrier.items())


def carries_context(metadata: Iterable[tuple[str, str | bytes]] | None) -> bool:
    """Whether a request brought a context; without one there is nothing to take up."""
    for key, _ in metadata or ():  # noqa: SIM110  (each request passes; a generator costs more)
        if key in _CARRIED:
            return True
    return False


@contextmanager
def incoming_metadata(metadata: Iterable[tuple[str, str | bytes]] | None) -> Iterator[None]:
    """Take up, within the block, the context that a request brought."""
    carrier = _carrier(metadata)
    if not carrier:
        yield
        return
    with _attached(_PROPAGATOR.extract(carrier)):
        yield


def _carrier(metadata: Iterable[tuple[str, str | bytes]] | None) -> Mapping[str, str]:
    return {k: v for k, v in metadata or () if k in _CARRIED and isinstance(v, str)}


@contextmanager
def _attached(new: context.Context) -> Iterator[None]:
    token = context.attach(new)
    try:
        yield
    finally:
        context.detach(token)
