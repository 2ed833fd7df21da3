"""What each request leaves behind: a span on either side, none where it says nothing, and its time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import grpc
import pytest

from meshkit import rpc_telemetry
from meshkit.authorization import CALLERS
from meshkit.context import incoming_metadata, new_trace, outgoing_metadata
from meshkit.errors import MeshError, Reason, unreachable
from meshkit.rpc_telemetry import asking, full_name, outcome_of, serving
from meshkit.spans_table import QUIET, QUIET_SECONDS
from meshkit.telemetry import configure_tracing
from tests.support.kept_metrics import KeptMetrics, kept_metrics
from tests.support.otlp_sink import OtlpSink, otlp_sink
from voicemesh.session.v1.journal_pb2_grpc import JournalServiceStub
from voicemesh.session.v1.session_store_pb2_grpc import SessionStoreServiceStub

APPEND = "voicemesh.session.v1.JournalService/AppendEvents"
GET = "voicemesh.session.v1.SessionStoreService/GetSession"
AWAY = unreachable(grpc.StatusCode.UNAVAILABLE, "gone", "10.0.0.7:7001")


@pytest.fixture
def kept() -> Iterator[KeptMetrics]:
    with kept_metrics() as instruments:
        yield instruments


@pytest.fixture
async def sink() -> AsyncIterator[OtlpSink]:
    """What was told, once the test has called `left`."""
    with otlp_sink() as told:
        tracing = configure_tracing("gateway", "1", told.endpoint)
        told.left = tracing.aclose  # type: ignore[attr-defined]
        yield told
        await tracing.aclose()


async def left(sink: OtlpSink) -> None:
    await sink.left()  # type: ignore[attr-defined]


async def test_the_callees_span_lies_in_the_callers_and_names_the_pod(sink: OtlpSink) -> None:
    with new_trace(), asking(SessionStoreServiceStub, "GetSession", "10.0.0.7:7001"):
        metadata = outgoing_metadata()
        with incoming_metadata(metadata), serving(GET):
            pass
    await left(sink)
    callee, caller, call = sink.spans
    assert (callee.name, caller.name) == (GET, GET)
    assert (callee.parent, caller.parent) == (caller.id, call.id)
    assert (callee.kind, caller.kind) == (2, 3), "server and client"
    assert caller.attributes == {"rpc.system": "grpc", "server.address": "10.0.0.7:7001"}
    assert callee.attributes == {"rpc.system": "grpc"}


async def test_a_quiet_request_that_goes_well_has_no_span(sink: OtlpSink) -> None:
    with new_trace(), asking(JournalServiceStub, "AppendEvents", "a:1"):
        with incoming_metadata(outgoing_metadata()), serving(APPEND):
            pass
    await left(sink)
    assert [span.name for span in sink.spans] == ["call"]


async def test_a_quiet_request_that_fails_has_one(sink: OtlpSink) -> None:
    with new_trace(), pytest.raises(MeshError), asking(JournalServiceStub, "AppendEvents", "a:1"):
        raise AWAY
    await left(sink)
    failed, call = sink.spans
    assert (failed.name, failed.parent, failed.kind, failed.failed) == (APPEND, call.id, 3, True)
    assert failed.attributes["error.type"] == "UNAVAILABLE"
    assert failed.attributes["server.address"] == "a:1"


async def test_a_quiet_request_that_is_slow_has_one(
    sink: OtlpSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = iter((0.0, QUIET_SECONDS))
    with new_trace():
        monkeypatch.setattr(rpc_telemetry, "now", lambda: next(times))
        with serving(APPEND):
            pass
    await left(sink)
    (slow,) = [span for span in sink.spans if span.name == APPEND]
    assert slow.end - slow.begin == round(QUIET_SECONDS * 1e9)
    assert not slow.failed


async def test_what_is_not_to_be_told_has_no_span_and_is_counted(
    sink: OtlpSink, kept: KeptMetrics
) -> None:
    with serving(GET, told=False):
        pass
    await left(sink)
    assert sink.spans == []
    ((_, labels),) = kept.of("voicemesh_rpc_server_seconds")
    assert labels == {"method": "SessionStoreService/GetSession", "outcome": "ok"}


async def test_what_is_asked_outside_of_any_call_makes_no_trace(
    sink: OtlpSink, kept: KeptMetrics
) -> None:
    with asking(SessionStoreServiceStub, "GetSession", "a:1"):
        pass
    with pytest.raises(MeshError), asking(JournalServiceStub, "AppendEvents", "a:1"):
        raise AWAY
    await left(sink)
    assert sink.spans == []
    assert len(kept.of("voicemesh_rpc_client_seconds")) == 2


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (None, "ok"),
        (MeshError(Reason.SESSION_NOT_FOUND, ""), "refused"),
        (MeshError(Reason.POOL_EXHAUSTED, ""), "refused"),
        (AWAY, "failed"),
        (MeshError(Reason.INTERNAL_ERROR, ""), "failed"),
        (ValueError(), "failed"),
        (asyncio.CancelledError(), "cancelled"),
        (GeneratorExit(), "cancelled"),
        (grpc.aio.AbortError(), "refused"),
    ],
)
def test_how_a_request_came_out(error: BaseException | None, outcome: str) -> None:
    assert outcome_of(error) == outcome


def test_each_attempt_is_timed_by_method_and_outcome(kept: KeptMetrics) -> None:
    with pytest.raises(MeshError), asking(JournalServiceStub, "AppendEvents", "a:1"):
        raise AWAY
    with asking(JournalServiceStub, "AppendEvents", "a:2"):
        pass
    told = [labels for _, labels in kept.of("voicemesh_rpc_client_seconds")]
    name = "JournalService/AppendEvents"
    assert told == [
        {"method": name, "outcome": "failed"},
        {"method": name, "outcome": "ok"},
    ]


def test_without_tracing_and_metrics_there_is_nothing() -> None:
    with serving(GET), asking(JournalServiceStub, "AppendEvents", ""):
        pass


def test_quiet_are_requests_that_there_are() -> None:
    assert {f"/{method}" for method in QUIET} <= set(CALLERS)
    assert full_name(JournalServiceStub, "AppendEvents") == APPEND
