"""Start an orchestrator pod: `python -m orchestrator`."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack, suppress

from agentkit import Catalog, CatalogError
from meshkit.endpoints import endpoint_source
from meshkit.errors import MeshError
from meshkit.fleet import Fleet
from meshkit.logging import get_logger
from meshkit.server import MeshServer
from meshkit.service import run_service
from meshkit.startup import StartupError
from orchestrator.conversation import Surroundings
from orchestrator.llm import OpenAIModel
from orchestrator.servicer import OrchestratorServicer
from orchestrator.settings import OrchestratorSettings
from orchestrator.tools import Tools
from voicemesh.orchestrator.v1.orchestrator_pb2_grpc import (
    add_OrchestratorServiceServicer_to_server,
)

logger = get_logger("orchestrator")

SERVICE = "voicemesh.orchestrator.v1.OrchestratorService"
AGAIN_SECONDS = 0.5


async def serve(settings: OrchestratorSettings) -> None:
    """Load the catalog, check it against the tools there are, serve until drained."""
    catalog = _catalog(settings)
    async with AsyncExitStack() as stack:
        model = OpenAIModel(settings)
        stack.push_async_callback(model.aclose)
        store = await stack.enter_async_context(
            Fleet("session-store", endpoint_source(settings.session_store_target))
        )
        executor = await stack.enter_async_context(
            Fleet("tool-executor", endpoint_source(settings.tool_executor_target))
        )
        tools = Tools(executor, seconds=settings.tool_seconds, heartbeat=settings.heartbeat_seconds)
        server = make_server(settings, catalog, store, model, tools)
        await stack.enter_async_context(server)
        await _serve_when_checked(server, catalog, tools)


def make_server(
    settings: OrchestratorSettings,
    catalog: Catalog,
    store: Fleet,
    model: OpenAIModel,
    tools: Tools,
) -> MeshServer:
    """The pod's server, not yet bound."""
    around = Surroundings(
        model, tools, settings.max_rounds, settings.max_history_turns, time.monotonic
    )
    servicer = OrchestratorServicer(
        catalog,
        store,
        around,
        heartbeat=settings.heartbeat_seconds,
        max_conversations=settings.max_conversations,
    )
    server = MeshServer("orchestrator", settings, port=settings.grpc_port)
    add_OrchestratorServiceServicer_to_server(servicer, server.grpc)
    server.serves(SERVICE)
    server.on_drain(servicer.drain)
    return server


async def _serve_when_checked(server: MeshServer, catalog: Catalog, tools: Tools) -> None:
    """Not ready before the tools are known: an agent must not name one that does not exist."""
    draining = asyncio.create_task(server.until_drained())
    checking = asyncio.create_task(_check_tools(catalog, tools))
    try:
        await asyncio.wait({draining, checking}, return_when=asyncio.FIRST_COMPLETED)
        if checking.done():
            checking.result()
            await server.ready()
        await draining
    finally:
        for task in (draining, checking):
            task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(draining, checking, return_exceptions=True)


async def _check_tools(catalog: Catalog, tools: Tools) -> None:
    """Ask until the tool-executor answers. Raises StartupError for an unknown tool."""
    while True:
        try:
            await tools.refresh()
        except MeshError as error:
            logger.warning("tools not known yet", extra={"reason": error.reason})
            await asyncio.sleep(AGAIN_SECONDS)
            continue
        try:
            catalog.check_tools(tools.names)
        except CatalogError as error:
            raise StartupError(str(error)) from None
        return


def _catalog(settings: OrchestratorSettings) -> Catalog:
    try:
        return Catalog.load(settings.agents_dir or None, settings.scenarios_dir or None)
    except CatalogError as error:
        raise StartupError(str(error)) from None


if __name__ == "__main__":
    run_service("orchestrator", OrchestratorSettings, serve)
