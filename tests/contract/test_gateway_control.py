"""The gateway's control plane over HTTP, and the process: what it says, and to whom."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.calls import Calls
from gateway.control import ControlServer
from gateway.listener import MediaServer
from gateway.settings import GatewaySettings
from meshkit.startup import StartupError
from tests.support.gateway_rig import NOWHERE, Rig, rig
from tests.support.tonetext import encode

KEY = "k" * 32
BEARER = {"Authorization": f"Bearer {KEY}"}


async def one_call(mesh: Rig, session: str = "call-1") -> None:
    """A call of two turns, hung up and given back."""
    async with mesh.call(session) as call:
        await mesh.until("turn_finished", session, turn="t0")
        await call.say(encode("Hi."))
        await mesh.until("turn_finished", session, turn="t1")
        await call.hang_up()
        await mesh.until("call_ended", session)


async def collect(events: AsyncIterator[dict[str, Any]]) -> list[dict[str, Any]]:
    return [event async for event in events]


FIELDS = {
    "call_started": {"session", "scenario", "agent"},
    "allocation": {"client_kind", "tier", "allocation_ms", "turn"},
    "transcript": {"utterance", "text", "final"},
    "turn_started": {"turn", "cause", "agent"},
    "segment": {"turn", "segment", "text"},
    "turn_finished": {
        "turn",
        "cause",
        "outcome",
        "failure_reason",
        "recognizer_tier",
        "synthesizer_tier",
        "timeline",
        "model_ms",
        "tool_ms",
    },
    "call_cost": {
        "currency",
        "total",
        "by_unit",
        "by_agent",
        "by_tier",
        "used",
        "unpriced",
        "unmeasured_answers",
    },
    "call_ended": {"reason"},
}


async def test_events_tell_the_whole_call_in_order_to_a_watcher_from_its_beginning() -> None:
    async with rig() as mesh:
        async with mesh.call() as call:
            await mesh.until("call_started")
            watching = asyncio.create_task(collect(mesh.events()))
            await mesh.until("turn_finished", turn="t0")
            await call.say(encode("Hi."))
            await mesh.until("turn_finished", turn="t1")
            await call.hang_up()
            events = await watching
        assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
        assert [event["time_ms"] for event in events] == sorted(e["time_ms"] for e in events)
        for event in events:
            assert set(event) - {"kind", "seq", "time_ms"} == FIELDS[event["kind"]]
        assert {event["kind"] for event in events} == set(FIELDS)
        assert (events[0]["kind"], events[-1]["kind"]) == ("call_started", "call_ended")
        final = next(e for e in events if e["kind"] == "transcript" and e["final"])
        assert (final["utterance"], final["text"]) == ("u1", "Hi.")


async def test_a_watcher_who_comes_later_or_again_misses_nothing() -> None:
    async with rig() as mesh:
        await one_call(mesh)
        events = await collect(mesh.events())
        assert events[0]["kind"] == "call_started"
        again = await collect(mesh.events(after=events[3]["seq"]))
        assert again == events[4:]


async def test_a_watcher_who_leaves_disturbs_nobody() -> None:
    async with rig() as mesh, mesh.call() as call:
        await mesh.until("call_started")
        async for _ in mesh.events():
            break
        await mesh.until("turn_finished", turn="t0")
        await call.say(encode("Hi."))
        await mesh.until("turn_finished", turn="t1")


async def test_lists_live_calls_and_keeps_those_that_ended() -> None:
    async with rig() as mesh:
        async with mesh.call() as call:
            await mesh.until("turn_finished", turn="t0")
            _, body = await mesh.get("/api/v1/calls")
            assert [(c["session"], c["state"]) for c in body["calls"]] == [("call-1", "live")]
            await call.hang_up()
            await mesh.until("call_ended")
        assert (await mesh.get("/api/v1/calls"))[1] == {"calls": []}
        status, told = await mesh.get("/api/v1/calls/call-1")
        assert (status, told["state"], told["agent"], told["turns"]) == (200, "ended", "a", 1)
        assert told["playback"]["frames"] >= 20
        assert told["caller_audio"]["dropped_ms"] == 0
        assert told["duration_ms"] >= 400


async def test_latency_counts_the_turns_of_calls_that_are_over() -> None:
    async with rig() as mesh:
        await one_call(mesh, "call-1")
        await one_call(mesh, "call-2")
        status, body = await mesh.get("/api/v1/latency")
    assert status == 200
    rows = {row["cause"]: row for row in body["rows"]}
    assert set(rows) == {"greeting", "utterance"}
    assert {(row["scenario"], row["agent"], row["turns"]) for row in body["rows"]} == {
        ("banking", "a", 2)
    }
    answers = rows["utterance"]["ms"]
    assert set(answers["mouth_to_ear"]) == {"p50", "p95", "p99"}
    assert answers["mouth_to_ear"]["p99"] >= answers["first_token"]["p99"] > 0


@pytest.mark.parametrize("path", ["", "/timeline", "/events"])
async def test_a_call_that_is_not_here_is_a_problem_that_says_what_to_do(path: str) -> None:
    async with rig() as mesh:
        url = f"{mesh.http}/api/v1/calls/nobody{path}"
        async with mesh.client.get(url) as response:
            body = await response.json(content_type="application/problem+json")
        assert (response.status, body["status"], body["title"]) == (404, 404, "Not Found")
        assert "GET /api/v1/calls lists" in body["detail"]


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/nowhere", {}, 404),
        ("DELETE", "/api/v1/calls", {}, 405),
        ("GET", "/api/v1/calls/call-1/events", {"Last-Event-ID": "x"}, 422),
    ],
)
async def test_every_error_is_a_problem(
    method: str, path: str, headers: dict[str, str], status: int
) -> None:
    async with rig() as mesh:
        await one_call(mesh)
        async with mesh.client.request(method, mesh.http + path, headers=headers) as response:
            body = await response.json(content_type="application/problem+json")
        assert (response.status, body["status"]) == (status, status)
        assert body["detail"]


async def test_with_a_control_key_it_is_asked_for_everywhere_but_at_the_probes() -> None:
    async with rig(control_key=KEY) as mesh:
        for path in ("", "/x", "/x/timeline", "/x/events"):
            assert (await mesh.get(f"/api/v1/calls{path}"))[0] == 401
            wrong = {"Authorization": f"Bearer {KEY}x"}
            assert (await mesh.get(f"/api/v1/calls{path}", **wrong))[0] == 401
        assert (await mesh.get("/api/v1/latency"))[0] == 401
        assert (await mesh.get("/api/v1/latency", **BEARER)) == (200, {"rows": []})
        assert (await mesh.get("/api/v1/calls", **BEARER))[0] == 200
        assert (await mesh.get("/healthz"))[0] == 200
        assert (await mesh.get("/readyz"))[0] == 200


async def test_readiness_names_the_peers_that_do_not_serve() -> None:
    async with rig(orchestrator_target=NOWHERE, session_store_target=NOWHERE) as mesh:
        status, body = await mesh.get("/readyz")
        assert status == 503
        assert "orchestrator (UNAVAILABLE) and session-store (UNAVAILABLE)" in body["detail"]
        assert "speech-pool" not in body["detail"]
        assert (await mesh.get("/healthz"))[0] == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
async def test_no_door_opens_to_the_network_without_a_key(host: str) -> None:
    async with rig() as mesh:
        settings = GatewaySettings(bind_host=host)
        with pytest.raises(StartupError, match="VOICEMESH_MEDIA_KEY"):
            MediaServer(mesh.calls, settings)
        with pytest.raises(StartupError, match="VOICEMESH_CONTROL_KEY"):
            ControlServer(None, settings)  # type: ignore[arg-type]


async def test_a_port_in_use_is_one_sentence_that_says_what_to_do() -> None:
    async with rig() as mesh:
        http, media = (int(u.split(":")[2].split("/")[0]) for u in (mesh.http, mesh.media))
        settings = GatewaySettings(http_port=http, media_port=media)
        with pytest.raises(StartupError, match="VOICEMESH_MEDIA_PORT"):
            await MediaServer(Calls(mesh.calls._peers, settings), settings).__aenter__()
        with pytest.raises(StartupError, match="VOICEMESH_HTTP_PORT"):
            await ControlServer(None, settings).__aenter__()  # type: ignore[arg-type]


async def gateway(**environment: str) -> asyncio.subprocess.Process:
    ports = {"VOICEMESH_HTTP_PORT": "0", "VOICEMESH_MEDIA_PORT": "0"}
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "gateway",
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **ports, **environment},
    )


async def test_the_process_refuses_to_start_with_one_sentence() -> None:
    process = await gateway(VOICEMESH_BIND_HOST="0.0.0.0")
    _, errors = await process.communicate()
    assert process.returncode == 2
    assert b"VOICEMESH_CONTROL_KEY" in errors.splitlines()[-1]
    assert b"Traceback" not in errors


async def test_the_process_drains_on_sigterm_and_exits_cleanly() -> None:
    process = await gateway()
    assert process.stderr is not None
    async for line in process.stderr:
        if b'"ready"' in line:
            break
    process.send_signal(signal.SIGTERM)
    rest = await process.stderr.read()
    assert await process.wait() == 0
    assert b'"drained"' in rest
