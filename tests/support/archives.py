"""The archives of the session-store, each with what a test does to what is behind it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from meshkit.cosmos import CosmosContainer, CosmosPlace
from session_store.archive_cosmos import PARTITION, CosmosArchive
from session_store.archive_sqlite import SqliteArchive
from tests.support.cosmos_emulator import CosmosEmulator, Fault

RETENTION_SECONDS = 1000


class Moment:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.seconds = 1_800_000_000.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)

    def monotonic(self) -> float:
        return self.seconds


@dataclass
class ArchiveAtHand:
    """An archive, the clock behind it, and how to take it away."""

    archive: Any
    moment: Moment
    away: Callable[[bool], None]
    again: Callable[[], Any]
    """Another process's archive on the same data; the test closes it."""
    account: Any = None
    """Of the Cosmos DB behind it."""


@asynccontextmanager
async def sqlite_archive(folder: Path) -> AsyncIterator[ArchiveAtHand]:
    """The embedded archive. Away: its place cannot be written."""
    moment, file, aside = Moment(), folder / "archive" / "a.db", folder / "aside"

    def again() -> SqliteArchive:
        return SqliteArchive(file, retention_seconds=RETENTION_SECONDS, clock=moment)

    archive = again()

    def away(gone: bool) -> None:
        """A file stands where the folder was."""
        if gone:
            file.parent.rename(aside) if file.parent.exists() else aside.mkdir()
            file.parent.write_text("")
        else:
            file.parent.unlink()
            aside.rename(file.parent)

    yield ArchiveAtHand(archive, moment, away, again)
    await archive.aclose()


@asynccontextmanager
async def cosmos_archive(**options: Any) -> AsyncIterator[ArchiveAtHand]:
    """The archive of a deployment, on an account that answers the real client library."""
    moment = Moment()
    with CosmosEmulator(now=lambda: moment.seconds) as emulator:
        emulator.add("voicemesh", "sessions", PARTITION, ttl=-1)
        place = CosmosPlace(emulator.endpoint, "voicemesh", "sessions", emulator.key)

        def again() -> CosmosArchive:
            container = CosmosContainer(place, seconds=10)
            return CosmosArchive(container, retention_seconds=RETENTION_SECONDS, **options)

        def away(gone: bool) -> None:
            """As behind a firewall; the client library does not retry that."""
            emulator.always = Fault(403) if gone else None

        archive = again()
        yield ArchiveAtHand(archive, moment, away, again, emulator)
        await archive.aclose()
