"""How a process of the mesh begins and ends: one sentence when it cannot start, a meaningful code.

if __name__ == "__main__":
    run("speech-pool", SpeechPoolSettings, main)
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable

import uvloop

from meshkit.redaction import redact
from meshkit.uncaught import tell_of_loop, tell_uncaught

EXIT_CANNOT_START = 2


class StartupError(Exception):
    """The process cannot start. The message is one sentence: what is wrong and what to do."""


def run_process(service: str, main: Callable[[], Awaitable[None]]) -> None:
    """Run `main` on uvloop to its end, then exit: 0, or 2 with one sentence if it cannot start."""
    tell_uncaught()
    try:
        uvloop.run(_awaited(main))
    except StartupError as error:
        sys.stderr.write(f"{service}: {redact(str(error))}\n")
        sys.exit(EXIT_CANNOT_START)
    except KeyboardInterrupt:
        sys.exit(130)


async def _awaited(main: Callable[[], Awaitable[None]]) -> None:
    tell_of_loop(asyncio.get_running_loop())
    try:
        await main()
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
