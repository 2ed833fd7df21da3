"""One contract for both archives: the file of one machine, and the Cosmos DB of a deployment."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from meshkit.startup import StartupError
from session_store.__main__ import make_archive
from session_store.archive import ArchivedSession, ArchiveRefused, ArchiveUnavailable
from session_store.archive_cosmos import PARTITION, CosmosArchive
from session_store.archive_sqlite import SqliteArchive
from session_store.archiver import Archiver
from session_store.index import SessionIndex
from session_store.runner import ScriptRunner
from session_store.settings import SessionStoreSettings
from tests.support.archives import RETENTION_SECONDS, ArchiveAtHand, cosmos_archive, sqlite_archive
from tests.support.cosmos_emulator import Fault
from tests.support.store import RunningStore, running_store
from tests.support.store_calls import append, create, ended, get, said, set_verified


@pytest.fixture(params=["sqlite", "cosmos"])
async def hand(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ArchiveAtHand]:
    opening = sqlite_archive(tmp_path) if request.param == "sqlite" else cosmos_archive()
    async with opening as hand:
        yield hand


def session(session_id: str = "a", client: str = "c1", **more: Any) -> ArchivedSession:
    document = {
        "session": {"name": f"sessions/{session_id}", "contextJson": {"account": '"é"'}},
        "verified": {"clientId": client} if client else {},
        "events": [{"eventId": "u1"}, {"eventId": "ended"}],
    }
    fields = {"tenant": "bank", "day": "2026-11-24", "reason": "completed", "document": document}
    return ArchivedSession(session_id=session_id, **fields | more)  # type: ignore[arg-type]


async def test_what_was_put_is_there_once_and_as_it_was(hand: ArchiveAtHand) -> None:
    await hand.archive.put(replace(session(), reason="expired"))
    await hand.archive.put(session())
    assert await hand.archive.get("a") == session()
    assert await hand.archive.get("b") is None
    assert await hand.archive.sessions_of("c1", 10) == ["a"]


async def test_another_process_finds_it(hand: ArchiveAtHand) -> None:
    await hand.archive.put(session(tenant=""))
    other = hand.again()
    assert await other.get("a") == session(tenant="")
    await other.aclose()


async def test_a_session_goes_after_its_retention(hand: ArchiveAtHand) -> None:
    await hand.archive.put(session("old"))
    hand.moment.seconds += RETENTION_SECONDS - 1
    await hand.archive.put(session("young"))
    assert await hand.archive.get("old")
    hand.moment.seconds += 1
    await hand.archive.put(session("new"))
    assert await hand.archive.get("old") is None
    assert await hand.archive.get("young")


async def test_the_sessions_of_a_client_and_no_others_are_found(hand: ArchiveAtHand) -> None:
    for number in range(5):
        await hand.archive.put(session(f"s{number}", day=f"2026-11-2{number}"))
    await hand.archive.put(session("other", client="c2"))
    await hand.archive.put(session("nobody", client=""))
    assert await hand.archive.sessions_of("c1", 10) == [f"s{n}" for n in range(5)]
    assert len(await hand.archive.sessions_of("c1", 2)) == 2
    await hand.archive.forget("s0")
    await hand.archive.forget("s0")
    assert await hand.archive.get("s0") is None
    assert await hand.archive.sessions_of("c1", 10) == [f"s{n}" for n in range(1, 5)]
    assert await hand.archive.get("other")


async def test_the_record_of_an_erasure_outlives_what_it_tells_of(hand: ArchiveAtHand) -> None:
    assert await hand.archive.erasure("request/1 é") is None
    for count in (1, 2):
        await hand.archive.record_erasure("request/1 é", "2026-11-24", {"sessions": count})
    hand.moment.seconds += 100 * RETENTION_SECONDS
    await hand.archive.put(session())
    assert await hand.archive.erasure("request/1 é") == {"sessions": 2}
    assert await hand.archive.sessions_of("", 10) == []


async def test_an_archive_that_is_away_says_so_and_comes_back(hand: ArchiveAtHand) -> None:
    hand.away(True)
    for request in (
        hand.archive.put(session()),
        hand.archive.get("a"),
        hand.archive.sessions_of("c1", 1),
        hand.archive.forget("a"),
        hand.archive.record_erasure("r", "2026-11-24", {}),
        hand.archive.erasure("r"),
    ):
        with pytest.raises(ArchiveUnavailable):
            await request
    hand.away(False)
    await hand.archive.put(session())
    assert await hand.archive.get("a") == session()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[RunningStore]:
    told = {"archive_path": str(tmp_path / "unused.db"), "archive_linger_seconds": 0.0}
    async with running_store(tmp_path, **told) as running:
        yield running


def archiver(store: RunningStore, hand: ArchiveAtHand) -> Archiver:
    index = SessionIndex(store.hot)
    return Archiver(ScriptRunner(store.hot), index, hand.archive, linger=0, redacted=True)


async def make_due(store: RunningStore, session_id: str) -> None:
    await store.hot.command("ZADD", "voicemesh:{index}:due", 1, session_id)


async def test_an_ended_call_moves_from_redis_to_the_archive(
    store: RunningStore, hand: ArchiveAtHand
) -> None:
    await create(store, tenant="bank", context_json={"account": '"12345678"'})
    await set_verified(store, "c1", "identity")
    await append(store, said(1, "my number is 12345678"), ended())
    assert await archiver(store, hand).sweep() == 1
    kept = await hand.archive.get("a")
    assert (kept.tenant, kept.reason, kept.client_id) == ("bank", "completed", "c1")
    assert [event["eventId"] for event in kept.document["events"]] == ["verified/1", "u1", "ended"]
    assert "12345678" not in str(kept.document)
    assert await store.keys() == []


async def test_nothing_is_lost_and_nothing_doubled_while_the_archive_is_away(
    store: RunningStore, hand: ArchiveAtHand, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("a", "b"):
        await create(store, name)
        await append(store, said(1), ended(), session=f"sessions/{name}")
    hand.away(True)
    assert await archiver(store, hand).sweep() == 0
    assert (await get(store)).last_sequence == 2
    assert [record.message for record in caplog.records].count("session not archived") == 1
    hand.away(False)
    for name in ("a", "b"):
        await make_due(store, name)
    assert await archiver(store, hand).sweep() == 2
    for name in ("a", "b"):
        kept = await hand.archive.get(name)
        assert len(kept.document["events"]) == 2
    assert await store.keys() == []


@pytest.fixture
async def cosmos() -> AsyncIterator[ArchiveAtHand]:
    async with cosmos_archive(max_part_bytes=1000) as hand:
        yield hand


def long_session(events: int = 40) -> ArchivedSession:
    document = {
        "session": {"name": "sessions/a", "contextJson": {f"k{n}": "é" * 50 for n in range(10)}},
        "verified": {"clientId": "c1"},
        "events": [{"eventId": f"u{n}", "text": "x" * 100} for n in range(events)],
    }
    return replace(session(), document=document)


async def test_a_session_over_the_bound_becomes_several_documents(cosmos: ArchiveAtHand) -> None:
    await cosmos.archive.put(long_session())
    stored = cosmos.account.documents("voicemesh", "sessions")
    assert len(stored) > 5
    assert [one["kind"] for one in stored] == ["part"] * (len(stored) - 1) + ["session"]
    assert {(one["tenant"], one["day"], one["client_id"], one["ttl"]) for one in stored} == {
        ("bank", "2026-11-24", "c1", RETENTION_SECONDS)
    }
    assert await cosmos.archive.get("a") == long_session()
    assert await cosmos.archive.sessions_of("c1", 100) == ["a"]
    await cosmos.archive.forget("a")
    assert cosmos.account.documents("voicemesh", "sessions") == []


async def test_a_session_whose_parts_are_not_all_there_is_not_taken_for_whole(
    cosmos: ArchiveAtHand,
) -> None:
    """The head is stored last, so an archiver that dies before leaves no session."""
    await cosmos.archive.put(session("other"))
    cosmos.account.faults.extend([None, None, Fault(500)])
    with pytest.raises(ArchiveUnavailable):
        await cosmos.archive.put(long_session())
    assert await cosmos.archive.get("a") is None
    assert len(cosmos.account.documents("voicemesh", "sessions")) == 3
    await cosmos.archive.put(long_session())
    assert await cosmos.archive.get("a") == long_session()


async def test_one_event_over_the_bound_is_refused_by_name(cosmos: ArchiveAtHand) -> None:
    document = long_session().document | {"events": [{"eventId": "u7", "text": "x" * 2000}]}
    with pytest.raises(ArchiveRefused, match=r"event u7 has \d+ bytes; at most 1000"):
        await cosmos.archive.put(replace(session(), document=document))
    assert cosmos.account.documents("voicemesh", "sessions") == []


async def test_what_is_refused_stays_in_redis_and_holds_up_nobody(
    store: RunningStore, cosmos: ArchiveAtHand, caplog: pytest.LogCaptureFixture
) -> None:
    await create(store, "a", context_json={"note": f'"{"x" * 2000}"'})
    await create(store, "b")
    for name in ("a", "b"):
        await append(store, ended(), session=f"sessions/{name}")
    assert await archiver(store, cosmos).sweep() == 2
    assert await cosmos.archive.get("b")
    assert (await get(store)).last_sequence == 1
    (record,) = [one for one in caplog.records if one.message == "session not archived"]
    assert record.levelname == "ERROR"
    assert "context key note has" in vars(record)["cause"]


async def test_a_throttled_archive_is_waited_for(cosmos: ArchiveAtHand) -> None:
    throttled = Fault(429, {"x-ms-retry-after-ms": "1"})
    cosmos.account.faults.extend([throttled] * 3)
    await cosmos.archive.put(session())
    assert await cosmos.archive.get("a") == session()


@pytest.mark.parametrize(
    ("paths", "ttl", "problem"),
    [
        (["/tenant"], -1, "partitioned by /tenant, then /day"),
        (PARTITION, None, "lifetimes are off"),
    ],
)
async def test_a_container_that_would_keep_it_wrongly_is_not_written_to(
    cosmos: ArchiveAtHand, paths: list[str], ttl: int | None, problem: str
) -> None:
    cosmos.account.add("voicemesh", "sessions", paths, ttl=ttl)
    with pytest.raises(ArchiveUnavailable, match=problem):
        await cosmos.archive.put(session())
    cosmos.account.add("voicemesh", "sessions", PARTITION, ttl=-1)
    await cosmos.archive.put(session())


def told(**settings: Any) -> SessionStoreSettings:
    return SessionStoreSettings(**settings)


async def test_the_archive_is_the_one_that_the_settings_name(tmp_path: Path) -> None:
    assert make_archive(told()) is None
    file = make_archive(told(archive_path=str(tmp_path / "a.db")))
    assert isinstance(file, SqliteArchive)
    await file.aclose()
    account = make_archive(told(cosmos_endpoint="https://db.example", cosmos_key="a2V5"))
    assert isinstance(account, CosmosArchive)
    await account.aclose()
    keyless = make_archive(told(cosmos_endpoint="https://db.example"))
    assert isinstance(keyless, CosmosArchive)
    await keyless.aclose()


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"cosmos_endpoint": "http://db.example"}, "VOICEMESH_COSMOS_ENDPOINT: .* needs a key"),
        ({"cosmos_endpoint": "https://db.example", "archive_path": "a.db"}, "name one"),
        ({"cosmos_endpoint": "https://db.example", "cosmos_key": "?"}, "not Base64"),
    ],
)
async def test_settings_that_name_no_archive_or_two(settings: Any, problem: str) -> None:
    with pytest.raises(StartupError, match=problem):
        make_archive(told(**settings))


async def test_without_the_client_library_the_start_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "meshkit.cosmos", None)
    with pytest.raises(StartupError, match=r"install voicemesh\[cosmos\]"):
        make_archive(told(cosmos_endpoint="https://db.example"))
