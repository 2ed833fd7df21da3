"""Keeps MCP servers connected, and their tools in the registry.

One task a server: connect, list, then look again now and then; what breaks is connected anew, ever
less often. A server that is away costs its own tools only: they answer that they cannot be reached.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

from meshkit.logging import get_logger
from tool_executor.mcp_servers.declared import DeclaredServer, DeclaredTool
from tool_executor.mcp_servers.sdk import (
    Connected,
    OfferedTool,
    ServerGone,
    ServerRefused,
    connected,
)
from toolkit import Effect, Registry, ToolkitError, ToolResult

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

logger = get_logger("tool_executor.mcp")

CONNECT_SECONDS = 10.0
LOOK_AGAIN_SECONDS = 30.0
"""How often a server that is quiet is asked for its tools; finds the dead and the new."""
MAX_WAIT_SECONDS = 30.0

AWAY = "I cannot reach the system that does this at the moment."
UNKNOWN = (
    "The connection broke while I was doing that. I do not know whether it was done, so I will not"
    " repeat it."
)

Connect = Callable[
    [DeclaredServer, Mapping[str, str], float], "AbstractAsyncContextManager[Connected]"
]


class McpServers:
    """All declared servers. Entering waits for them, but no longer than `start_seconds`."""

    def __init__(
        self,
        declared: Mapping[str, DeclaredServer],
        registry: Registry,
        variables: Mapping[str, str],
        *,
        start_seconds: float,
        connect: Connect = connected,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._servers = [
            McpServer(name, server, registry, variables, connect=connect, sleep=sleep)
            for name, server in declared.items()
        ]
        self._start_seconds = start_seconds

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep them connected within the block."""
        tasks = [asyncio.create_task(server.run()) for server in self._servers]
        try:
            ready = [asyncio.create_task(server.ready.wait()) for server in self._servers]
            if ready:
                _, late = await asyncio.wait(ready, timeout=self._start_seconds)
                for waiting in late:
                    waiting.cancel()
                await asyncio.gather(*ready, return_exceptions=True)
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


class McpServer:
    """One server."""

    def __init__(
        self,
        name: str,
        declared: DeclaredServer,
        registry: Registry,
        variables: Mapping[str, str],
        *,
        connect: Connect,
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._name, self._declared, self._registry = name, declared, registry
        self._variables, self._connect, self._sleep = variables, connect, sleep
        self._served: set[str] = set()
        self._peer: Connected | None = None
        self._broken = asyncio.Event()
        self.ready = asyncio.Event()
        """Set once its tools are in the registry."""

    async def run(self) -> None:
        """Stay connected until cancelled."""
        failures = 0
        while True:
            try:
                async with self._connect(self._declared, self._variables, CONNECT_SECONDS) as peer:
                    failures = 0
                    await self._serve(peer)
            except (ServerGone, ServerRefused, TimeoutError, ExceptionGroup) as error:
                self._say_away(error, failures)
            finally:
                self._peer = None
            failures += 1
            wait = min(0.5 * 2**failures, MAX_WAIT_SECONDS)
            await self._sleep(wait * (0.5 + random.random() / 2))  # noqa: S311 (jitter)

    async def _serve(self, peer: Connected) -> None:
        """Offer its tools until the connection is found broken."""
        self._broken.clear()
        while True:
            async with asyncio.timeout(CONNECT_SECONDS):
                offered = await peer.tools()
            self._register(offered)
            self._peer = peer
            self.ready.set()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_AGAIN_SECONDS):
                    await self._broken.wait()
            if self._broken.is_set():
                raise ServerGone("a call found the connection broken")

    def _register(self, offered: list[OfferedTool]) -> None:
        for tool in offered:
            declared = self._declared.tool(tool.name)
            if declared is not None:
                self._register_one(tool, declared)

    def _register_one(self, tool: OfferedTool, declared: DeclaredTool) -> None:
        name = f"{self._name}_{tool.name}"
        schema = {"description": tool.description, "parameters": dict(tool.parameters)}
        try:
            self._registry.register(
                name,
                schema,
                self._body(tool.name, declared),
                tags={"mcp", self._name, *declared.tags},
                effect=declared.effect,
                timeout_seconds=declared.timeout_seconds,
                concurrency=declared.concurrency,
                policy=declared.policy(),
                override=name in self._served,
            )
        except ToolkitError as error:
            logger.warning(
                "tool of an MCP server left out", extra={"tool": name, "cause": str(error)}
            )
        else:
            self._served.add(name)

    def _body(self, name: str, declared: DeclaredTool) -> Callable[..., Awaitable[ToolResult]]:
        async def body(arguments: Mapping[str, Any]) -> ToolResult:
            peer = self._peer
            if peer is None:
                return ToolResult(False, AWAY, {"error": "SERVER_UNAVAILABLE"})
            try:
                return await peer.call(name, arguments, declared.timeout_seconds)
            except ServerRefused as refused:
                return ToolResult(False, str(refused), {"error": "SERVER_REFUSED"})
            except ServerGone:
                self._broken.set()
                return _broke_off(declared.effect)

        return body

    def _say_away(self, error: Exception, failures: int) -> None:
        if failures == 0:
            cause = type(error).__name__ if not str(error) else str(error)[:200]
            logger.warning("MCP server away", extra={"server": self._name, "cause": cause})


def _broke_off(effect: Effect) -> ToolResult:
    if effect is Effect.EFFECTFUL:
        return ToolResult(False, UNKNOWN, {"error": "OUTCOME_UNKNOWN"})
    return ToolResult(False, AWAY, {"error": "SERVER_UNAVAILABLE"})
