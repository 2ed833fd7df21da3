"""When a pod is ready: once Redis answers. What Redis lacks is said in the log then.

After that a pod stays ready: were every replica taken away because Redis is down, callers would
learn only that nobody is there, instead of what is wrong and when to come again.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

from memory.hotstore import HotStore
from meshkit.errors import MeshError
from meshkit.logging import get_logger
from meshkit.startup import StartupError

logger = get_logger("session_store")

FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 5.0
OLDEST_MAJOR = 7


async def until_answering(
    hot: HotStore, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
) -> None:
    """Ask Redis until it answers, ever more rarely, with a warning each time it does not."""
    pause = FIRST_PAUSE_SECONDS
    while True:
        try:
            await hot.ping()
            return
        except MeshError as error:
            logger.warning("waiting for redis", extra={"cause": error.message})
        await sleep(pause * (0.5 + random.random() / 2))  # noqa: S311 (jitter)
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)


async def check_server(hot: HotStore) -> None:
    """Log what of this Redis would lose sessions: eviction, or no append-only file.

    Raises StartupError if it is too old to refuse all of a script when its memory is full.
    """
    try:
        facts = _facts(await hot.facts())
    except MeshError as error:
        logger.info("redis does not tell its settings", extra={"cause": error.message})
        return
    version = facts.get("redis_version", "")
    major = version.partition(".")[0]
    if major.isdecimal() and int(major) < OLDEST_MAJOR:
        raise StartupError(
            f"Redis at {hot.address} is version {version}; {OLDEST_MAJOR}.0 or later, or Valkey, is"
            " needed."
        )
    policy = facts.get("maxmemory_policy", "")
    if policy not in ("", "noeviction"):
        logger.warning("redis may evict live sessions", extra={"maxmemory_policy": policy})
    if facts.get("aof_enabled") == "0":
        logger.warning("redis keeps no append-only file", extra={"setting": "appendonly"})


def _facts(info: bytes) -> dict[str, str]:
    lines = info.decode(errors="replace").splitlines()
    return {name: value for name, _, value in (line.partition(":") for line in lines) if value}
