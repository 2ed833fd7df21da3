"""The one module that imports the MCP SDK: connecting, listing and calling, in our own terms.

A server is spoken to by the streams of a process that we start, or by streamable HTTP. Its standard
error is dropped, because it may repeat what a caller said. Nothing that a server could ask of a
client (sampling, elicitation, roots) is offered.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import anyio
import httpx2
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CONNECTION_CLOSED, REQUEST_TIMEOUT, CallToolResult, TextContent

from tool_executor.mcp_servers.declared import DeclaredServer
from toolkit import ToolResult

MAX_TOOLS = 500
MAX_DESCRIPTION = 1024
"""Characters of a server's description that our model is shown."""
MAX_MESSAGE = 4000


class ServerGone(Exception):
    """The connection broke, or never was: what was asked may or may not have been done."""


class ServerRefused(Exception):
    """The server answered that it would not do it. The message is the server's, bounded."""


@dataclass(frozen=True, slots=True)
class OfferedTool:
    """A tool as its server describes it."""

    name: str
    description: str
    parameters: Mapping[str, Any]


class Connected:
    """A server that answers."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def tools(self) -> list[OfferedTool]:
        """What it offers, the first MAX_TOOLS. Raises ServerGone, ServerRefused."""
        found: list[OfferedTool] = []
        cursor: str | None = None
        with _as_our_own():
            while len(found) < MAX_TOOLS:
                page = await self._client.list_tools(cursor=cursor, cache_mode="bypass")
                found += [
                    OfferedTool(tool.name, _plain(tool.description or ""), tool.input_schema)
                    for tool in page.tools
                ]
                cursor = page.next_cursor
                if not cursor:
                    break
        return found[:MAX_TOOLS]

    async def call(self, name: str, arguments: Mapping[str, Any], seconds: float) -> ToolResult:
        """Run a tool there. Raises ServerGone, ServerRefused, TimeoutError."""
        with _as_our_own():
            result = await self._client.call_tool(name, dict(arguments), seconds)
            return _result(result)


@contextlib.asynccontextmanager
async def connected(
    server: DeclaredServer, variables: Mapping[str, str], seconds: float
) -> AsyncIterator[Connected]:
    """A connection to a server, made within so long. Raises ServerGone, TimeoutError."""
    async with contextlib.AsyncExitStack() as stack:
        try:
            # A scope of anyio could not be left here, inside those that the SDK has entered.
            async with asyncio.timeout(seconds):
                client = await _entered(stack, server, variables, seconds)
        except (MCPError, OSError, httpx2.HTTPError, anyio.BrokenResourceError) as error:
            raise ServerGone(type(error).__name__) from error
        yield Connected(client)


async def _entered(
    stack: contextlib.AsyncExitStack,
    server: DeclaredServer,
    variables: Mapping[str, str],
    seconds: float,
) -> Client:
    if server.command:
        dropped = stack.enter_context(open(os.devnull, "w"))  # noqa: ASYNC230, SIM115 (the null device does not block)
        parameters = StdioServerParameters(
            command=server.command[0],
            args=list(server.command[1:]),
            env={name: variables[ours] for name, ours in server.environment.items()},
        )
        transport = stdio_client(parameters, errlog=dropped)
    else:
        headers = {name: variables[ours] for name, ours in server.headers.items()}
        http = httpx2.AsyncClient(headers=headers, timeout=httpx2.Timeout(seconds, read=None))
        await stack.enter_async_context(http)
        transport = streamable_http_client(server.url, http_client=http)
    return await stack.enter_async_context(Client(transport, cache=None))


@contextlib.contextmanager
def _as_our_own() -> Iterator[None]:
    try:
        yield
    except MCPError as error:
        if error.code == CONNECTION_CLOSED:
            raise ServerGone("the connection closed") from None
        if error.code == REQUEST_TIMEOUT:
            raise TimeoutError from None
        raise ServerRefused(_plain(error.message)) from None
    except (
        OSError,
        httpx2.HTTPError,
        anyio.ClosedResourceError,
        anyio.BrokenResourceError,
    ) as error:
        raise ServerGone(type(error).__name__) from None


def _result(result: CallToolResult) -> ToolResult:
    """Texts become the message; structured content the fields. Images and the like are left out."""
    texts = [part.text for part in result.content if isinstance(part, TextContent)]
    structured = result.structured_content
    if structured is None:
        fields: dict[str, Any] = {}
    else:
        fields = dict(structured) if isinstance(structured, dict) else {"result": structured}
    for ours in ("success", "message"):
        fields.pop(ours, None)
    message = _spoken(" ".join(texts), fields)
    return ToolResult(not result.is_error, message[:MAX_MESSAGE], fields)


def _spoken(text: str, fields: Mapping[str, Any]) -> str:
    """A server that only repeats its fields as JSON has nothing to say."""
    with contextlib.suppress(ValueError):
        said = json.loads(text)
        if isinstance(said, dict) and said.keys() == fields.keys():
            return ""
    return text


def _plain(text: str) -> str:
    """One line without control characters, bounded."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:MAX_DESCRIPTION]
