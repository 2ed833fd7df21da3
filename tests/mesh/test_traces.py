"""A call is one trace through the services, with the edges of the call graph, and is counted by each."""

from __future__ import annotations

import asyncio
import re

import pytest

from acs_standin.caller import PlacedCall
from cli.call import Conversation, Line
from meshkit.call_graph import EDGES, built
from meshkit.metrics_table import METRICS
from meshkit.telemetry import SPANS
from tests.support.otlp_sink import OtlpSink, ReceivedSpan, otlp_sink
from tests.support.scripted_mesh import scripted_mesh
from tests.support.tonetext import encode

SAID = 'tool search_knowledge_base {"query": "secret balance"}'


async def one_call(sink: OtlpSink) -> None:
    environment = {"VOICEMESH_OTLP_ENDPOINT": sink.endpoint}
    async with scripted_mesh(environment=environment) as mesh:
        async with PlacedCall(f"{mesh.media_url}?scenario=banking") as call:
            conversation = Conversation(call, lambda event: None, turn_seconds=20.0)
            await conversation.run([Line(SAID, encode(SAID))], mesh.control_url)


def edges(spans: list[ReceivedSpan]) -> set[tuple[str, str]]:
    """Who called whom: a span whose parent is another service's."""
    by_id = {span.id: span for span in spans}
    return {
        (by_id[span.parent].service, span.service)
        for span in spans
        if span.parent in by_id and by_id[span.parent].service != span.service
    }


@pytest.fixture(scope="module")
def told() -> OtlpSink:
    """What a collector was told of one call, from its mesh's start to its end."""
    with otlp_sink() as sink:
        asyncio.run(one_call(sink))
    return sink


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_call_is_one_trace_whose_edges_are_the_call_graph(told: OtlpSink) -> None:
    (root,) = [span for span in told.spans if span.name == "call"]
    spans = told.of_trace(root.trace)
    assert root.service == "gateway"
    assert root.parent == ""
    assert {span.service for span in spans} == {
        "gateway", "speech-pool", "orchestrator", "tool-executor", "session-store",
    }  # fmt: skip
    declared = {(edge.caller, edge.callee) for edge in built(EDGES)}
    # Without a quota in the settings, the speech-pool asks the session-store nothing.
    assert edges(spans) == declared - {("speech-pool", "session-store")}
    names = {span.name for span in spans}
    assert set(SPANS) <= names
    ids = {span.id for span in spans}
    assert [span.name for span in spans if span.parent and span.parent not in ids] == []
    assert all(root.begin <= span.begin for span in spans)
    assert "balance" not in repr(spans), "what was said is in no span"
    turns = {span.attributes.get("voicemesh.turn") for span in spans if span.name == "turn"}
    assert {"t0", "t1"} <= turns


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_call_is_counted_by_every_service_and_what_was_said_by_none(told: OtlpSink) -> None:
    names = {point.name for point in told.points}
    # A call that goes well has no refusal and no gap; the scripted engine has no quota to fail.
    # Our own machines have prices of nothing, and nothing has no budget.
    quiet = {"voicemesh_pool_refusals_total", "voicemesh_audio_gaps_total"}
    money = {n for n in METRICS if re.search("_(cost|budget_alarms|unpriced_calls)_total$", n)}
    assert names >= set(METRICS) - quiet - money
    assert names <= set(METRICS)
    assert "other" not in {str(v) for point in told.points for v in point.labels.values()}
    assert "balance" not in repr(told.points)
    lag = {p.service for p in told.points if p.name == "voicemesh_event_loop_lag_seconds"}
    assert lag == {"gateway", "speech-pool", "orchestrator", "tool-executor", "session-store"}
    ended = [p for p in told.points if p.name == "voicemesh_calls_total"]
    assert {(p.labels["reason"], p.value) for p in ended} == {("caller_hung_up", 1)}
    stages = {
        point.labels["stage"]
        for point in told.points
        if point.name == "voicemesh_turn_stage_seconds" and point.exemplar_traces
    }
    assert {"final", "first_token", "first_segment", "first_audio", "first_frame"} == stages
