"""Forgetting a person: everywhere, once, whatever is killed or away meanwhile, and with a record."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from meshkit.clock import SystemClock
from session_store.archive import ArchivedSession
from session_store.archiver import Archiver
from session_store.erasure import BATCH, Erased, ErasureRequest, Erasures
from session_store.index import SessionIndex
from session_store.runner import ScriptRunner
from tests.support.archives import ArchiveAtHand, cosmos_archive, sqlite_archive
from tests.support.store import RunningStore, Servers, running_store
from tests.support.store_calls import (
    append,
    create,
    ended,
    get,
    reason_of,
    refused,
    said,
    set_verified,
)
from voicemesh.session.v1 import erasure_pb2 as pb

PERSON = "client-12345"
KEY = "a key of the deployment"


@dataclass
class Deployment:
    """A session-store with its archive."""

    store: RunningStore
    hand: ArchiveAtHand

    def archiver(self, archive: Any = None) -> Archiver:
        index = SessionIndex(self.store.hot)
        kept = archive or self.hand.archive
        return Archiver(ScriptRunner(self.store.hot), index, kept, linger=0, redacted=True)

    def erasures(self, archive: Any = None) -> Erasures:
        """Those of another replica."""
        return Erasures(
            ScriptRunner(self.store.hot),
            SessionIndex(self.store.hot),
            archive or self.hand.archive,
            key=KEY.encode(),
            clock=SystemClock(),
        )

    async def call(self, session_id: str, client: str = PERSON, *, over: bool = False) -> None:
        """A call in which a client was verified."""
        await create(
            self.store, session_id, tenant="bank", context_json={"client_id": f'"{client}"'}
        )
        name = f"sessions/{session_id}"
        await append(self.store, said(1), session=name)
        await set_verified(self.store, client, "identity", session=name)
        if over:
            await append(self.store, ended(), session=name)

    async def due(self, session_id: str) -> None:
        await self.store.hot.command("ZADD", "voicemesh:{index}:due", 1, session_id)

    async def everything(self) -> str:
        """All that Redis holds, as text."""
        texts = []
        for node in self.store.nodes:
            for key in await node.command("KEYS", "*"):
                kind = await node.command("TYPE", key)
                read = {
                    b"hash": ("HGETALL", key),
                    b"list": ("LRANGE", key, 0, -1),
                    b"set": ("SMEMBERS", key),
                    b"zset": ("ZRANGE", key, 0, -1),
                }
                texts.append(f"{key} {await node.command(*read[kind])}")
        return "\n".join(texts)


@pytest.fixture(params=["sqlite", "cosmos"])
async def mesh(
    request: pytest.FixtureRequest, servers: Servers | None, tmp_path: Path
) -> AsyncIterator[Deployment]:
    opening = sqlite_archive(tmp_path) if request.param == "sqlite" else cosmos_archive()
    told = {"archive_path": "unused", "archive_linger_seconds": 0.0, "erasure_key": KEY}
    async with opening as hand:
        async with running_store(tmp_path, servers=servers, archive=hand.again(), **told) as store:
            yield Deployment(store, hand)


def request(**fields: str) -> pb.ErasePersonRequest:
    usual = {"requester": "officer-7", "reason": "asked by letter", "request_id": "r/1"}
    return pb.ErasePersonRequest(**{"client_id": PERSON, **usual, **fields})


async def erase(mesh: Deployment, **fields: str) -> tuple[bool, int]:
    answer = await mesh.store.erasure.ErasePerson(request(**fields))
    return answer.done, answer.erased_session_count


ASKED = ErasureRequest(PERSON, "r/1", "officer-7", "asked by letter")


async def test_a_person_is_erased_wherever_they_are_and_nobody_else(
    mesh: Deployment, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    for name, over in (("archived", True), ("lingering", True), ("live", False)):
        await mesh.call(name, over=over)
        await mesh.call(f"other-{name}", "client-2", over=over)
        if name == "archived":
            await mesh.archiver().sweep()
    assert await mesh.hand.archive.get("archived")
    assert PERSON in await mesh.everything()

    assert await erase(mesh) == (True, 3)

    assert PERSON not in await mesh.everything()
    assert await mesh.hand.archive.sessions_of(PERSON, 10) == []
    assert await mesh.hand.archive.get("archived") is None
    assert await mesh.hand.archive.get("other-archived")
    for name in ("lingering", "live"):
        assert (await get(mesh.store, f"sessions/other-{name}")).last_sequence >= 2
    assert PERSON not in caplog.text
    assert [r.message for r in caplog.records].count("person erased") == 1


async def test_the_record_tells_all_but_the_person(mesh: Deployment) -> None:
    await mesh.call("a")
    await erase(mesh, requester=f"{PERSON} themselves", reason=f"letter of {PERSON}")
    record = await mesh.hand.archive.erasure("r/1")
    assert (record["requester"], record["reason"]) == ("[person] themselves", "letter of [person]")
    assert (record["sessions"], record["began"] <= record["ended"]) == (1, True)
    text = f"{record['salt']}/{PERSON}".encode()
    assert record["person"] == hmac.new(KEY.encode(), text, hashlib.sha256).hexdigest()
    assert PERSON not in str(record)


async def test_repeating_it_changes_nothing(mesh: Deployment) -> None:
    await mesh.call("a")
    assert await erase(mesh) == (True, 1)
    first = await mesh.hand.archive.erasure("r/1")
    await mesh.call("later")
    assert await erase(mesh) == (True, 1)
    for key in await mesh.store.keys("voicemesh:{erasure*"):  # as 30 days do
        await mesh.store.hot.command("UNLINK", key)
    assert await erase(mesh) == (True, 1)
    assert await mesh.hand.archive.erasure("r/1") == first
    assert (await get(mesh.store, "sessions/later")).last_sequence == 2
    assert await erase(mesh, request_id="r/2") == (True, 1)


async def test_a_request_id_is_for_one_person(mesh: Deployment) -> None:
    await mesh.erasures().erase(ASKED, lambda: False)
    reused = mesh.store.erasure.ErasePerson(request(client_id="client-2"))
    assert await reason_of(reused) == "REQUEST_ID_REUSED"
    await erase(mesh)
    reused = mesh.store.erasure.ErasePerson(request(client_id="client-2"))
    assert await reason_of(reused) == "REQUEST_ID_REUSED"


async def test_an_erased_call_cannot_be_written_or_made_anew(mesh: Deployment) -> None:
    await mesh.call("a")
    await erase(mesh)
    assert await reason_of(append(mesh.store, said(2))) == "SESSION_NOT_FOUND"
    assert await reason_of(set_verified(mesh.store, PERSON, "mfa")) == "SESSION_NOT_FOUND"
    assert await reason_of(create(mesh.store)) == "SESSION_EXISTS"
    await mesh.due("a")
    await mesh.archiver().sweep()
    assert await mesh.hand.archive.get("a") is None
    assert await mesh.store.hot.command("ZCARD", "voicemesh:{index}:created:bank") == 0


async def many(mesh: Deployment, count: int, *, at_once: bool) -> None:
    """Sessions as Redis has them, made in the same millisecond or not."""
    for number in range(count):
        made = 1_700_000_000_000 + (0 if at_once else number)
        name = f"voicemesh:{{m{number}}}"
        await mesh.store.hot.command("HSET", f"{name}:session", "tenant", "bank", "created", made)
        await mesh.store.hot.command("HSET", f"{name}:verified", "client_id", PERSON)
        await mesh.store.hot.command("ZADD", "voicemesh:{index}:created", made, f"m{number}")


@pytest.mark.parametrize("at_once", [True, False])
async def test_more_than_a_batch_is_erased_a_batch_at_a_time(
    mesh: Deployment, at_once: bool
) -> None:
    await many(mesh, 2 * BATCH + 10, at_once=at_once)
    erased = await mesh.erasures().erase(ASKED, lambda: False)
    assert not erased.done
    assert erased.sessions >= BATCH
    for _ in range(10):
        erased = await mesh.erasures().erase(ASKED, lambda: False)
        if erased.done:
            break
    assert erased == Erased(True, 2 * BATCH + 10)
    assert await mesh.store.keys("voicemesh:{m*:verified") == []


class Dying:
    """An archive whose process is killed at the n-th session that it is to forget."""

    def __init__(self, archive: Any, after: int) -> None:
        self._archive, self._left = archive, after

    async def forget(self, session_id: str) -> None:
        if self._left == 0:
            raise asyncio.CancelledError
        self._left -= 1
        await self._archive.forget(session_id)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._archive, name)


async def test_whoever_is_killed_is_followed_and_each_session_counts_once(mesh: Deployment) -> None:
    for number in range(5):
        await mesh.call(f"s{number}", over=True)
    await mesh.archiver().sweep()
    await mesh.call("live")
    for _ in range(3):
        with pytest.raises(asyncio.CancelledError):
            await mesh.erasures(Dying(mesh.hand.archive, 1)).erase(ASKED, lambda: True)
    assert len(await mesh.hand.archive.sessions_of(PERSON, 10)) == 2
    assert await erase(mesh) == (True, 6)


async def test_an_archive_that_is_away_is_waited_for(mesh: Deployment) -> None:
    await mesh.call("kept", over=True)
    await mesh.archiver().sweep()
    await mesh.call("live")
    mesh.hand.away(True)
    error = await refused(mesh.store.erasure.ErasePerson(request()))
    assert (error.reason, error.retryable) == ("ARCHIVE_UNAVAILABLE", True)
    assert error.retry_after_seconds
    mesh.hand.away(False)
    assert await erase(mesh) == (True, 2)


class OnTheWay:
    """An archive that takes a session in between two other things."""

    def __init__(self, archive: Any, *, dies: bool) -> None:
        self._archive, self._dies = archive, dies
        self.asked, self.go_on = asyncio.Event(), asyncio.Event()

    async def put(self, session: ArchivedSession) -> None:
        self.asked.set()
        await self.go_on.wait()
        await self._archive.put(session)
        if self._dies:
            raise asyncio.CancelledError

    def __getattr__(self, name: str) -> Any:
        return getattr(self._archive, name)


@pytest.mark.parametrize("dies", [False, True])
async def test_what_was_on_its_way_to_the_archive_leaves_it_again(
    mesh: Deployment, dies: bool
) -> None:
    await mesh.call("a", over=True)
    slow = OnTheWay(mesh.hand.archive, dies=dies)
    moving = asyncio.create_task(mesh.archiver(slow).sweep())
    await slow.asked.wait()
    assert await erase(mesh) == (True, 1)
    slow.go_on.set()
    await asyncio.gather(moving, return_exceptions=True)
    if dies:
        assert await mesh.hand.archive.get("a")
        await mesh.due("a")  # as it is, once the dead one is given up
        await mesh.archiver().sweep()
    assert await mesh.hand.archive.get("a") is None
    assert await mesh.store.hot.command("ZCARD", "voicemesh:{index}:due") == 0


async def test_an_erased_session_is_looked_at_again_when_no_archiver_can_have_it(
    mesh: Deployment,
) -> None:
    await mesh.call("a")
    before = SystemClock().now().timestamp() * 1000
    await erase(mesh)
    due = int(await mesh.store.hot.command("ZSCORE", "voicemesh:{index}:due", "a"))
    assert due >= before + 120_000


@pytest.mark.parametrize("field", ["client_id", "request_id", "requester", "reason"])
async def test_a_request_that_leaves_something_out_is_refused(mesh: Deployment, field: str) -> None:
    error = await refused(mesh.store.erasure.ErasePerson(request(**{field: ""})))
    assert (error.reason, list(error.fields)) == ("ARGUMENT_INVALID", [field])


async def test_without_an_archive_redis_keeps_the_record(tmp_path: Path) -> None:
    async with running_store(tmp_path) as store:
        await create(store)
        await set_verified(store, PERSON, "identity")
        for _ in range(2):
            answer = await store.erasure.ErasePerson(request())
            assert (answer.done, answer.erased_session_count) == (True, 1)
        (key,) = await store.keys("voicemesh:{erasure*:record")
        assert await store.hot.command("HGET", key, "requester") == b"officer-7"
