"""`/metrics` for Prometheus, by a thread that sleeps until somebody comes.

Imported only where a port is set, since it loads an HTTP server and the Prometheus client.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from threading import Thread
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer

from meshkit.startup import StartupError

_NEVER_SECONDS = 3600.0
"""The library's own start_http_server looks twice a second whether it is to end."""


_STOP_TRIES, _STOP_SECONDS = 20, 1.0
"""Past which the threads are left: they end with the process."""


def scraped(host: str, port: int) -> tuple[Any, int, Callable[[], None]]:
    """A reader, the port it is scraped on, and what stops it. Raises StartupError."""

    class Server(ThreadingWSGIServer):
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

    registry = CollectorRegistry()
    try:
        server = make_server(host, port, make_wsgi_app(registry), Server, _Silent)
    except OSError as error:
        raise StartupError(
            f"cannot listen on {host}:{port}: {error.strerror}; stop what holds the port, or set"
            " VOICEMESH_METRICS_PORT to another (0 picks a free one)."
        ) from None
    serving = Thread(target=server.serve_forever, args=(_NEVER_SECONDS,), daemon=True)
    serving.start()
    reader = PrometheusMetricReader(scope_info_enabled=False, registry=registry)
    return reader, server.server_port, lambda: _stop(server, host, serving)


def _stop(server: WSGIServer, host: str, serving: Thread) -> None:
    ending = Thread(target=server.shutdown, daemon=True)
    ending.start()
    for _ in range(_STOP_TRIES):  # it is seen when the next connection comes: ours
        with suppress(OSError), socket.create_connection((host, server.server_port), 1.0):
            ending.join(0.05)
        if not ending.is_alive():
            break
    serving.join(_STOP_SECONDS)
    server.server_close()


class _Silent(WSGIRequestHandler):
    """A log has better things to tell than that a scrape came."""

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""
