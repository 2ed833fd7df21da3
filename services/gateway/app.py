"""The control plane, HTTP: health, readiness, and the calls of this pod for whoever watches them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import asdict
from importlib.metadata import version
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Header, Request
from fastapi.responses import StreamingResponse
from fastapi.sse import format_sse_event

from gateway import console, diagnostics
from gateway.access import bearer_matches
from gateway.call import Call
from gateway.calls import KEPT_CALLS, KEPT_SECONDS, Calls, describe
from gateway.events import CallEvent, CallEvents
from gateway.peers import Readiness
from gateway.problems import Problem, answer_problems
from gateway.settings import GatewaySettings
from gateway.timeline import mouth_to_ear_ms, parts
from gateway.turns import Turn

KEEP_ALIVE_SECONDS = 15.0
VERSION = version("voicemesh")


def make_app(
    calls: Calls,
    readiness: Readiness,
    settings: GatewaySettings,
    shown: console.Console | None = None,
) -> FastAPI:
    """The app. Without a control key nobody is asked for one."""
    app = FastAPI(title="voicemesh gateway", openapi_url=None)
    app.state.calls = calls
    app.state.readiness = readiness
    app.state.control_key = settings.control_key
    app.state.diagnostics = diagnostics.Diagnostics(settings)
    app.state.console = shown or console.Console()
    app.include_router(_health)
    app.include_router(console.page)
    from_here = [Depends(console.only_from_here), Depends(_authorised)]
    app.include_router(console.router, dependencies=from_here)
    app.include_router(_calls)
    app.include_router(_latency)
    app.include_router(diagnostics.router, dependencies=from_here)
    answer_problems(app)
    return app


async def _authorised(request: Request) -> None:
    key: str = request.app.state.control_key
    if key and not bearer_matches(request.headers.get("authorization", ""), key):
        raise Problem(
            401,
            "Send the control key as `Authorization: Bearer KEY`.",
            {"WWW-Authenticate": "Bearer"},
        )


_health = APIRouter()
_calls = APIRouter(prefix="/api/v1/calls", dependencies=[Depends(_authorised)])

_latency = APIRouter(prefix="/api/v1/latency", dependencies=[Depends(_authorised)])


def _registry(request: Request) -> Calls:
    calls: Calls = request.app.state.calls
    return calls


async def _found(session: str, request: Request) -> Call:
    call = _registry(request).get(session)
    if call is None:
        raise Problem(
            404,
            f"No call of this session on this gateway; it keeps the last {KEPT_CALLS} calls"
            f" for {KEPT_SECONDS / 60:g} minutes. GET /api/v1/calls lists those under way.",
        )
    return call


FoundCall = Annotated[Call, Depends(_found)]


@_health.get("/healthz")
async def healthz() -> dict[str, str]:
    """The process lives."""
    return {"status": "ok", "version": VERSION}


@_health.get("/readyz")
async def readyz(request: Request) -> dict[str, Any]:
    """Whether calls are taken: not while draining, nor while a peer does not serve."""
    if _registry(request).draining:
        raise Problem(503, "This gateway is shutting down; send calls to another.")
    readiness: Readiness = request.app.state.readiness
    missing = await readiness.not_serving()
    if missing:
        names = " and ".join(f"{name} ({why})" for name, why in missing.items())
        raise Problem(503, f"Not serving: {names}. Start it, or look at its logs.")
    return {"status": "ready", "calls": len(_registry(request).live)}


@_calls.get("")
async def list_calls(request: Request) -> dict[str, Any]:
    """The calls under way."""
    return {"calls": [describe(call) for call in _registry(request).live]}


@_calls.get("/{session}")
async def get_call(call: FoundCall) -> dict[str, Any]:
    """One call, live or lately ended."""
    return describe(call)


@_calls.get("/{session}/timeline")
async def get_timeline(call: FoundCall) -> dict[str, Any]:
    """A row for each turn, with the parts of its way from mouth to ear."""
    rows = [_timeline_row(turn) for turn in call.parts.turns.all()]
    return {"session": call.spec.session, "scenario": call.spec.scenario, "turns": rows}


def _timeline_row(turn: Turn) -> dict[str, Any]:
    times = turn.times.as_milliseconds()
    return {
        **turn.as_event(),
        "agent": turn.agent,
        "state": "finished" if turn.finished else "live",
        "mouth_to_ear_ms": mouth_to_ear_ms(times),
        "parts": [asdict(part) for part in parts(times)],
    }


@_latency.get("")
async def get_latency(request: Request) -> dict[str, Any]:
    """Percentiles of the newest turns of calls that are over, by scenario, agent and cause."""
    return {"rows": _registry(request).latencies.as_json()}


@_calls.get("/{session}/events")
async def follow_events(
    call: FoundCall, last_event_id: Annotated[int, Header(ge=0)] = 0
) -> StreamingResponse:
    """The call's events from its beginning (or after Last-Event-ID) until it ends."""
    return StreamingResponse(
        _sent(call.parts.events, last_event_id),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store"},
    )


async def _sent(events: CallEvents, after: int) -> AsyncIterator[bytes]:
    """Events as server-sent events, with a comment when nothing happened for a while."""
    more = True
    while more:
        told = events.since(after)
        after = told[-1].seq if told else after
        yield b"".join(_sse(event) for event in told)
        try:
            async with asyncio.timeout(KEEP_ALIVE_SECONDS):
                more = await events.more(after)
        except TimeoutError:
            yield b": nothing new\n\n"


def _sse(event: CallEvent) -> bytes:
    text = json.dumps(event.as_json(), ensure_ascii=False, separators=(",", ":"))
    return format_sse_event(data_str=text, event=event.kind, id=str(event.seq))
