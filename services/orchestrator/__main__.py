"""Start an orchestrator pod: `python -m orchestrator`."""

from __future__ import annotations

import asyncio
import random

from agentkit import Catalog, CatalogError
from meshkit.endpoints import endpoint_source
from meshkit.errors import MeshError
from meshkit.fleet import Fleet
from meshkit.health import NotReady
from meshkit.logging import get_logger
from meshkit.server import MeshServer
from meshkit.service import run_service
from meshkit.startup import StartupError
from meshkit.tasks import task_group
from orchestrator.llm import OpenAIModel
from orchestrator.servicer import Deployment, OrchestratorServicer
from orchestrator.settings import OrchestratorSettings
from orchestrator.tools import Tools
from voicemesh.orchestrator.v1.orchestrator_pb2_grpc import (
    add_OrchestratorServiceServicer_to_server,
)

SERVICE = "voicemesh.orchestrator.v1.OrchestratorService"
AGAIN_SECONDS = 0.3
"""Between looks for a tool-executor that is not up yet."""
REFRESH_SECONDS = 30.0
"""Between looks for tools that changed."""
FINISH_SECONDS = 5.0
"""After the drain, for journals of conversations that are over."""

logger = get_logger("orchestrator")


async def serve(settings: OrchestratorSettings) -> None:
    """Load the agents, be ready once their tools are known to exist, serve until drained."""
    catalog = load_catalog(settings)
    model = OpenAIModel(settings)
    try:
        async with (
            Fleet("session-store", endpoint_source(settings.session_store_target)) as store,
            Fleet("tool-executor", endpoint_source(settings.tool_executor_target)) as executors,
        ):
            tools = make_tools(settings, executors)
            servicer = OrchestratorServicer(Deployment(settings, catalog, model, tools, store))
            server = make_server(settings, servicer)
            async with server, task_group() as group:
                listing = group.create_task(become_ready(server, tools, catalog))
                await server.until_drained()
                listing.cancel()
            await servicer.finished(FINISH_SECONDS)
            await tools.finished()
    finally:
        await model.aclose()


def load_catalog(settings: OrchestratorSettings) -> Catalog:
    """The agents and scenarios. Raises StartupError."""
    try:
        catalog = Catalog.load(settings.agents_dir or None, settings.scenarios_dir or None)
    except CatalogError as error:
        raise StartupError(str(error)) from None
    found = {"agents": len(catalog.agents), "scenarios": len(catalog.scenarios)}
    logger.info("catalog", extra=found)
    return catalog


def make_tools(settings: OrchestratorSettings, executors: Fleet) -> Tools:
    """The tool-executor's tools, not listed yet."""
    return Tools(executors, seconds=settings.tool_seconds, heartbeat=settings.heartbeat_seconds)


def make_server(settings: OrchestratorSettings, servicer: OrchestratorServicer) -> MeshServer:
    """The server, not yet listening."""
    server = MeshServer("orchestrator", settings, port=settings.grpc_port)
    add_OrchestratorServiceServicer_to_server(servicer, server.grpc)
    server.serves(SERVICE)
    server.on_drain(servicer.refuse_new)
    return server


async def become_ready(server: MeshServer, tools: Tools, catalog: Catalog) -> None:
    """Ready once every tool that agents name is there; then keep the list fresh.

    Raises StartupError if the tool-executor answers and lacks one.
    """
    waiting = False
    while True:
        try:
            await tools.refresh()
            break
        except MeshError as error:
            if not waiting:
                logger.info("waiting for the tool-executor", extra={"reason": error.reason})
            server.not_ready(NotReady.WAITING_FOR_TOOLS, error.reason)
            waiting = True
            await asyncio.sleep(AGAIN_SECONDS)
    try:
        catalog.check_tools(tools.names)
    except CatalogError as error:
        raise StartupError(str(error)) from None
    await server.ready()
    await keep_fresh(tools)


async def keep_fresh(tools: Tools) -> None:
    """List the tools again now and then: a tool-executor may have been rolled out since."""
    while True:
        await asyncio.sleep(REFRESH_SECONDS * (0.8 + 0.4 * random.random()))  # noqa: S311 (jitter)
        try:
            await tools.refresh()
        except MeshError as error:
            logger.warning("tools not listed", extra={"reason": error.reason})


if __name__ == "__main__":
    run_service("orchestrator", OrchestratorSettings, serve)
