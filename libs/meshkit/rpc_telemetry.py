"""What each request between services leaves behind: a span on either side, and its time by outcome.

    with serving("voicemesh.x.v1.XService/Do"): ...         # the callee, around the handler
    with asking(XServiceStub, "Do", "10.0.0.7:7001"): ...  # the caller, around each attempt

Classes, not generators: this is on the way of every request. Streams are told by the callee alone; the
caller's end of one lasts as long and would say the same. Of what `spans_table.QUIET` names, only what
failed or took long has a span.
"""

from __future__ import annotations

import asyncio
import functools
from contextlib import AbstractContextManager, nullcontext
from time import monotonic as now
from types import TracebackType

import grpc

from meshkit import metrics, telemetry
from meshkit.authorization import CALLERS
from meshkit.errors import MeshError
from meshkit.spans_table import QUIET, QUIET_SECONDS
from meshkit.telemetry import Kind, Past, Value, failure_of

_OFF: AbstractContextManager[None] = nullcontext()
_GRPC: dict[str, Value] = {"rpc.system": "grpc"}
_FULL_NAMES = {method.rpartition(".")[2]: method.removeprefix("/") for method in CALLERS}
_OUR_FAULT = frozenset(
    {
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.DATA_LOSS,
        grpc.StatusCode.UNIMPLEMENTED,
    }
)
"""Statuses of what went wrong; the others say that what was asked for cannot be had."""


def serving(method: str, *, told: bool = True) -> AbstractContextManager[None]:
    """Around the handling of a request by its full method. `told` False: only numbers, no span."""
    if not (telemetry.is_on() or metrics.is_on()):
        return _OFF
    return _Request(method, "server", _GRPC, told=told)


def asking(stub: type, method: str, peer: str) -> AbstractContextManager[None]:
    """Around one attempt at a unary request to `peer` (host and port). Outside of any trace it is only
    counted: what a service asks of its own accord is a trace of nothing."""
    if not (telemetry.is_on() or metrics.is_on()):
        return _OFF
    attributes = {**_GRPC, "server.address": peer} if peer else _GRPC
    told = telemetry.is_of_a_trace()
    return _Request(full_name(stub, method), "client", attributes, told=told)


@functools.cache
def full_name(stub: type, method: str) -> str:
    """`{package.Service}/{Method}` of a stub's method; a service that is not the mesh's has none."""
    name = f"{stub.__name__.removesuffix('Stub')}/{method}"
    return _FULL_NAMES.get(name, name)


@functools.cache
def short_name(method: str) -> str:
    """`{Service}/{Method}`: what metrics call a request."""
    return method.rpartition(".")[2]


def outcome_of(error: BaseException | None) -> str:
    """How a request came out, as metrics tell it."""
    if error is None:
        return "ok"
    if isinstance(error, (asyncio.CancelledError, GeneratorExit)):
        return "cancelled"
    if isinstance(error, grpc.aio.AbortError):
        return "refused"
    code = error.code if isinstance(error, MeshError) else grpc.StatusCode.INTERNAL
    return "failed" if code in _OUR_FAULT else "refused"


class _Request:
    """One request, on one side."""

    __slots__ = ("_attributes", "_began", "_kind", "_method", "_quiet", "_span")

    def __init__(
        self, method: str, kind: Kind, attributes: dict[str, Value], *, told: bool
    ) -> None:
        self._method, self._kind = method, kind
        self._attributes = attributes
        self._quiet = told and method in QUIET
        loud = told and not self._quiet
        self._span = telemetry.request_span(method, kind, attributes) if loud else _OFF

    def __enter__(self) -> None:
        self._began = now()
        self._span.__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        ended, outcome = now(), outcome_of(error)
        seconds = ended - self._began
        name = short_name(self._method)
        # Within the span, so that the number's exemplar is of it.
        if self._kind == "server":
            metrics.record("voicemesh_rpc_server_seconds", seconds, method=name, outcome=outcome)
        else:
            metrics.record("voicemesh_rpc_client_seconds", seconds, method=name, outcome=outcome)
        self._span.__exit__(kind, error, at)
        if self._quiet and (outcome in ("failed", "refused") or seconds >= QUIET_SECONDS):
            failure = failure_of(error) if error and outcome != "cancelled" else ""
            telemetry.tell_past(
                Past(self._method, self._began, ended, self._attributes, failure, self._kind)
            )
