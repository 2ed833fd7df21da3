"""Where the pods of a service are: a source tells the whole set, again whenever it changes."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol

from meshkit.logging import get_logger
from meshkit.targets import parse_target, split_address

logger = get_logger("meshkit.endpoints")

Resolve = Callable[[str, int], Awaitable[frozenset[str]]]

DNS_SECONDS = 5.0


class EndpointSource(Protocol):
    """Static list, DNS, and later a watch of EndpointSlices: the same seam."""

    def watch(self) -> AsyncIterator[frozenset[str]]:
        """The set of `host:port`, at once, then each time it changed. Never ends by itself."""
        ...


class StaticEndpoints:
    """A list that does not change."""

    def __init__(self, addresses: frozenset[str]) -> None:
        self._addresses = addresses

    async def watch(self) -> AsyncIterator[frozenset[str]]:
        """The list, once."""
        yield self._addresses
        await asyncio.Event().wait()


class DnsEndpoints:
    """The addresses behind a name, such as a headless Service, asked for every few seconds.

    A failed look-up keeps the last answer: pods are not gone because DNS is.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        interval: float = DNS_SECONDS,
        resolve: Resolve | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._host, self._port, self._interval = host, port, interval
        self._resolve = resolve or _resolve
        self._sleep = sleep

    async def watch(self) -> AsyncIterator[frozenset[str]]:
        """The resolved set, at once and after each change."""
        known: frozenset[str] | None = None
        while True:
            try:
                found = await self._resolve(self._host, self._port)
            except OSError as error:
                logger.warning("name not resolved", extra={"host": self._host, "cause": str(error)})
                found = known if known is not None else frozenset()
            if found != known:
                known = found
                yield found
            # Jitter, so that the pods of a deployment do not ask DNS in step.
            await self._sleep(self._interval * (0.8 + 0.4 * random.random()))  # noqa: S311


def endpoint_source(target: str) -> EndpointSource:
    """The source that a target names. Raises ValueError for a malformed one."""
    parsed = parse_target(target)
    if parsed.scheme == "static":
        return StaticEndpoints(frozenset(parsed.addresses))
    return DnsEndpoints(*split_address(parsed.addresses[0]))


async def _resolve(host: str, port: int) -> frozenset[str]:
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return frozenset(_join(str(address[0]), port) for *_, address in found)


def _join(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
