"""Start a gateway pod: `python -m gateway`."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gateway import console
from gateway.app import make_app
from gateway.calls import Calls
from gateway.control import ControlServer
from gateway.listener import MediaServer
from gateway.peers import Readiness, connect
from gateway.settings import GatewaySettings
from meshkit.logging import get_logger
from meshkit.service import run_service

logger = get_logger("gateway")


async def serve(settings: GatewaySettings, stop: asyncio.Event | None = None) -> None:
    """Serve until SIGTERM, SIGINT or `stop`, then drain."""
    stop = stop or asyncio.Event()
    with _signals(stop.set):
        async with console.opened(settings) as shown, connect(settings) as peers:
            address = settings.advertised_address or f"{settings.bind_host}:{settings.http_port}"
            async with Calls(peers, settings, lambda: address) as calls:
                app = make_app(calls, Readiness(peers), settings, shown)
                async with (
                    ControlServer(app, settings) as control,
                    MediaServer(calls, settings) as media,
                ):
                    logger.info("ready", extra={"http": control.port, "media": media.port})
                    await stop.wait()
                    seconds = settings.now("drain_seconds")
                    logger.info("draining", extra={"seconds": seconds})
                    await calls.drain(seconds)
    logger.info("drained")


@contextmanager
def _signals(stop: Callable[[], None]) -> Iterator[None]:
    """Have SIGTERM and SIGINT call `stop` within the block."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


if __name__ == "__main__":
    run_service("gateway", GatewaySettings, serve)
