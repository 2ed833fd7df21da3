"""An append that answers with the session: the same append, the same session, one round trip."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.store import RunningStore, Servers, running_store
from tests.support.store_calls import (
    GATEWAY_A,
    S,
    acquire,
    append,
    create,
    ended,
    get,
    journal,
    reason_of,
    said,
)
from voicemesh.session.v1 import journal_event_pb2 as ev
from voicemesh.session.v1 import journal_pb2 as jr


@pytest.fixture
async def store(servers: Servers | None, tmp_path: Path) -> AsyncIterator[RunningStore]:
    async with running_store(tmp_path, servers=servers) as running:
        yield running


def both(store: RunningStore, *events: ev.JournalEvent, epoch: int = 0) -> Any:
    request = jr.AppendEventsRequest(session=S, owner_epoch=epoch, return_session=True)
    request.events.extend(events)
    return store.journal.AppendEvents(request)


async def test_it_answers_with_the_session_as_it_stands(store: RunningStore) -> None:
    await create(store, context_json={"caller_name": '"Ada"'})
    answer = await both(store, said(1))
    assert answer.last_sequence == 1
    assert answer.session == await get(store)
    assert answer.session.context_json["caller_name"] == '"Ada"'


async def test_without_being_asked_it_does_not(store: RunningStore) -> None:
    await create(store)
    assert not (await append(store, said(1))).HasField("session")


async def test_a_repeated_append_answers_with_what_is_there(store: RunningStore) -> None:
    await create(store)
    await both(store, said(1, "first"))
    again = await both(store, said(1, "second"))
    assert [e.utterance.transcript for e in again.existing_events] == ["first"]
    assert again.session.name == S


async def test_the_end_answers_too(store: RunningStore) -> None:
    await create(store)
    answer = await both(store, ended())
    assert answer.session.name == S


async def test_a_refused_append_is_refused_all_the_same(store: RunningStore) -> None:
    await create(store)
    await acquire(store, GATEWAY_A, "r1")
    assert await reason_of(both(store, said(1), epoch=0)) == "CALL_OWNER_SUPERSEDED"
    events = (await journal(store)).events
    assert [e.WhichOneof("event") for e in events] == ["owner_changed"]


async def test_of_a_session_that_is_not_there_nothing_is_said(store: RunningStore) -> None:
    assert await reason_of(both(store, said(1))) == "SESSION_NOT_FOUND"
