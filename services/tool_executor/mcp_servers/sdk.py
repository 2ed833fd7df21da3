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
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import anyio
import httpx2
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.client.subscriptions import ListenNotSupportedError, SubscriptionLost
from mcp_types import (
    CONNECTION_CLOSED,
    REQUEST_TIMEOUT,
    CallToolResult,
    TextContent,
    ToolAnnotations,
    ToolListChangedNotification,
)

from tool_executor.mcp_servers.declared import DeclaredServer
from tool_executor.mcp_servers.schemas import plain
from toolkit import Effect, ToolResult

MAX_TOOLS = 500
MAX_DESCRIPTION = 1024
"""Characters of a server's description that our model is shown."""
MAX_MESSAGE = 4000

MAX_RESPONSE_BYTES = 32 * 1024 * 1024
"""Of one HTTP response; a stream that has come to that is opened anew. What a process of ours writes is
not bounded."""

Report = Callable[[str, int], None]
"""Takes a message and a percentage."""


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
    hinted: Effect = Effect.EFFECTFUL
    """What it does by the server's own annotations; without any, that it acts."""


class Connected:
    """A server that answers. `told` is set when it says that its tools changed."""

    def __init__(self, client: Client, told: asyncio.Event) -> None:
        self._client, self._told = client, told

    async def tools(self) -> list[OfferedTool]:
        """What it offers, the first MAX_TOOLS. Raises ServerGone, ServerRefused."""
        found: list[OfferedTool] = []
        cursor: str | None = None
        with _as_our_own():
            while len(found) < MAX_TOOLS:
                page = await self._client.list_tools(cursor=cursor, cache_mode="bypass")
                found += [
                    OfferedTool(
                        tool.name,
                        plain(tool.description or "", MAX_DESCRIPTION),
                        tool.input_schema,
                        _hinted(tool.annotations),
                    )
                    for tool in page.tools
                ]
                cursor = page.next_cursor
                if not cursor:
                    break
        return found[:MAX_TOOLS]

    async def changed(self) -> None:
        """Return when the server says that its tools changed, which it may never do.

        Raises ServerGone.
        """
        with contextlib.suppress(ListenNotSupportedError, SubscriptionLost, MCPError, TimeoutError):
            async with self._client.listen(tools_list_changed=True) as changes:
                async for _ in changes:
                    return
        self._told.clear()  # an older protocol tells it without being asked
        await self._told.wait()

    async def call(
        self,
        name: str,
        arguments: Mapping[str, Any],
        seconds: float,
        report: Report | None = None,
    ) -> ToolResult:
        """Run a tool there; `report` hears of its progress. Raises ServerGone, ServerRefused,
        TimeoutError."""

        async def heard(progress: float, total: float | None, message: str | None) -> None:
            if report is not None:
                percent = 100 * progress / total if total else progress
                report(plain(message or "", MAX_DESCRIPTION), int(min(100.0, max(0.0, percent))))

        with _as_our_own():
            callback = heard if report is not None else None
            result = await self._client.call_tool(name, dict(arguments), seconds, callback)
            return _result(result)


@contextlib.asynccontextmanager
async def connected(
    server: DeclaredServer, variables: Mapping[str, str], seconds: float
) -> AsyncIterator[Connected]:
    """A connection to a server, made within so long. Raises ServerGone, TimeoutError."""
    told = asyncio.Event()
    async with contextlib.AsyncExitStack() as stack:
        try:
            # A scope of anyio could not be left here, inside those that the SDK has entered.
            async with asyncio.timeout(seconds):
                client = await _entered(stack, server, variables, seconds, told)
        except (MCPError, OSError, httpx2.HTTPError, anyio.BrokenResourceError) as error:
            raise ServerGone(type(error).__name__) from error
        yield Connected(client, told)


async def _entered(
    stack: contextlib.AsyncExitStack,
    server: DeclaredServer,
    variables: Mapping[str, str],
    seconds: float,
    told: asyncio.Event,
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
        http = httpx2.AsyncClient(
            headers=headers,
            timeout=httpx2.Timeout(seconds, read=None),
            transport=_Bounded(httpx2.AsyncHTTPTransport(), MAX_RESPONSE_BYTES),
        )
        await stack.enter_async_context(http)
        transport = streamable_http_client(server.url, http_client=http)

    async def hear(message: object) -> None:
        if isinstance(message, ToolListChangedNotification):
            told.set()

    client = Client(transport, cache=None, message_handler=hear)
    return await stack.enter_async_context(client)


class _Bounded(httpx2.AsyncBaseTransport):
    """Reads no response further than so many bytes: a server cannot fill our memory."""

    def __init__(self, inner: httpx2.AsyncBaseTransport, most: int) -> None:
        self._inner, self._most = inner, most

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """The response, its stream counted."""
        response = await self._inner.handle_async_request(request)
        assert isinstance(response.stream, httpx2.AsyncByteStream)
        stream = _Counted(response.stream, self._most)
        return httpx2.Response(
            response.status_code,
            headers=response.headers,
            stream=stream,
            extensions=response.extensions,
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()


class _Counted(httpx2.AsyncByteStream):
    def __init__(self, inner: httpx2.AsyncByteStream, most: int) -> None:
        self._inner, self._most = inner, most

    async def __aiter__(self) -> AsyncIterator[bytes]:
        read = 0
        async for chunk in self._inner:
            read += len(chunk)
            if read > self._most:
                raise httpx2.ReadError("the response is too large")
            yield chunk

    async def aclose(self) -> None:
        await self._inner.aclose()


def _hinted(annotations: ToolAnnotations | None) -> Effect:
    if annotations is None:
        return Effect.EFFECTFUL
    if annotations.read_only_hint:
        return Effect.READ_ONLY
    return Effect.IDEMPOTENT if annotations.idempotent_hint else Effect.EFFECTFUL


@contextlib.contextmanager
def _as_our_own() -> Iterator[None]:
    try:
        yield
    except MCPError as error:
        if error.code == CONNECTION_CLOSED:
            raise ServerGone("the connection closed") from None
        if error.code == REQUEST_TIMEOUT:
            raise TimeoutError from None
        raise ServerRefused(plain(error.message, MAX_DESCRIPTION)) from None
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
