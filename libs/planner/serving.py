"""Listens until SIGTERM or SIGINT, then finishes what is running and closes."""

from __future__ import annotations

import asyncio
import errno
import logging
import signal
from dataclasses import dataclass

from aiohttp import web

from planner.app import PlannerApp
from planner.inference import Inference
from planner.minilm import MiniLM, ModelMissing

log = logging.getLogger("planner")


class CannotStart(Exception):
    """The planner cannot run. The message is one sentence: what is wrong and what to do."""


@dataclass(frozen=True, slots=True)
class Options:
    """Where and how the planner listens."""

    host: str = "127.0.0.1"
    """It has no authentication: keep it on loopback, or behind something that has."""
    port: int = 8090
    """0 picks a free one."""
    max_waiting: int = 64
    """Requests that may run or wait at once; more are answered 429."""
    drain_seconds: float = 5.0
    """How long running requests may take once asked to stop."""


async def serve(options: Options) -> None:
    """Load, listen, say so, and serve until a signal. Raises CannotStart."""
    stopped = _stop_signal()
    inference = Inference(_model(), options.max_waiting)
    try:
        await inference.run(inference.warm)
        runner = web.AppRunner(
            PlannerApp(inference).build(),
            access_log=None,
            handler_cancellation=True,
            shutdown_timeout=options.drain_seconds,
        )
        await runner.setup()
        try:
            port = await _listen(runner, options)
            _announce(options.host, port)
            await stopped.wait()
            log.info("stopping: running requests have %g s", options.drain_seconds)
        finally:
            await runner.cleanup()
    finally:
        inference.close()


def _model() -> MiniLM:
    try:
        return MiniLM()
    except ModelMissing as error:
        raise CannotStart(str(error)) from None


def _stop_signal() -> asyncio.Event:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for sign in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(sign, stopped.set)
    return stopped


async def _listen(runner: web.AppRunner, options: Options) -> int:
    """Bind and return the port. Raises CannotStart."""
    site = web.TCPSite(runner, options.host, options.port)
    try:
        await site.start()
    except OSError as error:
        where = f"{options.host}:{options.port}"
        if error.errno == errno.EADDRINUSE:
            raise CannotStart(
                f"{where} is in use; stop what listens there, or choose another --port (0 picks one)"
            ) from None
        raise CannotStart(f"cannot listen on {where}: {error.strerror or error}") from None
    return int(runner.addresses[0][1])


def _announce(host: str, port: int) -> None:
    """The one line that says it is ready; flushed, for whoever started it reads a pipe."""
    print(
        f"planner ready on http://{host}:{port}/v1 (not a language model: embeddings choose tools,"
        " rules fill arguments, templates speak)",
        flush=True,
    )
