"""The console of a whole mesh: a call is there, with its trace through all five services."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest

from acs_standin.caller import PlacedCall
from cli.call import Conversation, Line
from meshkit.call_graph import EDGES, SERVICES, built
from tests.support.scripted_mesh import scripted_mesh
from tests.support.tonetext import encode

pytestmark = pytest.mark.slow

SAID = 'tool search_knowledge_base {"query": "secret balance"}'
PATIENCE_SECONDS = 30.0
"""Services export spans each two seconds and metrics each five."""
LOOK_SECONDS = 0.2


class Page:
    """What the page asks."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self._http, self._url = http, url

    async def get(self, path: str) -> Any:
        async with self._http.get(f"{self._url}/api/v1/console{path}") as answer:
            return await answer.json()

    async def until(self, path: str, wanted: Callable[[Any], bool]) -> Any:
        """Ask until it is told, as the page does; fails with what was told last."""
        told: Any = None
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not wanted(told := await self.get(path)):
                    await asyncio.sleep(LOOK_SECONDS)
        except TimeoutError:
            pytest.fail(f"{path} told in the end only {told}")
        return told


def edges(spans: list[dict[str, Any]]) -> set[tuple[str, str]]:
    services = {span["id"]: span["service"] for span in spans}
    called = {(services[span["parent"]], span["service"]) for span in spans if span["parent"]}
    return {(caller, callee) for caller, callee in called if caller != callee}


def is_whole(told: Any) -> bool:
    """Whether a call's trace has its root, all parents and all services; spans come in no order."""
    traces = told.get("traces", [])
    ids = {span["id"] for trace in traces for span in trace["spans"]}
    services = {span["service"] for trace in traces for span in trace["spans"]}
    return services == set(SERVICES) and all(
        trace["complete"] and all(s["parent"] in ids or not s["parent"] for s in trace["spans"])
        for trace in traces
    )


@pytest.mark.timeout(180)
async def test_a_call_is_shown_with_its_trace_through_all_services() -> None:
    async with scripted_mesh(ring=True) as mesh, aiohttp.ClientSession() as http:
        page = Page(http, mesh.control_url)
        assert (await page.get("/calls")) == {"calls": []}
        async with PlacedCall(f"{mesh.media_url}?scenario=banking") as call:
            conversation = Conversation(call, lambda event: None, turn_seconds=20.0)
            await conversation.run([Line(SAID, encode(SAID))], mesh.control_url)
        session = call.call_connection_id
        shown = await page.until(f"/calls/{session}", is_whole)
        (row,) = (await page.get("/calls"))["calls"]
        pools = await page.until(
            "/metrics?name=voicemesh_pool_clients", lambda told: len(told["series"]) >= 14
        )
        lag = await page.until(
            "/metrics?name=voicemesh_event_loop_lag_seconds",
            lambda told: {one["service"] for one in told["series"]} == set(SERVICES),
        )
        async with http.get(f"{mesh.control_url}/console") as answer:
            assert answer.status == 200
    assert (row["session"], row["state"], row["reason"]) == (session, "ended", "caller_hung_up")
    assert set(row["services"]) == set(SERVICES)
    assert (row["turns"], row["failed_spans"], row["agents"]) == (2, 0, ["concierge"])
    (trace,) = shown["traces"]
    declared = {(edge.caller, edge.callee) for edge in built(EDGES)}
    # Without a quota in the settings, the speech-pool asks the session-store nothing.
    assert edges(trace["spans"]) == declared - {("speech-pool", "session-store")}
    names = [span["name"] for span in trace["spans"]]
    stages = ("final", "first_token", "first_segment", "first_audio", "first_frame")
    assert {f"stage_{stage}" for stage in stages} <= set(names)
    assert names[0] == "call"
    assert "execute_tool search_knowledge_base" in names
    assert all(len(one["history"]) >= 1 for one in pools["series"] + lag["series"])
    assert "balance" not in repr((shown, pools, lag)), "what was said is nowhere"
