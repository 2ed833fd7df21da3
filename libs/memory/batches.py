"""Scripts that are asked for at the same moment go to Redis together: one write, one read for all.

A connection from the pool costs more than a small script does, and under load many are asked for in
one turn of the event loop. Each still stands for itself: its own reply or refusal, its own deadline.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from hiredis import pack_command
from redis import exceptions
from redis.asyncio import ConnectionPool

from memory.scripts import Value

UNDER_WAY = 4
"""Batches at once. While these are answered, what is asked for gathers for the next."""
MOST_COMMANDS = 128
"""Of one batch, after which no more join: replies are kept until the last of it is read."""
MOST_WAITING = 4096
"""Callers that may wait at once; further ones are refused, as by a server that is away."""
MOST_TOGETHER = 16
"""Commands that one caller should ask for here; more would hold up the others."""

Command = tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class _Asked:
    packed: bytes
    count: int
    deadline: float
    replies: asyncio.Future[list[Any]]


class Batches:
    """Sends commands on connections of `pool`, each batch within a turn of `turns`.

    A connection that breaks fails all of its batch; repeating is left to whoever asked.
    """

    def __init__(self, pool: ConnectionPool, turns: asyncio.Semaphore) -> None:
        self._pool, self._turns = pool, turns
        self._waiting: deque[_Asked] = deque()
        self._sending: set[asyncio.Task[None]] = set()
        self._woken = self._closed = False

    async def run(self, commands: Sequence[Command], seconds: float) -> list[Any]:
        """The replies in order; a command that the server refused has its ResponseError there.

        The caller stops waiting by itself after `seconds`; a batch is given up when nobody waits any
        more. Raises what redis-py raises of a connection, and its ConnectionError at once if too many
        wait or this is closed.
        """
        if self._closed or len(self._waiting) >= MOST_WAITING:
            raise exceptions.ConnectionError("too many wait for Redis, or we are about to end")
        loop = asyncio.get_running_loop()
        packed = b"".join([pack_command(command) for command in commands])  # type: ignore[arg-type]
        asked = _Asked(packed, len(commands), loop.time() + seconds, loop.create_future())
        self._waiting.append(asked)
        if not self._woken:
            self._woken = True
            loop.call_soon(self._wake)
        return await asked.replies

    async def aclose(self) -> None:
        """Stop what is under way and begin nothing more; those who still wait are cancelled."""
        self._closed = True
        for task in tuple(self._sending):
            task.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)
        for asked in self._waiting:
            asked.replies.cancel()

    def _wake(self) -> None:
        self._woken = False
        while not self._closed and len(self._sending) < UNDER_WAY and (batch := self._next()):
            task = asyncio.create_task(self._send(batch))
            self._sending.add(task)
            task.add_done_callback(self._sent)

    def _sent(self, task: asyncio.Task[None]) -> None:
        self._sending.discard(task)
        if self._waiting:
            self._wake()

    def _next(self) -> list[_Asked]:
        """Those that are waited for still, in order; what was asked for together stays so."""
        batch: list[_Asked] = []
        count = 0
        while self._waiting and count < MOST_COMMANDS:
            asked = self._waiting.popleft()
            if not asked.replies.done():
                batch.append(asked)
                count += asked.count
        return batch

    async def _send(self, batch: list[_Asked]) -> None:
        try:
            async with asyncio.timeout_at(max(asked.deadline for asked in batch)), self._turns:
                replies = iter(await self._exchanged(batch))
        except Exception as error:
            _fail(batch, error)
            return
        except BaseException:
            for asked in batch:
                asked.replies.cancel()
            raise
        for asked in batch:
            own = [next(replies) for _ in range(asked.count)]
            if not asked.replies.done():
                asked.replies.set_result(own)

    async def _exchanged(self, batch: Sequence[_Asked]) -> list[Any]:
        connection = await self._pool.get_connection()  # type: ignore[no-untyped-call]
        whole = False
        try:
            await connection.send_packed_command([asked.packed for asked in batch])
            replies = [await _reply(connection) for asked in batch for _ in range(asked.count)]
            whole = True
            return replies
        finally:
            if not whole:  # what is still to come must not be taken for another's reply
                with suppress(Exception):
                    await connection.disconnect(nowait=True)
            await self._pool.release(connection)


async def _reply(connection: Any) -> Any:
    try:
        return await connection.read_response()
    except exceptions.ResponseError as error:
        return error


def _fail(batch: Sequence[_Asked], error: Exception) -> None:
    for asked in batch:
        if not asked.replies.done():
            asked.replies.set_exception(error)
