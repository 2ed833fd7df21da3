"""A call is one trace through the services, with the edges of the call graph, and is counted by each."""

from __future__ import annotations

import asyncio
import re

import pytest

from acs_standin.caller import PlacedCall
from cli.call import Conversation, Line
from meshkit.authorization import CALLERS
from meshkit.call_graph import EDGES, built
from meshkit.metrics_table import METRICS
from meshkit.spans_table import ATTRIBUTES, QUIET, SPANS
from tests.support.otlp_sink import OtlpSink, ReceivedSpan, otlp_sink
from tests.support.scripted_mesh import scripted_mesh
from tests.support.tonetext import encode

SERVER, CLIENT = 2, 3
SAID = 'tool search_knowledge_base {"query": "secret balance"}'


async def one_call(sink: OtlpSink) -> None:
    environment = {
        "VOICEMESH_OTLP_ENDPOINT": sink.endpoint,
        "VOICEMESH_RECOGNIZER_QUOTA": "quotas/recognizers",
        "VOICEMESH_QUOTAS": '{"recognizers": {"limit": 100}}',
    }
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
    assert edges(spans) == {(edge.caller, edge.callee) for edge in built(EDGES)}
    assert {span.trace for span in told.spans} == {root.trace}, "nothing else is a trace"
    names = {span.name for span in spans}
    assert {name.partition(" ")[0] for name in SPANS} <= {name.partition(" ")[0] for name in names}
    ids = {span.id for span in spans}
    assert [span.name for span in spans if span.parent and span.parent not in ids] == []
    assert all(root.begin <= span.begin for span in spans)
    assert "balance" not in repr(spans), "what was said is in no span"
    turns = [span for span in spans if span.name == "invoke_agent concierge"]
    assert {"t0", "t1"} <= {span.attributes["voicemesh.turn"] for span in turns}


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_spans_and_attributes_are_those_declared_and_of_their_types(told: OtlpSink) -> None:
    ours = {name.partition(" ")[0] for name in SPANS}
    names = {span.name for span in told.spans}
    assert {n for n in names if n.partition(" ")[0] not in ours and f"/{n}" not in CALLERS} == set()
    types = {"string": str, "int": int, "bool": bool}
    for span in told.spans:
        for key, value in span.attributes.items():
            assert type(value) is types[ATTRIBUTES[key][0]], (span.name, key)


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_models_tools_and_agents_are_told_by_the_genai_conventions(told: OtlpSink) -> None:
    of_models = [s for s in told.spans if "gen_ai.operation.name" in s.attributes]
    for span in of_models:
        operation = span.attributes["gen_ai.operation.name"]
        of = {
            "chat": "gen_ai.request.model",
            "execute_tool": "gen_ai.tool.name",
            "invoke_agent": "gen_ai.agent.name",
        }[operation]
        assert span.name == f"{operation} {span.attributes[of]}"
        conversation = span.attributes.get("gen_ai.conversation.id", "of the tool-executor")
        assert conversation in (span.attributes["voicemesh.session"], "of the tool-executor")
    assert {span.name for span in of_models} >= {
        "execute_tool search_knowledge_base", "invoke_agent concierge",
    }  # fmt: skip
    chats = [s for s in of_models if s.attributes["gen_ai.operation.name"] == "chat"]
    assert {(s.kind, s.attributes["gen_ai.provider.name"]) for s in chats} == {(CLIENT, "local")}


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_what_a_caller_waited_for_encloses_what_the_callee_did(told: OtlpSink) -> None:
    """Both have the clock of one machine here, so that the gap is the way there and back."""
    by_id = {span.id: span for span in told.spans}
    asked = [s for s in told.spans if s.kind == SERVER and by_id[s.parent].kind == CLIENT]
    assert {"GetSession", "AllocateClient", "ExecuteTool", "GetVerified"} <= {
        span.name.rpartition("/")[2] for span in asked
    }
    for span in asked:
        caller = by_id[span.parent]
        assert caller.name == span.name
        assert caller.service != span.service
        assert caller.begin <= span.begin
        assert span.end <= caller.end or span.name.endswith("ExecuteTool"), "ends after its answer"
    alone = {span.name for span in told.spans if span.kind == SERVER} - {s.name for s in asked}
    streams = {"Converse", "StreamingRecognize", "StreamingSynthesize"}
    assert {name.rpartition("/")[2] for name in alone - QUIET} == streams


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_request_shows_its_round_trips_to_redis(told: OtlpSink) -> None:
    by_id = {span.id: span for span in told.spans}
    trips = [span for span in told.spans if span.attributes.get("db.system.name") == "redis"]
    assert {by_id[span.parent].service for span in trips} == {"session-store"}
    assert all(by_id[span.parent].begin <= span.begin for span in trips)
    assert {"redis get_session", "redis acquire_call"} <= {span.name for span in trips}


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
