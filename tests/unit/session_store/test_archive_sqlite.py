"""The embedded archive keeps each session once, for as long as it is told to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from session_store.archive import ArchivedSession, ArchiveUnavailable
from session_store.archive_sqlite import SqliteArchive


class Moment:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.seconds = 1_000_000.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)

    def monotonic(self) -> float:
        return self.seconds


@pytest.fixture
def moment() -> Moment:
    return Moment()


@pytest.fixture
async def archive(tmp_path: Path, moment: Moment) -> AsyncIterator[SqliteArchive]:
    opened = SqliteArchive(tmp_path / "new" / "a.db", retention_seconds=100, clock=moment)
    yield opened
    await opened.aclose()


def session(session_id: str = "a", reason: str = "completed") -> ArchivedSession:
    return ArchivedSession(session_id, "bank", "2026-11-24", reason, {"events": [{"é": 1}]})


async def test_what_was_put_is_there_once(archive: SqliteArchive) -> None:
    await archive.put(session(reason="expired"))
    await archive.put(session())
    assert await archive.get("a") == session()
    assert await archive.get("b") is None


async def test_a_session_goes_after_its_retention(archive: SqliteArchive, moment: Moment) -> None:
    await archive.put(session("old"))
    moment.seconds += 99
    await archive.put(session("young"))
    assert await archive.get("old")
    moment.seconds += 1
    await archive.put(session("new"))
    assert await archive.get("old") is None
    assert await archive.get("young")


async def test_another_process_finds_it(archive: SqliteArchive, tmp_path: Path) -> None:
    await archive.put(session())
    other = SqliteArchive(tmp_path / "new" / "a.db", retention_seconds=100)
    assert await other.get("a") == session()
    await other.aclose()


async def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    archive = SqliteArchive(blocked / "a.db", retention_seconds=1)
    with pytest.raises(ArchiveUnavailable, match=r"a\.db"):
        await archive.put(session())
    await archive.aclose()


async def test_a_file_of_another_kind_is_told_and_left_alone(tmp_path: Path) -> None:
    other = tmp_path / "a.db"
    other.write_text("no database at all, but a page of text. " * 40)
    archive = SqliteArchive(other, retention_seconds=1)
    with pytest.raises(ArchiveUnavailable, match="not a database"):
        await archive.put(session())
    await archive.aclose()
    assert other.read_text().startswith("no database")
