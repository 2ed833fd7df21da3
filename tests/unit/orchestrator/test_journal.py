"""Events are written in order, together while a write is under way, and are not forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from meshkit.errors import MeshError, PeerUnreachable, Reason
from orchestrator.journal import MAX_BATCH_EVENTS, MAX_WAITING_EVENTS, Journal
from voicemesh.session.v1.journal_event_pb2 import JournalEvent
from voicemesh.session.v1.journal_pb2 import AppendEventsRequest


class Store:
    """Stands where the fleet stands: takes requests, fails as told, waits if `gate` is shut."""

    def __init__(self) -> None:
        self.requests: list[list[str]] = []
        self.failures: list[MeshError] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.changed = asyncio.Condition()

    async def unary(self, _: Any, method: str, request: AppendEventsRequest, **__: Any) -> None:
        assert (method, request.session, request.owner_epoch) == ("AppendEvents", "sessions/a", 3)
        async with self.changed:
            self.requests.append([event.event_id for event in request.events])
            self.changed.notify_all()
        await self.gate.wait()
        if self.failures:
            raise self.failures.pop(0)

    async def until_asked(self, count: int) -> None:
        async with asyncio.timeout(5), self.changed:
            await self.changed.wait_for(lambda: len(self.requests) >= count)


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
async def journal(store: Store) -> AsyncIterator[Journal]:
    writing = Journal(store, "sessions/a", 3)  # type: ignore[arg-type]
    writing.start()
    yield writing
    await writing.close(0)


def event(name: str) -> JournalEvent:
    return JournalEvent(event_id=name)


async def test_what_gathers_during_a_write_goes_out_together(
    store: Store, journal: Journal
) -> None:
    store.gate.clear()
    first = journal.add(event("a"))
    await store.until_asked(1)
    rest = [journal.add(event(name)) for name in "bcd"]
    store.gate.set()
    await asyncio.gather(first, *rest)
    assert store.requests == [["a"], ["b", "c", "d"]]


async def test_what_one_event_causes_at_once_goes_out_with_it(
    store: Store, journal: Journal
) -> None:
    utterance = journal.add(event("u1"))
    await asyncio.sleep(0)
    await asyncio.gather(utterance, journal.add(event("t1")))
    assert store.requests == [["u1", "t1"]]


async def test_a_batch_is_bounded(store: Store, journal: Journal) -> None:
    written = [journal.add(event(str(n))) for n in range(MAX_BATCH_EVENTS + 1)]
    await asyncio.gather(*written)
    assert [len(request) for request in store.requests] == [MAX_BATCH_EVENTS, 1]


@pytest.mark.parametrize(
    "failure",
    [
        MeshError(Reason.STORE_UNAVAILABLE, "away", retry_after_seconds=0.001),
        MeshError(Reason.STORE_FULL, "full", retry_after_seconds=0.001),
    ],
    ids=["away", "full"],
)
async def test_a_store_that_is_away_is_asked_again(
    store: Store, journal: Journal, failure: MeshError
) -> None:
    store.failures = [failure, failure]
    await journal.add(event("a"))
    assert store.requests == [["a"]] * 3


async def test_a_store_that_cannot_be_reached_is_asked_again(
    store: Store, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.journal._AGAIN_SECONDS", 0.001)
    unavailable = MeshError(Reason.STORE_UNAVAILABLE, "").code
    store.failures = [PeerUnreachable("UNAVAILABLE", "refused", code=unavailable)]
    await journal.add(event("a"))
    assert store.requests == [["a"]] * 2


@pytest.mark.parametrize("reason", [Reason.CALL_OWNER_SUPERSEDED, Reason.SESSION_ENDED])
async def test_a_call_that_is_not_ours_ends_the_journal(
    store: Store, journal: Journal, reason: Reason
) -> None:
    store.failures = [MeshError(reason, "not yours")]
    written = [journal.add(event(name)) for name in "ab"]
    with pytest.raises(MeshError) as lost:
        await journal.lost()
    assert lost.value.is_reason(reason)
    for future in written:
        assert isinstance(future.exception(), MeshError)


async def test_too_many_events_are_refused_and_those_before_are_kept(
    store: Store, journal: Journal
) -> None:
    store.gate.clear()
    kept = [journal.add(event(str(n))) for n in range(MAX_WAITING_EVENTS)]
    refused = journal.add(event("one more")).exception()
    assert isinstance(refused, MeshError)
    assert refused.is_reason(Reason.STORE_UNAVAILABLE)
    store.gate.set()
    await asyncio.gather(*kept)


async def test_closing_writes_what_is_left(store: Store) -> None:
    journal = Journal(store, "sessions/a", 3)  # type: ignore[arg-type]
    journal.start()
    written = journal.add(event("a"))
    await journal.close(5)
    assert written.done()
    assert store.requests == [["a"]]


async def test_closing_does_not_wait_for_ever(store: Store) -> None:
    journal = Journal(store, "sessions/a", 3)  # type: ignore[arg-type]
    journal.start()
    store.gate.clear()
    written = journal.add(event("a"))
    await store.until_asked(1)
    await journal.close(0.001)
    assert not written.done()


async def test_closing_what_never_began() -> None:
    await Journal(Store(), "sessions/a", 3).close(1)  # type: ignore[arg-type]
