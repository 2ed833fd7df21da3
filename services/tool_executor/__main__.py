"""Start a tool-executor pod: `python -m tool_executor`."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import secrets
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from meshkit.documents import DocumentError
from meshkit.endpoints import endpoint_source
from meshkit.fleet import Fleet
from meshkit.logging import get_logger
from meshkit.server import MeshServer
from meshkit.service import run_service
from meshkit.startup import StartupError
from tool_executor.attempts import StoredAttempts
from tool_executor.audit import Audit, AuditLog, NoAudit
from tool_executor.claims import StoredClaims
from tool_executor.confirmation import StoredJournal
from tool_executor.execution import Execution
from tool_executor.knowledge import CorpusInvalid, Knowledge, KnowledgeUnavailable
from tool_executor.known import AskedTogether
from tool_executor.limits import StoredCounters
from tool_executor.policy import Limits
from tool_executor.policy_file import NOTHING_SAID, PolicyFile, read_policy
from tool_executor.safeguards import Safeguards
from tool_executor.servicer import ToolExecutorServicer
from tool_executor.settings import ToolExecutorSettings
from tool_executor.tools import shipped_tools
from tool_executor.verified import StoredVerifiedRecords
from tool_executor.wiring import make_embedder, make_knowledge_base
from toolkit import Policy, Registry, ToolkitError, add_folder, add_installed
from voicemesh.tools.v1.tool_executor_pb2_grpc import add_ToolExecutorServiceServicer_to_server

if TYPE_CHECKING:
    from tool_executor.mcp_servers import DeclaredServer

SERVICE = "voicemesh.tools.v1.ToolExecutorService"
OWN_ENTRY_POINT = "tool_executor"
MAX_PREPARE_WAIT_SECONDS = 30.0
FINISH_SECONDS = 5.0
"""After the drain, for runs that nobody listens to any more."""

logger = get_logger("tool_executor")


async def serve(settings: ToolExecutorSettings) -> None:
    """Find the tools, serve until drained."""
    embedder = make_embedder(settings)
    knowledge = make_knowledge_base(settings, embedder)
    policy, declared = make_policy(settings), declared_servers(settings)
    registry = make_registry(settings, knowledge, policy, declared)
    audit = make_audit(settings)
    store = Fleet("session-store", endpoint_source(settings.session_store_target))
    try:
        async with store, preparing(knowledge), mcp_servers(settings, registry, policy, declared):
            execution = make_execution(settings, registry, store, audit)
            server = make_server(settings, registry, execution)
            async with server:
                await server.ready()
                await server.until_drained()
            await execution.finish(FINISH_SECONDS)
    finally:
        audit.close()
        await knowledge.aclose()
        await embedder.aclose()


def make_policy(settings: ToolExecutorSettings) -> PolicyFile:
    """The deployment's policy file, if one is set. Raises StartupError."""
    if not settings.policy_file:
        return NOTHING_SAID
    try:
        return read_policy(Path(settings.policy_file))
    except DocumentError as error:
        raise StartupError(str(error)) from None


def make_registry(
    settings: ToolExecutorSettings,
    knowledge: Knowledge,
    policy: PolicyFile = NOTHING_SAID,
    declared: Mapping[str, DeclaredServer] | None = None,
) -> Registry:
    """The shipped tools, those of installed packages, and those of the folder, if one is set.

    `policy` may name tools of the MCP servers that are `declared`. Raises StartupError: a tool that
    is declared wrongly is not served without.
    """
    registry = Registry()
    try:
        registry.add_all(shipped_tools(knowledge, settings))
        add_installed(registry, skip={OWN_ENTRY_POINT})
        if settings.tools_folder:
            add_folder(registry, Path(settings.tools_folder))
        policy.hold(registry, lambda name: _declared_policy(declared or {}, name))
    except (ToolkitError, DocumentError) as error:
        raise StartupError(str(error)) from None
    logger.info("tools", extra={"count": len(registry)})
    return registry


def _declared_policy(declared: Mapping[str, DeclaredServer], name: str) -> Policy | None:
    if not declared:
        return None
    from tool_executor.mcp_servers import declared_policy

    return declared_policy(declared, name)


