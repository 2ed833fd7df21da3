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

from meshkit.documents import DocumentError
from meshkit.logging import get_logger
from tool_executor.mcp_servers.declared import DeclaredServer, DeclaredTool
from tool_executor.mcp_servers.schemas import taken_schema
from tool_executor.mcp_servers.sdk import (
    MAX_TOOLS,
    Connected,
    OfferedTool,
    ServerGone,
    ServerRefused,
    connected,
)
from tool_executor.policy_file import NOTHING_SAID, PolicyFile
from toolkit import (
    Effect,
    OutcomeUnknown,
    Registry,
    Tool,
    ToolContext,
    ToolkitError,
    ToolResult,
)
from toolkit.declaring import checked
from toolkit.schema import checked_schema

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

logger = get_logger("tool_executor.mcp")

CONNECT_SECONDS = 10.0
LOOK_AGAIN_SECONDS = 30.0
"""How often a server that is quiet is asked for its tools; finds the dead and the new."""
MAX_WAIT_SECONDS = 30.0
BEYOND_SECONDS = 5.0
"""How much longer than the tool's own deadline, which is kept elsewhere, an answer is waited for."""
SETTLE_SECONDS = 1.0
"""Between two looks at the tools of a server that keeps saying that they changed."""

AWAY = "I cannot reach the system that does this at the moment."

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
        policy: PolicyFile = NOTHING_SAID,
        connect: Connect = connected,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._servers = [
            McpServer(
                name, server, registry, variables, policy=policy, connect=connect, sleep=sleep
            )
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
        policy: PolicyFile,
        connect: Connect,
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._name, self._declared, self._registry = name, declared, registry
        self._variables, self._policy = variables, policy
        self._connect, self._sleep = connect, sleep
        self._served: set[str] = set()
        self._left_out: dict[str, str] = {}
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
            self._take(offered)
            self._peer = peer
            self.ready.set()
            if await self._until_changed(peer):
                await self._sleep(SETTLE_SECONDS)

    async def _until_changed(self, peer: Connected) -> bool:
        """Wait until its tools are to be looked at again; whether it said so. Raises ServerGone."""
        changed = asyncio.create_task(peer.changed())
        broken = asyncio.create_task(self._broken.wait())
        try:
            await asyncio.wait(
                {changed, broken}, timeout=LOOK_AGAIN_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
            if self._broken.is_set():
                raise ServerGone("a call found the connection broken")
            return changed.done()
        finally:
            changed.cancel()
            broken.cancel()
            await asyncio.gather(changed, broken, return_exceptions=True)

    def _take(self, offered: list[OfferedTool]) -> None:
        """Serve what it offers now, under what is declared; no longer what it does not offer."""
        found: dict[str, Tool] = {}
        for each in offered:
            declared = self._declared.tool(each.name)
            tool = self._taken(each, declared, found) if declared else None
            if tool is not None:
                found[tool.name] = tool
        for name in self._served - found.keys():
            self._registry.remove(name)
        for tool in found.values():
            self._registry.add(tool, override=True)
        self._served = set(found)

    def _taken(
        self, offered: OfferedTool, declared: DeclaredTool, found: Mapping[str, Tool]
    ) -> Tool | None:
        """The tool as it is served; None for one that cannot be, because of what would not hold."""
        name = f"{self._name}_{offered.name}"
        try:
            if name in found or (name in self._registry and name not in self._served):
                raise ToolkitError("there is a tool of that name already")
            return self._policy.tightened(self._made(name, offered, declared))
        except (ToolkitError, DocumentError, RecursionError) as error:
            self._leave_out(name, str(error)[:300])
            return None

    def _leave_out(self, name: str, cause: str) -> None:
        """Said once, and not at every look."""
        if self._left_out.get(name) != cause and len(self._left_out) < MAX_TOOLS:
            self._left_out[name] = cause
            logger.error("tool of an MCP server left out", extra={"tool": name, "cause": cause})

    def _made(self, name: str, offered: OfferedTool, declared: DeclaredTool) -> Tool:
        schema = {
            "description": offered.description,
            "parameters": taken_schema(offered.parameters),
        }
        effect = declared.effect
        if not declared.says_effect and self._declared.believe_hints:
            effect = offered.hinted
        made = Tool(
            name=name,
            schema=checked_schema(name, schema),
            body=self._body(offered.name, declared, effect),
            takes_context=True,
            tags=frozenset({"mcp", self._name, *declared.tags}),
            effect=effect,
            timeout_seconds=declared.timeout_seconds,
            concurrency=declared.concurrency,
            claimed=declared.claimed,
            cancellable=declared.cancellable,
            long_running=declared.long_running,
            policy=declared.policy(),
        )
        return checked(made)

    def _body(
        self, name: str, declared: DeclaredTool, effect: Effect
    ) -> Callable[..., Awaitable[ToolResult]]:
        seconds = declared.timeout_seconds + BEYOND_SECONDS

        async def body(arguments: Mapping[str, Any], context: ToolContext) -> ToolResult:
            peer = self._peer
            if peer is None:
                return ToolResult(False, AWAY, {"error": "SERVER_UNAVAILABLE"})
            report = context.progress if declared.long_running else None
            try:
                return await peer.call(name, arguments, seconds, report)
            except ServerRefused as refused:
                return ToolResult(False, str(refused), {"error": "SERVER_REFUSED"})
            except ServerGone:
                self._broken.set()
                if effect is Effect.EFFECTFUL:
                    raise OutcomeUnknown from None
                return ToolResult(False, AWAY, {"error": "SERVER_UNAVAILABLE"})

        return body

    def _say_away(self, error: Exception, failures: int) -> None:
        if failures == 0:
            cause = type(error).__name__ if not str(error) else str(error)[:200]
            logger.warning("MCP server away", extra={"server": self._name, "cause": cause})
