"""The console: a page that shows what happens in this mesh, and the routes that it asks.

The page is three static files without anything secret in them, so anybody who reaches the gateway gets
them; what they show comes from the routes, for who has the control key. Where no key is set the gateway
listens on loopback only, and answers these routes only to a browser that asked it by a name of
loopback: a page of another host cannot make its own name mean this machine.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import JSONResponse

from gateway.access import is_loopback
from gateway.console_calls import KnownCalls
from gateway.console_view import series_row, waterfall
from gateway.problems import Problem
from gateway.settings import GatewaySettings

if TYPE_CHECKING:
    from meshkit.ring_receiver import TelemetryRing

NO_RING = (
    "This gateway keeps no telemetry: start the mesh with `voicemesh up`, or set"
    " VOICEMESH_TELEMETRY_RING_PORT for every service."
)
COLLECTOR = "Traces and metrics go to the collector that VOICEMESH_OTLP_ENDPOINT names; look there."
MAX_CALLS = 200
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self';"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}
"""Of the page: scripts and styles of its own only, embedded nowhere."""
_STATIC = {
    "console.js": "text/javascript; charset=utf-8",
    "console.css": "text/css; charset=utf-8",
}


@dataclass(frozen=True, slots=True)
class Console:
    """What the console knows besides the calls of the gateway."""

    ring: TelemetryRing | None = None
    collector: bool = False
    """Whether telemetry goes elsewhere."""
    known: KnownCalls = field(init=False)

    def __post_init__(self) -> None:
        """Begin with the ring's calls."""
        object.__setattr__(self, "known", KnownCalls(self.ring.spans if self.ring else None))

    @property
    def why_empty(self) -> str:
        """Why there is no telemetry, and where it is; empty: there is."""
        return "" if self.ring else COLLECTOR if self.collector else NO_RING


@asynccontextmanager
async def opened(settings: GatewaySettings) -> AsyncIterator[Console]:
    """A console, with a ring where the settings have one. Raises StartupError."""
    if settings.telemetry_ring_port is None or not settings.uses_ring:
        yield Console(collector=bool(settings.otlp_endpoint))
        return
    from meshkit.ring_receiver import ring_served  # who has no ring does not pay for it

    async with ring_served(settings.telemetry_ring_port) as ring:
        yield Console(ring)


page = APIRouter(prefix="/console")
router = APIRouter(prefix="/api/v1/console")
"""To be included with the check of the control key."""

Session = Annotated[str, Path(pattern=r"^[A-Za-z0-9._~-]{1,256}$")]


@page.get("", include_in_schema=False)
async def get_page() -> Response:
    """The page."""
    return _static("index.html", "text/html; charset=utf-8")


@page.get("/{name}", include_in_schema=False)
async def get_static(name: str) -> Response:
    """Its script and its style."""
    if name not in _STATIC:
        raise Problem(404, "The console has no such file; open /console.")
    return _static(name, _STATIC[name])


async def only_from_here(request: Request) -> None:
    """Refuse who asked by a foreign name where no key guards. Raises Problem."""
    if not request.app.state.control_key and not is_loopback(_host(request)):
        raise Problem(
            403,
            "Without a control key this answers to localhost and 127.0.0.1 only; ask by one of"
            " them, or set VOICEMESH_CONTROL_KEY.",
        )


@router.get("")
async def get_console(request: Request) -> dict[str, Any]:
    """What is kept, and if nothing is, why."""
    console = _console(request)
    ring = console.ring
    kept = None
    if ring is not None:
        spans = ring.spans
        kept = {
            "spans": spans.spans,
            "bytes": spans.size,
            "forgotten_traces": spans.forgotten,
            "series": len(ring.series),
        }
    return {"ring": kept, "why_empty": console.why_empty}


@router.get("/calls")
async def list_calls(
    request: Request, limit: Annotated[int, Query(ge=1, le=MAX_CALLS)] = 50
) -> Response:
    """The newest calls, of which telemetry or the gateway knows, newest first."""
    rows = _console(request).known.rows(request.app.state.calls, limit)
    return JSONResponse({"calls": rows})


@router.get("/calls/{session}")
async def get_call(session: Session, request: Request) -> Response:
    """The traces of a session, one for each leg of its call."""
    traces = _ring(request).spans.of_session(session)
    if not traces:
        raise Problem(
            404,
            "No spans of this session are kept. They arrive a few seconds after what they"
            " tell of; GET /api/v1/console/calls lists the calls that are known.",
        )
    return JSONResponse({"session": session, "traces": [waterfall(trace) for trace in traces]})


@router.get("/metrics")
async def get_metrics(
    request: Request, name: Annotated[str, Query(max_length=128)] = ""
) -> Response:
    """Every series as it stands, or those of one metric with their history."""
    found = _ring(request).series.series(name)
    return JSONResponse({"series": [series_row(one, history=bool(name)) for one in found]})


def _host(request: Request) -> str:
    """The name in the Host header; empty: there is none that could be read."""
    try:
        return urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
    except ValueError:
        return ""


def _console(request: Request) -> Console:
    console: Console = request.app.state.console
    return console


def _ring(request: Request) -> TelemetryRing:
    console = _console(request)
    if console.ring is None:
        raise Problem(404, console.why_empty)
    return console.ring


def _static(name: str, media_type: str) -> Response:
    content = files("gateway").joinpath("static", name).read_bytes()
    return Response(content, media_type=media_type, headers=HEADERS)
