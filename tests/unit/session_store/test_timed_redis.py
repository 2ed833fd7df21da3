"""A round trip to Redis as a span and as a number; never keys or arguments."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from memory.hotstore import HotStore
from memory.scripts import Script, ScriptCall
from meshkit.context import incoming_metadata, new_trace, outgoing_metadata
from meshkit.errors import MeshError, Reason
from meshkit.telemetry import configure_tracing
from session_store.timed_redis import TimedHotStore, operation_of, store_kind
from tests.support.kept_metrics import kept_metrics
from tests.support.otlp_sink import OtlpSink, otlp_sink

GET = Script("get_session", "", "0")
APPEND = Script("append_events", "", "1")
AWAY = MeshError(Reason.STORE_UNAVAILABLE, "")


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the connection answers, in order, or raises."""
    given: list[Any] = []

    async def answer(self: HotStore, *_: Any, **__: Any) -> Any:
        came = given.pop(0)
        if isinstance(came, BaseException):
            raise came
        return came

    for method in ("run", "run_together", "command"):
        monkeypatch.setattr(HotStore, method, answer)
    return given


async def told_of(calls: Sequence[Any], sink: OtlpSink) -> None:
    tracing = configure_tracing("session-store", "1", sink.endpoint)
    with new_trace():
        for call in calls:
            await asyncio.gather(call, return_exceptions=True)
        metadata = outgoing_metadata()
    with incoming_metadata(metadata):  # a request without a span of its own
        await TimedHotStore("redis://127.0.0.1:1/0").run(GET, ["key of Ada"])
    await tracing.aclose()


async def test_each_round_trip_has_a_span_within_the_request(answers: list[Any]) -> None:
    store = TimedHotStore("redis://127.0.0.1:1/0")
    answers += ["reply", ["a", "b"], "PONG", AWAY, "quiet"]
    together = [ScriptCall(APPEND, ["k"]), ScriptCall(GET, ["k"]), ScriptCall(GET, ["k"])]
    with otlp_sink() as sink:
        calls = [
            store.run(GET, ["key of Ada"], ["said by Ada"]),
            store.run_together(together),
            store.command("ZADD", "key of Ada"),
            store.run(GET, ["key of Ada"]),
        ]
        await told_of(calls, sink)
    *spans, call = sink.spans
    assert [span.name for span in spans] == [
        "redis get_session", "redis append_events+get_session", "redis ZADD", "redis get_session",
    ]  # fmt: skip
    assert {span.parent for span in spans} == {call.id}
    assert {span.kind for span in spans} == {3}
    assert [span.failed for span in spans] == [False, False, False, True]
    assert spans[0].attributes == {
        "db.operation.name": "get_session", "db.system.name": "redis",
    }  # fmt: skip
    assert spans[3].attributes["error.type"] == "STORE_UNAVAILABLE"
    assert "Ada" not in repr(sink.spans)


async def test_each_round_trip_is_timed(answers: list[Any]) -> None:
    store = TimedHotStore("redis://127.0.0.1:1/0")
    answers += ["reply", AWAY, asyncio.CancelledError()]
    with kept_metrics() as kept:
        for _ in range(3):
            await asyncio.gather(store.run(GET, ["k"]), return_exceptions=True)
    outcomes = [labels for _, labels in kept.of("voicemesh_redis_seconds")]
    assert outcomes == [
        {"operation": "get_session", "outcome": outcome}
        for outcome in ("ok", "failed", "cancelled")
    ]


def test_where_nobody_is_told_nothing_is_timed() -> None:
    assert store_kind() is HotStore
    with kept_metrics():
        assert store_kind() is TimedHotStore


def test_scripts_of_one_round_trip_are_named_once_in_order() -> None:
    calls = [ScriptCall(GET, ["a"]), ScriptCall(APPEND, ["a"]), ScriptCall(GET, ["b"])]
    assert operation_of(calls) == "get_session+append_events"
