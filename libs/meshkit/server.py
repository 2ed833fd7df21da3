"""A mesh server: grpc.aio with health, diagnostics, reflection, wrapped handlers, a drain on SIGTERM.

    server = MeshServer("speech-pool", settings, port=settings.grpc_port)
    add_SpeechServiceServicer_to_server(servicer, server.grpc)
    server.serves("voicemesh.speech.v1.SpeechService")
    async with server:               # bound, NOT_SERVING
        server.not_ready(NotReady.WAITING_FOR_REDIS)   # told beside NOT_SERVING
        await server.ready()         # SERVING
        await server.until_drained() # SIGTERM or SIGINT came and work has ended

Draining: health NOT_SERVING first, then `on_drain` callbacks (refuse new work), then streams may
finish for `drain_seconds`, then they are cut.
"""

from __future__ import annotations

import asyncio
import functools
import signal
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from meshkit.clock import SystemClock
from meshkit.diagnostics_servicer import NAME as DIAGNOSTICS
from meshkit.diagnostics_servicer import VERSION, DiagnosticsServicer, Status
from meshkit.handlers import MeshHandlers
from meshkit.health import NotReady, ReasonedHealth
from meshkit.identity import current_certificates, door
from meshkit.logging import get_logger
from meshkit.settings import MeshSettings
from meshkit.startup import StartupError
from voicemesh.mesh.v1.diagnostics_pb2_grpc import add_DiagnosticsServiceServicer_to_server

logger = get_logger("meshkit.server")

LIVENESS = "liveness"
"""Health name that serves from bind to end: whether the process lives, not whether it takes work."""

_OPTIONS = [
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", 1 << 20),
    ("grpc.max_send_message_length", 4 << 20),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 5_000),
]
_MAX_HEALTH_REQUESTS = 32
"""Of the port that answers anybody."""


class MeshServer:
    """One grpc.aio server of a service. `port` 0 picks a free one; `port` then tells which."""

    def __init__(self, service: str, settings: MeshSettings, *, port: int) -> None:
        self.service = service
        self.port = port
        self._settings = settings
        self._started = SystemClock().now()
        self._health = ReasonedHealth(VERSION)
        self._health.reason = NotReady.STARTING.told()
        self._names = [DIAGNOSTICS]
        self._on_drain: list[Callable[[], Awaitable[None]]] = []
        self._drain_wanted = asyncio.Event()
        self._server = grpc.aio.server(options=_OPTIONS)
        self._certificates = current_certificates()
        if settings.tls_certificate and self._certificates is None:
            raise RuntimeError(
                "a server with certificates is made within meshkit.identity.identified"
            )
        self._health_server: grpc.aio.Server | None = None
        self.health_port = settings.health_port
        """Where health is answered without a certificate; None: nowhere."""
        known = functools.partial(door, callers=settings.callers) if self._certificates else None
        self.grpc = MeshHandlers(self._server, service, settings.max_unary_seconds, known)
        """What generated code adds a servicer to."""
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        servicer = DiagnosticsServicer(self.status, self._tells_anybody)
        add_DiagnosticsServiceServicer_to_server(servicer, self.grpc)

    def serves(self, *names: str) -> None:
        """Tell health and reflection the full names of the services added to `grpc`."""
        self._names.extend(names)

    def on_drain(self, callback: Callable[[], Awaitable[None]]) -> None:
        """Call this when draining begins, before work under way is waited for."""
        self._on_drain.append(callback)

    def not_ready(self, why: NotReady, detail: str = "") -> None:
        """Tell this as the reason while the server is not ready; no word of it may be a secret."""
        self._health.reason = why.told(detail)

    def status(self) -> Status:
        """What the server tells operators of itself."""
        certificates, live = self._certificates, self._settings.live
        return Status(
            service=self.service,
            started=self._started,
            not_ready=(self._health.reason,) if self._health.reason else (),
            certificate_until=certificates.current.not_after if certificates else None,
            settings_generation=live.generation,
            waiting_settings=live.waiting,
        )

    def _tells_anybody(self) -> bool:
        """Whether tasks and profiles are told: with certificates, only operators come so far."""
        return self._certificates is not None or bool(self._settings.now("diagnostics"))

    @property
    def address(self) -> str:
        """`host:port` that other pods reach this server by."""
        return self._settings.advertised_address or f"{self._settings.bind_host}:{self.port}"

    async def __aenter__(self) -> Self:
        if self._settings.reflection:
            shown = [*self._names, health.SERVICE_NAME, reflection.SERVICE_NAME]
            reflection.enable_server_reflection(shown, self._server)
        self.port = self._listen()
        await self._set_health(health_pb2.HealthCheckResponse.NOT_SERVING)
        await self._health.set(LIVENESS, health_pb2.HealthCheckResponse.SERVING)
        await self._server.start()
        if self.health_port is not None:
            await self._answer_health(self.health_port)
        return self

    def _listen(self) -> int:
        where = f"{self._settings.bind_host}:{self.port}"
        try:
            if self._certificates is None:
                return self._server.add_insecure_port(where)
            return self._server.add_secure_port(where, self._certificates.server_credentials())
        except RuntimeError:
            raise _cannot_listen(where, "VOICEMESH_GRPC_PORT") from None

    async def _answer_health(self, port: int) -> None:
        """Serve health, and nothing else, without TLS: kubelets have no certificate."""
        where = f"{self._settings.bind_host}:{port}"
        self._health_server = grpc.aio.server(
            options=_OPTIONS, maximum_concurrent_rpcs=_MAX_HEALTH_REQUESTS
        )
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._health_server)
        try:
            self.health_port = self._health_server.add_insecure_port(where)
        except RuntimeError:
            raise _cannot_listen(where, "VOICEMESH_HEALTH_PORT") from None
        await self._health_server.start()

    async def ready(self) -> None:
        """Begin to be given work."""
        self._health.reason = ""
        await self._set_health(health_pb2.HealthCheckResponse.SERVING)
        logger.info("ready", extra={"address": self.address})

    def drain(self) -> None:
        """Begin the drain, as SIGTERM does."""
        self._drain_wanted.set()

    async def until_drained(self) -> None:
        """Serve until SIGTERM, SIGINT or `drain`, then drain."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.drain)
        try:
            await self._drain_wanted.wait()
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)
        await self._drain()

    async def _drain(self) -> None:
        seconds = self._settings.now("drain_seconds")
        logger.info("draining", extra={"seconds": seconds})
        self.not_ready(NotReady.DRAINING)
        await self._set_health(health_pb2.HealthCheckResponse.NOT_SERVING)
        for callback in self._on_drain:
            await callback()
        await self._server.stop(seconds)
        logger.info("drained")

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Stop at once; what is under way is cut."""
        await self._server.stop(0)
        if self._health_server is not None:
            await self._health_server.stop(0)

    async def _set_health(self, status: health_pb2.HealthCheckResponse.ServingStatus) -> None:
        for name in ("", *self._names):
            await self._health.set(name, status)


def _cannot_listen(where: str, setting: str) -> StartupError:
    return StartupError(
        f"cannot listen on {where}: the port is in use or not allowed; stop what holds it, or set"
        f" {setting} to another (0 picks a free one)."
    )
