"""The console over HTTP: what it tells of calls, to whom, and that its page carries nothing foreign."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import gateway
from tests.support.console_rig import BAD, export_metric, export_spans, rig_with_ring
from tests.support.gateway_rig import Rig, rig
from tests.support.tonetext import encode

KEY = "k" * 32
BEARER = {"Authorization": f"Bearer {KEY}"}
ROUTES = ("", "/calls", "/calls/call-1", "/metrics")
PREFIX = "/api/v1/console"
STATIC = Path(gateway.__file__).parent / "static"


async def one_call(mesh: Rig, session: str = "call-1") -> None:
    async with mesh.call(session) as call:
        await mesh.until("turn_finished", session, turn="t0")
        await call.say(encode("Hi."))
        await mesh.until("turn_finished", session, turn="t1")
        await call.hang_up()
        await mesh.until("call_ended", session)


async def test_a_call_with_its_trace() -> None:
    async with rig_with_ring() as (mesh, channel):
        await one_call(mesh)
        await export_spans(channel)
        _, listed = await mesh.get(PREFIX + "/calls")
        _, found = await mesh.get(PREFIX + "/calls/call-1")
        _, about = await mesh.get(PREFIX)
    (row,) = listed["calls"]
    assert (row["session"], row["state"], row["reason"]) == ("call-1", "ended", "caller_hung_up")
    assert (row["turns"], row["first_frame_ms"], row["agents"]) == (1, 400, [BAD])
    assert row["scenario"] == "banking"
    assert set(row["cost"]) == {"total", "currency"}
    (trace,) = found["traces"]
    assert [(span["name"], span["depth"]) for span in trace["spans"]] == [
        ("call", 0),
        ("answer", 1),
    ]
    assert (about["ring"]["spans"], about["why_empty"]) == (2, "")


async def test_a_call_is_listed_while_it_lives_and_before_a_span_of_it_came() -> None:
    async with rig_with_ring() as (mesh, _), mesh.call():
        await mesh.until("turn_finished", turn="t0")
        _, listed = await mesh.get(PREFIX + "/calls")
        status, problem = await mesh.get(PREFIX + "/calls/call-1")
    (row,) = listed["calls"]
    assert (row["state"], row["turns"], row["spans"], row["cost"]) == ("live", 1, 0, None)
    assert status == 404
    assert "a few seconds after" in problem["detail"]


async def test_an_older_leg_of_a_call_is_not_told_what_the_newer_one_cost() -> None:
    async with rig_with_ring() as (mesh, channel):
        await one_call(mesh)
        await export_spans(channel)
        await export_spans(channel, ago=60)
        _, listed = await mesh.get(PREFIX + "/calls")
        _, found = await mesh.get(PREFIX + "/calls/call-1")
    newer, older = listed["calls"]
    assert newer["cost"] is not None
    assert (older["cost"], older["state"], older["duration_ms"]) == (None, "ended", 9_000)
    assert len(found["traces"]) == 2


async def test_a_row_follows_the_spans_that_come() -> None:
    async with rig_with_ring() as (mesh, channel):
        for ago in (30, 20, 10):
            await export_spans(channel, f"call-{ago}", ago)
        _, listed = await mesh.get(PREFIX + "/calls?limit=2")
        assert [row["session"] for row in listed["calls"]] == ["call-10", "call-20"]


async def test_metrics_and_their_history() -> None:
    async with rig_with_ring() as (mesh, channel):
        await export_metric(channel, 1)
        await export_metric(channel, 2)
        _, newest = await mesh.get(PREFIX + "/metrics")
        _, history = await mesh.get(PREFIX + "/metrics?name=m")
        _, none = await mesh.get(PREFIX + "/metrics?name=other")
    assert [(row["name"], row["value"]) for row in newest["series"]] == [("m", 2)]
    assert "history" not in newest["series"][0]
    assert [point["value"] for point in history["series"][0]["history"]] == [1, 2]
    assert none == {"series": []}


@pytest.mark.parametrize(
    ("settings", "word"),
    [({}, "voicemesh up"), ({"otlp_endpoint": "http://127.0.0.1:9"}, "VOICEMESH_OTLP_ENDPOINT")],
)
async def test_without_a_ring_it_says_where_telemetry_is(
    settings: dict[str, Any], word: str
) -> None:
    async with rig(**settings) as mesh, mesh.call():
        await mesh.until("turn_finished", turn="t0")
        _, about = await mesh.get(PREFIX)
        assert about["ring"] is None
        assert word in about["why_empty"]
        for route in ("/metrics", "/calls/call-1"):
            status, problem = await mesh.get(PREFIX + route)
            assert (status, problem["detail"]) == (404, about["why_empty"])
        _, listed = await mesh.get(PREFIX + "/calls")
        assert [row["session"] for row in listed["calls"]] == ["call-1"], "the gateway knows them"


async def test_the_routes_ask_for_the_key_and_the_page_does_not() -> None:
    async with rig_with_ring(control_key=KEY) as (mesh, _):
        for route in ROUTES:
            assert (await mesh.get(PREFIX + route))[0] == 401
            assert (await mesh.get(PREFIX + route, Authorization=f"Bearer x{KEY}"))[0] == 401
            assert (await mesh.get(PREFIX + route, **BEARER))[0] in (200, 404)
            named = await mesh.get(PREFIX + route, Host="mesh.example", **BEARER)
            assert named[0] in (200, 404), "with a key it may be asked by any name"
        async with mesh.client.get(mesh.http + "/console") as answer:
            assert answer.status == 200


async def test_without_a_key_a_page_of_another_host_is_not_answered() -> None:
    foreign = ("evil.example", "evil.example:8080", "127.0.0.1.evil.example", "", "[", "8080")
    async with rig_with_ring() as (mesh, channel):
        await export_spans(channel)
        for route in ROUTES:
            for host in foreign:
                status, body = await mesh.get(PREFIX + route, Host=host)
                assert status == 403, (route, host, body)
            for host in ("localhost:8080", "127.0.0.1", "[::1]:8080"):
                assert (await mesh.get(PREFIX + route, Host=host))[0] == 200, (route, host)


async def test_bad_input_is_a_problem() -> None:
    async with rig_with_ring() as (mesh, _):
        for path in ("?limit=0", "?limit=201", "?limit=x", "/a%20b", "/" + "a" * 300):
            status, body = await mesh.get(f"{PREFIX}/calls{path}")
            assert status == 422, path
            assert "is not valid" in body["detail"]


async def test_the_page_and_its_files() -> None:
    async with rig() as mesh:
        for path, kind in (("", "html"), ("/console.js", "javascript"), ("/console.css", "css")):
            async with mesh.client.get(mesh.http + "/console" + path) as answer:
                assert answer.status == 200
                assert kind in answer.headers["Content-Type"]
                policy = answer.headers["Content-Security-Policy"]
                assert "default-src 'none'" in policy
                assert "unsafe" not in policy
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
                assert await answer.text()
        for other in ("settings.py", "..%2Fsettings.py", "index.html"):
            assert (await mesh.get(f"/console/{other}"))[0] == 404


def test_the_page_has_nothing_inline_and_nothing_from_elsewhere() -> None:
    html, script = (STATIC / "index.html").read_text(), (STATIC / "console.js").read_text()
    style = (STATIC / "console.css").read_text()
    assert re.findall(r"\son\w+=|style=|<style|<script(?! src=)|javascript:", html) == []
    assert re.findall(r'(?:src|href)="(?!/console/)', html) == []
    assert (
        re.findall(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|Function\(", script)
        == []
    )
    assert re.findall(r"https?://(?!www\.w3\.org/2000/svg)", html + script + style) == []
    assert "@import" not in style
    assert "url(" not in style


def test_what_the_script_looks_for_is_in_the_page() -> None:
    html, script = (STATIC / "index.html").read_text(), (STATIC / "console.js").read_text()
    wanted = set(re.findall(r'(?:byId|show)\("([\w-]+)"', script))
    assert wanted <= set(re.findall(r'id="([\w-]+)"', html))
