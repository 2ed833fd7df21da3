"""Which call is being worked on: ids and trace context, in the task and over the wire.

The ids travel as W3C baggage beside the W3C trace context, so that every log line and span of a
call, on whichever service, carries the same session, call and turn. Nothing else travels so.

Every request passes here twice. What we send ourselves is plain, so it is written and read in place;
whatever looks otherwise goes to OpenTelemetry's propagators, which take ten times as long.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import baggage, context, trace
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from meshkit import telemetry

Metadata = tuple[tuple[str, str], ...]

_IDS = ("session", "call", "turn")
_PREFIX = "voicemesh."
_CARRIED = frozenset({"traceparent", "tracestate", "baggage"})
_TRACE, _BAGGAGE = TraceContextTextMapPropagator(), W3CBaggagePropagator()
_NAMES = frozenset(_PREFIX + name for name in _IDS)
_plain = re.compile(r"[A-Za-z0-9._~-]+").fullmatch
_plain_parent = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})").fullmatch


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
    carried = baggage.get_all()
    stamped = {name: str(value) for name in _IDS if (value := carried.get(_PREFIX + name))}
    span_context = trace.get_current_span().get_span_context()
    if span_context.is_valid:
        stamped["trace"] = trace.format_trace_id(span_context.trace_id)
    return stamped


def outgoing_metadata() -> Metadata:
    """gRPC metadata that carries the context to the next service."""
    carrier: dict[str, str] = {}
    at_hand = trace.get_current_span().get_span_context()
    if at_hand.trace_state:
        _TRACE.inject(carrier)
    elif at_hand.is_valid:
        ids = f"{at_hand.trace_id:032x}-{at_hand.span_id:016x}"
        carrier["traceparent"] = f"00-{ids}-{at_hand.trace_flags:02x}"
    carried = baggage.get_all()
    if all(name in _NAMES and _plain(str(value)) for name, value in carried.items()):
        if carried:
            carrier["baggage"] = ",".join(f"{name}={value}" for name, value in carried.items())
    else:
        _BAGGAGE.inject(carrier)
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
    with _attached(_with_baggage(carrier, _with_trace(carrier))):
        yield


def _with_trace(carrier: Mapping[str, str]) -> context.Context:
    """A new context with the caller's span, if there is one."""
    plain = _plain_parent(carrier.get("traceparent", ""))
    if plain is None or "tracestate" in carrier:
        return _TRACE.extract(carrier)
    trace_id, span_id, flags = (int(part, 16) for part in plain.groups())
    caller = trace.SpanContext(
        trace_id, span_id, is_remote=True, trace_flags=trace.TraceFlags(flags)
    )
    if not caller.is_valid:
        return context.Context()
    return trace.set_span_in_context(trace.NonRecordingSpan(caller), context.Context())


def _with_baggage(carrier: Mapping[str, str], taken: context.Context) -> context.Context:
    header = carrier.get("baggage")
    if not header:
        return taken
    pairs = [entry.partition("=") for entry in header.split(",", len(_IDS))]
    if not all(name in _NAMES and _plain(value) for name, _, value in pairs):
        return _BAGGAGE.extract(carrier, taken)
    for name, _, value in pairs:
        taken = baggage.set_baggage(name, value, taken)
    return taken


def _carrier(metadata: Iterable[tuple[str, str | bytes]] | None) -> Mapping[str, str]:
    return {k: v for k, v in metadata or () if k in _CARRIED and isinstance(v, str)}


@contextmanager
def _attached(new: context.Context) -> Iterator[None]:
    token = context.attach(new)
    try:
        yield
    finally:
        context.detach(token)