def declared_servers(settings: ToolExecutorSettings) -> Mapping[str, DeclaredServer]:
    """The MCP servers of the deployment's file, if one is set. Raises StartupError.

    Without any, their SDK is not even imported: it takes 40 MB.
    """
    if not settings.mcp_servers_file:
        return {}
    try:
        from tool_executor.mcp_servers import read_servers

        return read_servers(Path(settings.mcp_servers_file), os.environ)
    except ModuleNotFoundError as error:
        raise StartupError(
            f"mcp_servers_file is set, but {error.name} is not installed: install voicemesh[mcp]"
        ) from None
    except DocumentError as error:
        raise StartupError(str(error)) from None


def mcp_servers(
    settings: ToolExecutorSettings,
    registry: Registry,
    policy: PolicyFile,
    declared: Mapping[str, DeclaredServer],
) -> contextlib.AbstractAsyncContextManager[None]:
    """What keeps the tools of the declared MCP servers in the registry, held to the policy file."""
    if not declared:
        return contextlib.nullcontext()
    from tool_executor.mcp_servers import McpServers

    servers = McpServers(
        declared, registry, os.environ, start_seconds=settings.mcp_start_seconds, policy=policy
    )
    return servers.running()


def make_audit(settings: ToolExecutorSettings) -> AuditLog | NoAudit:
    """The audit log that the settings name."""
    if not settings.audit_folder:
        return NoAudit()
    return AuditLog(Path(settings.audit_folder), days=settings.audit_days)


def make_execution(
    settings: ToolExecutorSettings, registry: Registry, store: Fleet, audit: Audit
) -> Execution:
    """What runs the registry's tools against the session-store's records."""
    records = StoredVerifiedRecords(store, seconds=settings.store_seconds)
    claims = StoredClaims(
        store,
        f"tool-executor-{secrets.token_hex(8)}",
        seconds=settings.store_seconds,
        ttl=settings.claim_seconds,
        wait=settings.claim_wait_seconds,
    )
    execution = Execution(
        registry,
        records,
        audit,
        claims,
        attempts=StoredAttempts(store, seconds=settings.store_seconds),
        safeguards=Safeguards(
            StoredJournal(store, seconds=settings.store_seconds),
            StoredCounters(store, seconds=settings.store_seconds),
            records,
        ),
        known=AskedTogether(records, claims),
        limits=Limits(in_turn=settings.turn_max_runs, in_call=settings.call_max_runs),
        max_runs=settings.max_runs,
        kept_outcomes=settings.kept_outcomes,
    )
    settings.live.on_change("turn_max_runs", lambda runs: execution.limit(in_turn=runs))
    settings.live.on_change("call_max_runs", lambda runs: execution.limit(in_call=runs))
    return execution


def make_server(
    settings: ToolExecutorSettings, registry: Registry, execution: Execution
) -> MeshServer:
    """The server, not yet listening."""
    server = MeshServer("tool-executor", settings, port=settings.grpc_port)
    servicer = ToolExecutorServicer(registry, execution, settings.heartbeat_seconds)
    add_ToolExecutorServiceServicer_to_server(servicer, server.grpc)
    server.serves(SERVICE)
    server.on_drain(execution.refuse_new)
    return server


@contextlib.asynccontextmanager
async def preparing(knowledge: Knowledge) -> AsyncIterator[None]:
    """Make the index within the block, in the background: the first caller need not wait for it.

    The embeddings endpoint may come up after us, so it is asked again, ever less often.
    """
    task = asyncio.create_task(_prepare(knowledge))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _prepare(knowledge: Knowledge) -> None:
    wait = 0.5
    while True:
        try:
            index = await knowledge.prepare()
            logger.info("knowledge base ready", extra={"passages": len(index)})
            return
        except CorpusInvalid as error:
            logger.error("knowledge base not readable", extra={"cause": str(error)})
            return
        except KnowledgeUnavailable as error:
            logger.info("knowledge base waits", extra={"cause": str(error)})
        await asyncio.sleep(wait * (0.5 + random.random()))  # noqa: S311 (jitter)
        wait = min(wait * 2, MAX_PREPARE_WAIT_SECONDS)


if __name__ == "__main__":
    run_service("tool-executor", ToolExecutorSettings, serve)
