"""A speech provider for pool benches: WebSockets on loopback whose handshake costs time.

It counts handshakes and open sockets, closes idle sockets, caps them, or goes down, so that whatever a
pool says of itself can be checked against what its provider saw.
"""

from __future__ import annotations

import asyncio
from typing import Self

import aiohttp
from aiohttp import web

from warmpool import OpenThrottled, Reuse


class SocketProvider:
    """The provider, as an async context manager. Times in seconds."""

    def __init__(
        self, handshake: float, *, idle_close: float | None = None, max_open: int | None = None
    ) -> None:
        self.handshake, self.idle_close, self.max_open = handshake, idle_close, max_open
        self.handshakes = self.open = self.rejected = 0
        self.down = False

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/", self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"ws://127.0.0.1:{self._runner.addresses[0][1]}/"
        self._http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.close()
        await self._runner.cleanup()

    async def connect(self) -> LiveSocket:
        """Dial the provider; takes a handshake. Raises WSServerHandshakeError when refused."""
        return LiveSocket(await self._http.ws_connect(self.url))

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        self.handshakes += 1
        if self.down or (self.max_open is not None and self.open >= self.max_open):
            self.rejected += 1
            return web.Response(status=503 if self.down else 429, headers={"Retry-After": "1"})
        self.open += 1
        try:
            await asyncio.sleep(self.handshake)
            if request.transport is None:  # the client gave up meanwhile
                return web.Response(status=499)
            return await self._talk(request)
        finally:
            self.open -= 1

    async def _talk(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        while True:
            try:
                async with asyncio.timeout(self.idle_close):
                    message = await socket.receive()
            except TimeoutError:
                await socket.close()
                return socket
            if message.type is not aiohttp.WSMsgType.TEXT:
                return socket
            await socket.send_str("audio")


class LiveSocket:
    """A client's end that listens all the time, so that it knows when the provider has hung up."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._answers: asyncio.Queue[str] = asyncio.Queue()
        self._listening = asyncio.create_task(self._listen())

    @property
    def alive(self) -> bool:
        """Whether the provider is still there, as far as its close frame tells."""
        return not self._listening.done()

    async def speaks(self, within: float = 5.0) -> bool:
        """Whether it works: one question, one answer."""
        try:
            async with asyncio.timeout(within):
                await self._socket.send_str("hi")
                await self._answers.get()
        except (TimeoutError, ConnectionError, aiohttp.ClientError):
            return False
        return True

    async def close(self) -> None:
        """Hang up."""
        self._listening.cancel()
        await asyncio.gather(self._listening, return_exceptions=True)
        await self._socket.close()

    async def _listen(self) -> None:
        async for message in self._socket:
            if message.type is aiohttp.WSMsgType.TEXT:
                self._answers.put_nowait(message.data)


class SocketFactory:
    """The life of a socket to the provider."""

    reuse = Reuse.RESET

    def __init__(self, provider: SocketProvider) -> None:
        self._provider = provider

    async def open(self) -> LiveSocket:
        try:
            return await self._provider.connect()
        except aiohttp.WSServerHandshakeError as error:
            if error.status == 429:
                raise OpenThrottled(str(error)) from None
            raise

    async def warm(self, client: LiveSocket) -> bool:
        return await client.speaks()

    def is_fit(self, client: LiveSocket) -> bool:
        return client.alive

    async def check(self, client: LiveSocket) -> bool:
        return client.alive

    async def reset(self, client: LiveSocket) -> bool:
        return client.alive

    async def close(self, client: LiveSocket) -> None:
        await client.close()
