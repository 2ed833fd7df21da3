"""A session that is over goes to the archive, and leaves Redis only once the archive has it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from session_store.archive import ArchivedSession, ArchiveUnavailable
from session_store.archive_sqlite import SqliteArchive
from session_store.archiver import BATCH, Archiver
from session_store.index import SessionIndex
from session_store.runner import ScriptRunner
from tests.support.store import RunningStore, Servers, running_store
from tests.support.store_calls import S, append, create, ended, get, reason_of, said, set_verified
from voicemesh.session.v1 import session_store_pb2 as ss


class Shelf:
    """An archive that says no while told to, and tells what it was given."""

    def __init__(self) -> None:
        self.kept: list[ArchivedSession] = []
        self.refusing = False
        self.asked = asyncio.Event()
        self.before_yes = asyncio.Event()
        self.before_yes.set()

    async def put(self, session: ArchivedSession) -> None:
        if self.refusing:
            raise ArchiveUnavailable("closed")
        self.asked.set()
        await self.before_yes.wait()
        self.kept.append(session)

    async def sessions_of(self, client_id: str, most: int) -> list[str]:
        return [kept.session_id for kept in self.kept if kept.client_id == client_id][:most]

    async def forget(self, session_id: str) -> None:
        self.kept = [kept for kept in self.kept if kept.session_id != session_id]

    async def record_erasure(self, request_id: str, day: str, record: Mapping[str, Any]) -> None:
        raise NotImplementedError

    async def erasure(self, request_id: str) -> dict[str, Any] | None:
        raise NotImplementedError

    async def aclose(self) -> None:
        pass


@pytest.fixture
async def store(servers: Servers | None, tmp_path: Path) -> AsyncIterator[RunningStore]:
    options = {"archive_path": str(tmp_path / "archive.db"), "archive_linger_seconds": 0.0}
    async with running_store(tmp_path, servers=servers, **options) as running:
        await create(running, tenant="bank", context_json={"account": '"12345678"'})
        yield running


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


def archiver(
    store: RunningStore, shelf: Shelf | None, *, linger: float = 0.0, redacted: bool = True
) -> Archiver:
    index = SessionIndex(store.hot)
    return Archiver(ScriptRunner(store.hot), index, shelf, linger=linger, redacted=redacted)


async def make_due(store: RunningStore, session_id: str = "a") -> None:
    """As time does."""
    await store.hot.command("ZADD", "voicemesh:{index}:due", 1, session_id)


async def expire(store: RunningStore) -> None:
    await store.hot.command("HSET", "voicemesh:{a}:session", "expires", 1)
    await make_due(store)


async def left(store: RunningStore) -> int:
    return sum(await store.everywhere("DBSIZE"))


async def test_an_ended_session_is_archived_and_nothing_of_it_is_left(
    store: RunningStore, shelf: Shelf
) -> None:
    await set_verified(store, "c1", "identity")
    await append(store, said(1, "my number is 12345678"), ended())
    assert await archiver(store, shelf).sweep() == 1
    (kept,) = shelf.kept
    assert (kept.session_id, kept.tenant, kept.reason) == ("a", "bank", "completed")
    assert kept.document["session"]["contextJson"] == {"account": '"[withheld]"'}
    assert kept.document["verified"]["clientId"] == "c1"
    events = kept.document["events"]
    assert [event["eventId"] for event in events] == ["verified/1", "u1", "ended"]
    assert events[1]["utterance"]["transcript"] == "my number is [number]"
    assert await left(store) == 0
    assert await archiver(store, shelf).sweep() == 0


async def test_a_deployment_may_keep_what_was_said(store: RunningStore, shelf: Shelf) -> None:
    await append(store, said(1, "my number is 12345678"), ended())
    await archiver(store, shelf, redacted=False).sweep()
    assert "12345678" in str(shelf.kept[0].document["events"])


async def test_nothing_leaves_while_the_archive_says_no(store: RunningStore, shelf: Shelf) -> None:
    await append(store, ended())
    shelf.refusing = True
    await archiver(store, shelf).sweep()
    assert (await get(store)).last_sequence == 1
    assert await archiver(store, shelf).sweep() == 0  # not at once again
    shelf.refusing = False
    await make_due(store)
    await archiver(store, shelf).sweep()
    assert len(shelf.kept) == 1
    assert await left(store) == 0


async def test_a_session_that_nobody_ended_is_archived_as_expired(
    store: RunningStore, shelf: Shelf
) -> None:
    await append(store, said(1))
    await expire(store)
    await archiver(store, shelf).sweep()
    assert shelf.kept[0].reason == "expired"
    assert await left(store) == 0


async def test_an_expired_session_waits_for_the_archive(store: RunningStore) -> None:
    week = 7 * 86_400_000
    for key in await store.keys("voicemesh:{a}:*"):
        assert await store.hot.command("PTTL", key) > week


async def test_a_live_session_is_left_alone_and_looked_at_again_at_its_expiry(
    store: RunningStore, shelf: Shelf
) -> None:
    await make_due(store)
    await archiver(store, shelf).sweep()
    assert not shelf.kept
    due = int(await store.hot.command("ZSCORE", "voicemesh:{index}:due", "a"))
    assert due == (await get(store)).expire_time.ToMilliseconds()


async def test_an_ended_session_lingers_for_who_reads_late(
    store: RunningStore, shelf: Shelf
) -> None:
    await append(store, ended())
    await archiver(store, shelf, linger=60).sweep()
    assert not shelf.kept
    assert (await get(store)).last_sequence == 1


async def test_two_archivers_share_the_work(store: RunningStore, shelf: Shelf) -> None:
    for number in range(BATCH + 5):
        await create(store, f"s{number}")
        request = ss.DeleteSessionRequest(name=f"sessions/s{number}")
        await store.sessions.DeleteSession(request)
    swept = await asyncio.gather(*(archiver(store, shelf).sweep() for _ in range(2)))
    assert sum(swept) == BATCH + 5
    assert len({kept.session_id for kept in shelf.kept}) == len(shelf.kept) == BATCH + 5


async def test_one_that_dies_after_the_archives_yes_doubles_nothing(
    store: RunningStore, tmp_path: Path
) -> None:
    file = SqliteArchive(tmp_path / "a.db", retention_seconds=1000)

    class Dying(Shelf):
        async def put(self, session: ArchivedSession) -> None:
            await file.put(session)
            raise asyncio.CancelledError

    await append(store, ended())
    with pytest.raises(asyncio.CancelledError):
        await archiver(store, Dying()).sweep()
    assert (await get(store)).last_sequence == 1
    await make_due(store)
    index = SessionIndex(store.hot)
    again = Archiver(ScriptRunner(store.hot), index, file, linger=0, redacted=True)
    await again.sweep()
    kept = await file.get("a")
    await file.aclose()
    assert kept is not None
    assert kept.reason == "completed"
    assert await left(store) == 0


async def test_what_was_written_while_it_was_archived_is_not_lost(
    store: RunningStore, shelf: Shelf
) -> None:
    await expire(store)
    shelf.before_yes.clear()
    sweeping = asyncio.create_task(archiver(store, shelf).sweep())
    await shelf.asked.wait()
    await store.hot.command("RPUSH", "voicemesh:{a}:journal", b"0 1 u9 ")
    shelf.before_yes.set()
    await sweeping
    assert await store.hot.command("LLEN", "voicemesh:{a}:journal") == 1
    await make_due(store)
    await archiver(store, shelf).sweep()
    assert [len(kept.document["events"]) for kept in shelf.kept] == [0, 1]


async def test_a_session_that_cannot_be_read_stays_and_does_not_hold_up_the_others(
    store: RunningStore, shelf: Shelf, caplog: pytest.LogCaptureFixture
) -> None:
    for session_id in ("garbled", "mistyped", "z"):
        await create(store, session_id)
        request = ss.DeleteSessionRequest(name=f"sessions/{session_id}")
        await store.sessions.DeleteSession(request)
    await store.hot.command("HSET", "voicemesh:{garbled}:verified", "record", b"\xff\xff")
    await store.hot.command("SET", "voicemesh:{mistyped}:journal", "x")
    assert await archiver(store, shelf).sweep() == 3
    assert [kept.session_id for kept in shelf.kept] == ["z"]
    assert await store.hot.command("EXISTS", "voicemesh:{garbled}:session") == 1
    messages = {record.message for record in caplog.records if record.levelname == "ERROR"}
    assert {"session cannot be read", "session not archived"} <= messages


async def test_an_index_entry_of_what_is_gone_goes_too(store: RunningStore, shelf: Shelf) -> None:
    await store.hot.command("UNLINK", "voicemesh:{a}:session")
    await make_due(store)
    await archiver(store, shelf).sweep()
    assert await store.hot.command("ZCARD", "voicemesh:{index}:due") == 0
    assert not shelf.kept


async def test_without_an_archive_ended_sessions_are_cleared_away(store: RunningStore) -> None:
    await append(store, ended())
    await archiver(store, None).sweep()
    assert await left(store) == 0
    request = ss.GetSessionRequest(name=S)
    assert await reason_of(store.sessions.GetSession(request)) == "SESSION_NOT_FOUND"
