"""Moves sessions that are over from Redis to the archive. Nothing leaves before the archive has it.

Each replica runs one. A session is taken from the index for a while, so that replicas share the
work; one whose archiver dies is due again after that. Without an archive sessions are only cleared
away.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import Any

from meshkit.errors import MeshError
from meshkit.logging import get_logger
from session_store.archive import (
    ArchiveRefused,
    ArchiveUnavailable,
    SessionArchive,
    archived_session,
)
from session_store.index import SessionIndex
from session_store.runner import ScriptRunner, milliseconds

logger = get_logger("session_store.archiver")

SWEEP_SECONDS = 5.0
TAKEN_SECONDS = 60.0
BATCH = 20


class Archiver:
    """`linger`: seconds that a session stays in Redis after its end, for whoever reads it late."""

    def __init__(
        self,
        runner: ScriptRunner,
        index: SessionIndex,
        archive: SessionArchive | None,
        *,
        linger: float,
        redacted: bool,
    ) -> None:
        self._hot, self._call = runner.hot, runner.call
        self._index, self._archive = index, archive
        self._linger, self._redacted = linger, redacted

    async def run(self) -> None:
        """Sweep for ever; what fails is tried again."""
        while True:
            try:
                while await self.sweep() == BATCH:
                    pass
            except MeshError as error:
                logger.warning("sweep broken off", extra={"cause": error.message})
            await asyncio.sleep(SWEEP_SECONDS * (0.5 + random.random()))  # noqa: S311 (jitter)

    async def sweep(self) -> int:
        """Look at the sessions that are due, at most BATCH; how many there were.

        0 too if the archive is away: they are due again later.
        """
        due = await self._index.take_due(BATCH, TAKEN_SECONDS)
        try:
            for session_id in due:
                await self._look_safely(session_id)
        except ArchiveUnavailable as error:
            logger.warning("session not archived", extra={"cause": str(error)})
            return 0
        return len(due)

    async def _look_safely(self, session_id: str) -> None:
        """One session that cannot be read must not keep the others from the archive."""
        try:
            await self._look(session_id)
        except ArchiveRefused as error:
            logger.error("session not archived", extra={"cause": str(error)})
        except ArchiveUnavailable:
            raise
        except MeshError as error:
            if error.retryable:
                raise
            logger.error("session not archived", extra={"cause": error.message})
        except Exception as error:
            logger.error("session cannot be read", exc_info=error)

    async def _look(self, session_id: str) -> None:
        word, *rest = await self._script("export_session", session_id, [milliseconds(self._linger)])
        if word == b"WAIT":
            await self._index.due_at(session_id, int(rest[0]))
        elif word == b"OVER":
            await self._move(session_id, rest)
        elif word == b"ERASED":
            await self._erase(session_id, rest[0].decode())
        else:
            await self._index.remove(session_id, "")

    async def _move(self, session_id: str, exported: Sequence[Any]) -> None:
        record = archived_session(session_id, exported, redacted=self._redacted)
        if self._archive is not None:
            await self._archive.put(record)
        version = record.document["session"]["etag"]
        args = [exported[2], version]
        word, *rest = await self._script("forget_session", session_id, args)
        if word == b"ERASED":
            await self._erase(session_id, rest[0].decode())
        elif word == b"OK":
            await self._index.remove(session_id, record.tenant)
            logger.info("session archived", extra={"reason": record.reason})

    async def _erase(self, session_id: str, tenant: str) -> None:
        """It was erased, maybe while it was on its way to the archive."""
        if self._archive is not None:
            await self._archive.forget(session_id)
        await self._index.remove(session_id, tenant)

    async def _script(self, name: str, session_id: str, args: Sequence[str | int]) -> Sequence[Any]:
        call = self._call(name, session_id, args)
        reply: Sequence[Any] = await self._hot.run(call.script, call.keys, call.args)
        return reply
