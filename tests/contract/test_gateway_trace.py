"""A socket whose dialler traces: the call links to it, and its trace is its own."""

from __future__ import annotations

import uuid

import aiohttp
import pytest

from acs_standin.wire import metadata_message
from meshkit.telemetry import configure_tracing
from tests.support.gateway_rig import rig
from tests.support.otlp_sink import ReceivedSpan, otlp_sink

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


async def call_span(headers: dict[str, str]) -> ReceivedSpan:
    """The span of a call that was dialled with these headers and hung up at once."""
    with otlp_sink() as sink:
        tracing = configure_tracing("gateway", "1", sink.endpoint)
        async with rig() as mesh, aiohttp.ClientSession() as http:
            told = {"x-ms-call-connection-id": "call-1", **headers}
            async with http.ws_connect(mesh.media, headers=told) as socket:
                await socket.send_str(metadata_message(str(uuid.uuid4())))
                await mesh.until("turn_finished", turn="t0")
            await mesh.until("call_ended")
        await tracing.aclose()
    (call,) = [span for span in sink.spans if span.name == "call"]
    assert call.parent == "", "a stranger's trace is not joined, and decides nothing"
    return call


@pytest.mark.parametrize("sampled", ["00", "01"])
async def test_a_call_links_to_the_span_of_its_dialler(sampled: str) -> None:
    call = await call_span({"traceparent": f"00-{TRACE}-{SPAN}-{sampled}"})
    assert call.links == ((TRACE, SPAN),)
    assert call.trace != TRACE


async def test_what_is_no_traceparent_is_passed_over() -> None:
    call = await call_span({"traceparent": "00-nonsense"})
    assert call.links == ()
