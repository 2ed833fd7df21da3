"""The gateway's account of a call, followed as it happens, by server-sent events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp

Event = dict[str, Any]

APPEAR_SECONDS = 10.0
RETRY_SECONDS = 0.1


class EventsError(Exception):
    """The gateway does not tell of the call. The message says why."""


async def follow(control_url: str, session: str, key: str = "") -> AsyncIterator[Event]:
    """The events of a call from its beginning to its end. Raises EventsError.

    The call appears at the gateway a moment after its socket; until then the answer is 404.
    """
    url = f"{control_url}/api/v1/calls/{session}/events"
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    timeout = aiohttp.ClientTimeout(total=None, connect=5.0, sock_read=None)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, headers=headers) as http,
            await _open(http, url) as answer,
        ):
            async for event in _parse(answer.content):
                yield event
    except (aiohttp.ClientError, OSError) as error:
        raise EventsError(f"the gateway's events at {url} broke off: {error}") from None


async def _open(http: aiohttp.ClientSession, url: str) -> aiohttp.ClientResponse:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + APPEAR_SECONDS
    while True:
        answer = await http.get(url)
        if answer.status == 200:
            return answer
        body = (await answer.text())[:300]
        if answer.status != 404 or loop.time() > deadline:
            raise EventsError(f"{url} answered {answer.status}: {body}")
        await asyncio.sleep(RETRY_SECONDS)


async def _parse(lines: aiohttp.StreamReader) -> AsyncIterator[Event]:
    """`data:` lines up to an empty line are one event; comments and other fields are passed over."""
    data: list[str] = []
    async for raw in lines:
        line = raw.decode().rstrip("\r\n")
        if line.startswith("data:"):
            data.append(line[5:].lstrip())
        elif not line and data:
            yield json.loads("\n".join(data))
            data = []
