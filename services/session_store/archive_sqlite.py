"""The archive of one machine: a SQLite file, written by one thread, fsynced before it says yes."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from meshkit.clock import Clock, SystemClock
from session_store.archive import ArchivedSession, ArchiveUnavailable

T = TypeVar("T")

_PRAGMAS = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA secure_delete=ON;"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS sessions (
    session TEXT PRIMARY KEY,
    tenant TEXT NOT NULL,
    day TEXT NOT NULL,
    reason TEXT NOT NULL,
    document TEXT NOT NULL,
    delete_after REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS by_partition ON sessions (tenant, day);
CREATE INDEX IF NOT EXISTS by_age ON sessions (delete_after);
CREATE INDEX IF NOT EXISTS by_client ON sessions (json_extract(document, '$.verified.clientId'));
CREATE TABLE IF NOT EXISTS erasures (
    request TEXT PRIMARY KEY,
    day TEXT NOT NULL,
    record TEXT NOT NULL
);
"""
_PUT = "INSERT OR REPLACE INTO sessions VALUES (?, ?, ?, ?, ?, ?)"
_FORGET = "DELETE FROM sessions WHERE session = ?"
_OF_CLIENT = (
    "SELECT session FROM sessions WHERE json_extract(document, '$.verified.clientId') = ? LIMIT ?"
)
_RECORD = "INSERT OR REPLACE INTO erasures VALUES (?, ?, ?)"
_RECORDED = "SELECT record FROM erasures WHERE request = ?"


class SqliteArchive:
    """Sessions in a file, each kept for `retention_seconds`. Raises ArchiveUnavailable."""

    def __init__(self, path: Path, *, retention_seconds: float, clock: Clock | None = None) -> None:
        self._path, self._retention = path, retention_seconds
        self._clock = clock or SystemClock()
        self._thread = ThreadPoolExecutor(1, "archive")
        self._opened: sqlite3.Connection | None = None

    async def put(self, session: ArchivedSession) -> None:
        """Store a session, and delete those whose time has come."""
        now = self._clock.now().timestamp()
        document = json.dumps(session.document)
        key = (session.session_id, session.tenant, session.day, session.reason)
        row = (*key, document, now + self._retention)
        await self._run(lambda connection: _put(connection, row, now))

    async def get(self, session_id: str) -> ArchivedSession | None:
        """A stored session."""
        query = "SELECT session, tenant, day, reason, document FROM sessions WHERE session = ?"
        row = await self._run(lambda c: c.execute(query, (session_id,)).fetchone())
        if row is None:
            return None
        name, tenant, day, reason, document = row
        return ArchivedSession(name, tenant, day, reason, json.loads(document))

    async def sessions_of(self, client_id: str, most: int) -> list[str]:
        """Some sessions in which this client was verified."""
        rows = await self._run(lambda c: c.execute(_OF_CLIENT, (client_id, most)).fetchall())
        return [session_id for (session_id,) in rows]

    async def forget(self, session_id: str) -> None:
        """Delete a session, if it is there."""
        await self._run(lambda connection: _write(connection, _FORGET, (session_id,)))

    async def record_erasure(self, request_id: str, day: str, record: Mapping[str, Any]) -> None:
        """Keep the record of an erasure for ever."""
        row = (request_id, day, json.dumps(dict(record)))
        await self._run(lambda connection: _write(connection, _RECORD, row))

    async def erasure(self, request_id: str) -> dict[str, Any] | None:
        """The record of an erasure, if it was finished."""
        row = await self._run(lambda c: c.execute(_RECORDED, (request_id,)).fetchone())
        return dict(json.loads(row[0])) if row else None

    async def aclose(self) -> None:
        """Close the file."""
        opened, self._opened = self._opened, None
        if opened is not None:
            await asyncio.get_running_loop().run_in_executor(self._thread, opened.close)
        self._thread.shutdown()

    async def _run(self, operation: Callable[[sqlite3.Connection], T]) -> T:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._thread, lambda: operation(self._connection()))
        except (sqlite3.Error, OSError) as error:
            raise ArchiveUnavailable(f"{self._path}: {error}") from None

    def _connection(self) -> sqlite3.Connection:
        if self._opened is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            opened = sqlite3.connect(self._path, timeout=5.0, check_same_thread=False)
            opened.executescript(f"{_PRAGMAS} {_SCHEMA}")
            self._opened = opened
        return self._opened


def _write(connection: sqlite3.Connection, statement: str, row: tuple[str, ...]) -> None:
    with connection:
        connection.execute(statement, row)


def _put(connection: sqlite3.Connection, row: tuple[str | float, ...], now: float) -> None:
    with connection:
        connection.execute(_PUT, row)
        connection.execute("DELETE FROM sessions WHERE delete_after <= ?", (now,))
