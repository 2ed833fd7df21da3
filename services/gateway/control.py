"""uvicorn inside our own loop: our signals, our logs, a port that is bound before we say ready."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Self

import uvicorn
from fastapi import FastAPI

from gateway.access import require_loopback
from gateway.settings import GatewaySettings
from meshkit.startup import StartupError

STOP_SECONDS = 2


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the gateway's: it drains first."""
        yield


class ControlServer:
    """The HTTP server of the control plane, as an async context manager."""

    def __init__(self, app: FastAPI, settings: GatewaySettings) -> None:
        if not settings.control_key:
            require_loopback(settings.bind_host, "VOICEMESH_CONTROL_KEY", "control plane")
        self._host = settings.bind_host
        self.port = settings.http_port
        config = uvicorn.Config(
            app,
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            timeout_graceful_shutdown=STOP_SECONDS,
        )
        self._server = _Server(config)

    async def __aenter__(self) -> Self:
        self._socket = self._bind()
        self.port = self._socket.getsockname()[1]
        self._serving = asyncio.create_task(self._server.serve(sockets=[self._socket]))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.should_exit = True
        await self._serving
        self._socket.close()

    def _bind(self) -> socket.socket:
        try:
            family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
            return socket.create_server((self._host, self.port), family=family)
        except OSError as error:
            raise StartupError(
                f"the control plane cannot listen on {self._host}:{self.port} ({error.strerror}):"
                " stop what holds the port, or set VOICEMESH_HTTP_PORT to another (0 picks a free"
                " one)."
            ) from None
