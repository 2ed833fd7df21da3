"""An orchestrator is ready once its tools are listed, and says what it waits for until then."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import grpc
import pytest

from agentkit import Catalog
from meshkit.errors import unreachable
from meshkit.server import MeshServer
from meshkit.settings import MeshSettings
from orchestrator import __main__ as start


class ToolsOfLater:
    """Tools whose executor answers when it is asked for the third time."""

    def __init__(self, catalog: Catalog, before: Callable[[], None]) -> None:
        self.asked = 0
        self.names = {str(tool) for agent in catalog.agents.values() for tool in agent.tools}
        self._before = before

    async def refresh(self) -> None:
        self.asked += 1
        self._before()
        if self.asked < 3:
            raise unreachable(grpc.StatusCode.UNAVAILABLE, "nobody there", "tool-executor")


async def test_it_says_that_it_waits_for_the_tool_executor_until_it_is_ready(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(start, "AGAIN_SECONDS", 0.0)
    catalog = Catalog.load()
    server = MeshServer("orchestrator", MeshSettings(), port=0)
    said: list[tuple[str, ...]] = []
    tools = ToolsOfLater(catalog, lambda: said.append(server.status().not_ready))
    async with server:
        task = asyncio.create_task(start.become_ready(server, tools, catalog))  # type: ignore[arg-type]
        async with asyncio.timeout(5):
            while server.status().not_ready:
                assert not task.done()
                await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    waiting = ("waiting for the tool-executor: UNAVAILABLE",)
    assert said == [("starting",), waiting, waiting]
