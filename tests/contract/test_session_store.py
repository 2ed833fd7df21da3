"""The session-store over a real channel, on a real Valkey server: each RPC and each refusal."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from redis.crc import key_slot

from memory.embedded import EmbeddedValkey
from tests.support.store import RunningStore, Servers, replica, running_store
from tests.support.store_calls import (
    GATEWAY_A,
    GATEWAY_B,
    S,
    acquire,
    append,
    create,
    ended,
    get,
    get_verified,
    journal,
    reason_of,
    refused,
    release,
    renew,
    said,
    set_verified,
    update,
)
from voicemesh.session.v1 import claim_pb2 as cl
from voicemesh.session.v1 import journal_event_pb2 as ev
from voicemesh.session.v1 import journal_pb2 as jr
from voicemesh.session.v1 import ownership_pb2 as ow
from voicemesh.session.v1 import session_store_pb2 as ss
from voicemesh.tools.v1.outcome_pb2 import ToolOutcome


@pytest.fixture
async def store(servers: Servers | None, tmp_path: Path) -> AsyncIterator[RunningStore]:
    async with running_store(tmp_path, servers=servers) as running:
        yield running


# --- sessions ---


async def test_a_session_is_made_and_read_back(store: RunningStore) -> None:
    made = await create(
        store,
        scenario="scenarios/banking",
        active_agent="agents/concierge",
        tenant="bank",
        context_json={"caller_name": '"Ada"'},
    )
    assert made.name == S
    assert made.etag
    assert made.create_time.seconds == made.update_time.seconds > 0
    assert 7190 < made.expire_time.seconds - made.create_time.seconds < 7210
    assert not made.HasField("owner")
    assert await get(store) == made


async def test_creating_again_with_the_same_request_changes_nothing(store: RunningStore) -> None:
    made = await create(store, scenario="scenarios/banking")
    await update(store, "context_json.k", context_json={"k": "1"})
    again = await create(store, scenario="scenarios/banking")
    assert again.context_json == {"k": "1"}
    assert again.create_time == made.create_time


async def test_a_session_made_by_another_request_exists(store: RunningStore) -> None:
    await create(store)
    request = ss.CreateSessionRequest(session_id="a", request_id="another")
    error = await refused(store.sessions.CreateSession(request))
    assert error.reason == "SESSION_EXISTS"


async def test_a_server_chosen_id_is_the_same_for_a_retry(store: RunningStore) -> None:
    request = ss.CreateSessionRequest(request_id="r1")
    first = (await store.sessions.CreateSession(request)).session.name
    assert (await store.sessions.CreateSession(request)).session.name == first
    other = ss.CreateSessionRequest(request_id="r2")
    assert (await store.sessions.CreateSession(other)).session.name != first


async def test_what_is_not_there_is_not_found(store: RunningStore) -> None:
    calls = [
        store.sessions.GetSession(ss.GetSessionRequest(name=S)),
        update(store, "scenario"),
        store.sessions.GetVerified(ss.GetVerifiedRequest(name=f"{S}/verified")),
        set_verified(store, "c1"),
        append(store, said(1)),
        journal(store),
        store.journal.ListMessages(jr.ListMessagesRequest(parent=S)),
        acquire(store, GATEWAY_A, "r"),
        renew(store, 1),
        release(store, 1),
        store.ownership.GetCallOwner(ow.GetCallOwnerRequest(session=S)),
    ]
    assert {(await refused(call)).reason for call in calls} == {"SESSION_NOT_FOUND"}


async def test_an_expired_session_is_gone_with_all_its_keys(store: RunningStore) -> None:
    request = ss.CreateSessionRequest(session_id="a", request_id="r")
    request.ttl.FromMilliseconds(1000)
    await store.sessions.CreateSession(request)
    await append(store, said(1))
    # As time does; the server has no clock that a test could move.
    for key in await store.keys("voicemesh:{a}:*"):
        await store.hot.command("PEXPIRE", key, 0)
    error = await refused(store.sessions.GetSession(ss.GetSessionRequest(name=S)))
    assert error.reason == "SESSION_NOT_FOUND"


async def test_a_session_is_over_at_its_expiry_though_its_keys_wait_for_the_archive(
    store: RunningStore,
) -> None:
    await create(store)
    await store.hot.command("HSET", "voicemesh:{a}:session", "expires", "1")
    for call in (get(store), append(store, said(1)), acquire(store, GATEWAY_A, "r")):
        assert (await refused(call)).reason == "SESSION_NOT_FOUND"


async def test_an_update_writes_the_masked_fields_and_no_other(store: RunningStore) -> None:
    made = await create(store, scenario="scenarios/banking", context_json={"a": "1", "b": "2"})
    response = await update(
        store,
        "active_agent",
        "context_json.a",
        "context_json.b",
        scenario="scenarios/other",
        active_agent="agents/fraud",
        context_json={"a": "10", "c": "3"},
    )
    after = response.session
    assert after.scenario == "scenarios/banking"
    assert after.active_agent == "agents/fraud"
    assert after.context_json == {"a": "10"}
    assert after.etag != made.etag
    assert await get(store) == after
    changed = (await journal(store)).events[0].context_changed
    assert dict(changed.written) == {"a": "10"}
    assert list(changed.removed) == ["b"]


async def test_a_whole_context_is_replaced_and_the_journal_says_what_went(
    store: RunningStore,
) -> None:
    await create(store, context_json={"a": "1", "b": "2"})
    response = await update(store, "context_json", context_json={"b": "3"})
    assert response.session.context_json == {"b": "3"}
    assert list((await journal(store)).events[0].context_changed.removed) == ["a"]


async def test_a_stale_etag_conflicts_and_writes_nothing(store: RunningStore) -> None:
    made = await create(store)
    await update(store, "scenario", scenario="scenarios/one", etag=made.etag)
    error = await refused(update(store, "scenario", scenario="scenarios/two", etag=made.etag))
    assert error.reason == "SESSION_CONFLICT"
    stale = await refused(update(store, "context_json", etag=made.etag))
    assert stale.reason == "SESSION_CONFLICT"
    assert (await get(store)).scenario == "scenarios/one"


async def test_an_append_does_not_change_the_etag(store: RunningStore) -> None:
    made = await create(store)
    await append(store, said(1))
    after = await get(store)
    assert after.etag == made.etag
    assert after.last_sequence == 1


async def test_of_writers_with_one_etag_exactly_one_wins(store: RunningStore) -> None:
    etag = (await create(store)).etag

    calls = [
        update(store, "context_json.n", etag=etag, context_json={"n": str(number)})
        for number in range(20)
    ]
    reasons = await asyncio.gather(*(reason_of(call) for call in calls))
    assert sorted(reasons) == ["", *["SESSION_CONFLICT"] * 19]
    assert (await get(store)).context_json["n"] == str(reasons.index(""))


async def test_a_session_has_a_bound_on_its_context_keys(store: RunningStore) -> None:
    keys = {f"k{number}": "1" for number in range(256)}
    await create(store, context_json=keys)
    error = await refused(update(store, "context_json.more", context_json={"more": "1"}))
    assert error.reason == "DOCUMENT_TOO_LARGE"
    await update(store, "context_json.k0", context_json={"k0": "2"})


async def test_sessions_are_listed_newest_first_in_pages_and_by_tenant(
    store: RunningStore,
) -> None:
    for number in range(7):
        await create(store, f"s{number}", tenant="even" if number % 2 == 0 else "odd")
    assert await listed(store, 3) == [f"s{number}" for number in reversed(range(7))]
    assert await listed(store, 2, tenant="odd") == ["s5", "s3", "s1"]
    assert await listed(store, 50, tenant="none") == []


async def test_sessions_made_at_one_moment_are_each_listed_once(store: RunningStore) -> None:
    for number in range(9):
        await create(store, f"s{number}")
        moment = 1000 if number < 7 else 2000
        await store.hot.command("ZADD", "voicemesh:{index}:created", moment, f"s{number}")
    for size in (1, 2, 3, 4):
        found = await listed(store, size)
        assert sorted(found) == [f"s{number}" for number in range(9)]


async def test_a_session_that_is_gone_leaves_a_gap_in_the_list(store: RunningStore) -> None:
    for number in range(3):
        await create(store, f"s{number}")
    await store.hot.command("UNLINK", "voicemesh:{s1}:session")
    assert await listed(store, 2) == ["s2", "s0"]


async def listed(store: RunningStore, size: int, tenant: str = "") -> list[str]:
    found, token = [], ""
    while True:
        request = ss.ListSessionsRequest(tenant=tenant, page_size=size, page_token=token)
        page = await store.sessions.ListSessions(request)
        assert len(page.sessions) <= size
        found += [session.name.removeprefix("sessions/") for session in page.sessions]
        token = page.next_page_token
        if not token:
            return found


async def test_deleting_ends_a_session_and_may_be_repeated(store: RunningStore) -> None:
    await create(store)
    request = ss.DeleteSessionRequest(name=S, reason="completed")
    await store.sessions.DeleteSession(request)
    await store.sessions.DeleteSession(request)
    await store.sessions.DeleteSession(ss.DeleteSessionRequest(name="sessions/none"))
    events = (await journal(store)).events
    assert [(e.event_id, e.ended.reason) for e in events] == [("ended", "completed")]
    assert (await refused(append(store, said(1)))).reason == "SESSION_ENDED"


async def test_only_the_owner_may_delete_an_owned_call(store: RunningStore) -> None:
    await create(store)
    await acquire(store, GATEWAY_A, "r1")
    error = await refused(store.sessions.DeleteSession(ss.DeleteSessionRequest(name=S)))
    assert error.reason == "CALL_OWNER_SUPERSEDED"
    await store.sessions.DeleteSession(ss.DeleteSessionRequest(name=S, owner_epoch=1))
    assert (await journal(store)).events[-1].ended.reason == "deleted"


# --- verified ---


async def test_nothing_is_verified_at_first(store: RunningStore) -> None:
    await create(store)
    assert await get_verified(store) == ev.VerifiedRecord(name=f"{S}/verified")


async def test_a_verified_record_is_kept_and_journalled(store: RunningStore) -> None:
    await create(store)
    kept = (await set_verified(store, "c1", "identity")).verified
    assert kept.etag
    assert await get_verified(store) == kept
    event = (await journal(store)).events[0]
    assert event.verified_changed.verified == kept


async def test_the_same_record_again_changes_nothing(store: RunningStore) -> None:
    await create(store)
    kept = (await set_verified(store, "c1", "identity")).verified
    again = (await set_verified(store, "c1", "identity")).verified
    assert again == kept
    assert len((await journal(store)).events) == 1


async def test_a_second_client_is_refused_whatever_the_etag(store: RunningStore) -> None:
    await create(store)
    kept = (await set_verified(store, "c1", "identity")).verified
    for other in ("c2", ""):
        error = await refused(set_verified(store, other, "identity", etag=kept.etag))
        assert error.reason == "CLIENT_CHANGED"
    assert (await get_verified(store)).client_id == "c1"


async def test_a_verified_record_with_a_stale_etag_conflicts(store: RunningStore) -> None:
    await create(store)
    await set_verified(store, "c1", "identity")
    for stale in ("", "7", "x"):
        error = await refused(set_verified(store, "c1", "identity", "mfa", etag=stale))
        assert error.reason == "SESSION_CONFLICT"
    kept = (await set_verified(store, "c1", "identity", "mfa", etag="1")).verified
    assert [proof.level for proof in kept.proofs] == ["identity", "mfa"]


async def test_verified_and_epochs_need_the_disk(store: RunningStore) -> None:
    await create(store)
    await store.keep_nothing()
    for call in (set_verified(store, "c1", "identity"), acquire(store, GATEWAY_A, "r")):
        error = await refused(call)
        assert error.reason == "STORE_NOT_DURABLE"
        assert error.retry_after_seconds
    await append(store, said(1), epoch=1)  # the journal goes on


# --- journal ---


async def test_events_come_back_as_written_with_what_the_server_adds(store: RunningStore) -> None:
    await create(store)
    outcome = ToolOutcome(result_json='{"success": true}')
    written = [
        said(1, "größe \x00 und 🎧"),
        ev.JournalEvent(event_id="t1/r0/0", tool=ev.ToolAnswered(outcome=outcome)),
    ]
    assert (await append(store, *written)).last_sequence == 2
    read = (await journal(store)).events
    assert [event.sequence for event in read] == [1, 2]
    assert all(event.create_time.seconds > 0 for event in read)
    for event in read:
        event.ClearField("sequence")
        event.ClearField("create_time")
    assert list(read) == written


async def test_what_the_server_sets_cannot_be_forged(store: RunningStore) -> None:
    await create(store)
    forged = said(1)
    forged.sequence, forged.owner_epoch = 99, 99
    forged.create_time.seconds = 1
    await append(store, forged)
    read = (await journal(store)).events[0]
    assert (read.sequence, read.owner_epoch) == (1, 0)
    assert read.create_time.seconds > 1_000_000_000


async def test_an_event_that_is_there_is_answered_and_not_written_again(
    store: RunningStore,
) -> None:
    await create(store)
    await append(store, said(1, "first"))
    response = await append(store, said(1, "second"), said(2))
    assert response.last_sequence == 2
    assert [e.utterance.transcript for e in response.existing_events] == ["first"]
    assert response.existing_events[0].sequence == 1
    assert [e.utterance.transcript for e in (await journal(store)).events] == ["first", "hello"]


async def test_appends_of_many_writers_are_all_there_once(store: RunningStore) -> None:
    await create(store)

    async def write(writer: int) -> None:
        for number in range(10):
            # Each pair of writers writes the same ids, as two pods in the same place do.
            await append(store, said(writer // 2 * 10 + number))

    await asyncio.gather(*(write(writer) for writer in range(20)))
    events = (await journal(store)).events
    assert sorted(e.event_id for e in events) == sorted(f"u{n}" for n in range(100))
    assert [e.sequence for e in events] == list(range(1, 101))


async def test_nothing_is_appended_after_the_end_but_retries_are_answered(
    store: RunningStore,
) -> None:
    await create(store)
    await append(store, said(1), ended())
    late = await refused(append(store, said(2)))
    assert late.reason == "SESSION_ENDED"
    again = await append(store, said(1), ended())
    assert [event.event_id for event in again.existing_events] == ["u1", "ended"]
    for call in (
        update(store, "scenario", scenario="scenarios/x"),
        set_verified(store, "c1", "identity"),
        acquire(store, GATEWAY_A, "r"),
    ):
        assert (await refused(call)).reason == "SESSION_ENDED"
    assert len((await journal(store)).events) == 2


async def test_too_much_at_once_is_refused_and_nothing_written(store: RunningStore) -> None:
    await create(store)
    error = await refused(append(store, said(1), said(2, "x" * (256 << 10))))
    assert error.reason == "DOCUMENT_TOO_LARGE"
    assert "262144" in error.message
    assert (await get(store)).last_sequence == 0


async def test_a_journal_has_a_bound(tmp_path: Path) -> None:
    async with running_store(tmp_path, journal_max_events=2) as store:
        await create(store)
        await append(store, said(1))
        error = await refused(append(store, said(2), said(3)))
        assert error.reason == "DOCUMENT_TOO_LARGE"
        assert (await append(store, said(2))).last_sequence == 2


async def test_the_journal_is_read_in_pages_and_from_a_place(store: RunningStore) -> None:
    await create(store)
    await append(store, *(said(n) for n in range(1, 8)))
    read, token = [], ""
    while True:
        page = await journal(store, page_size=3, page_token=token, after_sequence=1)
        read.append([event.sequence for event in page.events])
        token = page.next_page_token
        if not token:
            break
    assert read == [[2, 3, 4], [5, 6, 7]]
    assert not (await journal(store, after_sequence=7)).events


async def test_a_page_stays_below_what_a_message_may_hold(store: RunningStore) -> None:
    await create(store)
    for number in range(10):
        await append(store, said(number, "x" * 250_000))
    read, token = 0, ""
    while True:
        page = await journal(store, page_token=token)
        assert page.ByteSize() <= (1 << 20) + 4096
        read += len(page.events)
        token = page.next_page_token
        if not token:
            break
    assert read == 10


async def test_the_history_is_what_was_said_and_heard(store: RunningStore) -> None:
    await create(store)
    planned = ev.SegmentPlanned(segment="t1/s0", text="Good morning to you.", agent="agents/a")
    cut = ev.SegmentHeard(segment="t1/s0", heard_text_length=12, interrupted=True)
    await append(
        store,
        said(1, "hi"),
        ev.JournalEvent(event_id="t1/s0", segment=planned),
        ev.JournalEvent(event_id="t1/s0/heard", heard=cut),
        said(2, "stop"),
    )
    request = jr.ListMessagesRequest(parent=S, page_size=2)
    first = await store.journal.ListMessages(request)
    await append(store, said(3, "later"))
    request.page_token = first.next_page_token
    second = await store.journal.ListMessages(request)
    got = [(m.role, m.text, m.interrupted) for m in (*first.messages, *second.messages)]
    assert got == [
        (ev.ROLE_USER, "hi", False),
        (ev.ROLE_ASSISTANT, "Good morning", True),
        (ev.ROLE_USER, "stop", False),
    ]
    assert not second.next_page_token


# --- ownership ---


async def test_epochs_rise_by_one_and_the_journal_says_who(store: RunningStore) -> None:
    await create(store)
    first = await acquire(store, GATEWAY_A, "r1")
    second = await acquire(store, GATEWAY_B, "r2", takeover=ow.TAKEOVER_ALWAYS)
    assert (first.owner.epoch, second.owner.epoch) == (1, 2)
    assert not first.HasField("previous_owner")
    assert second.previous_owner == first.owner
    assert (await get(store)).owner == second.owner
    events = (await journal(store)).events
    assert [(e.owner_changed.address, e.owner_changed.epoch) for e in events] == [
        (GATEWAY_A, 1),
        (GATEWAY_B, 2),
    ]


async def test_repeating_an_acquisition_gives_the_same_epoch(store: RunningStore) -> None:
    await create(store)
    first = await acquire(store, GATEWAY_A, "r1")
    assert (await acquire(store, GATEWAY_A, "r1")).owner == first.owner
    await acquire(store, GATEWAY_B, "r2", takeover=ow.TAKEOVER_ALWAYS)
    late = await refused(acquire(store, GATEWAY_A, "r1", takeover=ow.TAKEOVER_ALWAYS))
    assert late.reason == "CALL_OWNER_SUPERSEDED"
    assert late.metadata["epoch"] == "2"


async def test_a_living_owner_is_told_and_not_replaced(store: RunningStore) -> None:
    await create(store)
    await acquire(store, GATEWAY_A, "r1")
    error = await refused(acquire(store, GATEWAY_B, "r2"))
    assert error.reason == "CALL_OWNED"
    assert error.metadata == {"address": GATEWAY_A, "epoch": "1"}


async def test_an_owner_may_take_a_new_epoch_of_its_own_call(store: RunningStore) -> None:
    await create(store)
    await acquire(store, GATEWAY_A, "r1")
    assert (await acquire(store, GATEWAY_A, "r2")).owner.epoch == 2


async def test_a_dead_owner_is_replaced(store: RunningStore) -> None:
    await create(store)
    await acquire(store, GATEWAY_A, "r1")
    await store.hot.command("HSET", "voicemesh:{a}:session", "owner_expiry", "1")
    assert (await acquire(store, GATEWAY_B, "r2")).owner.epoch == 2


async def test_exactly_one_of_two_owners_can_write(store: RunningStore) -> None:
    await create(store)
    await acquire(store, GATEWAY_A, "r1")
    await append(store, said(1), epoch=1)
    await acquire(store, GATEWAY_B, "r2", takeover=ow.TAKEOVER_ALWAYS)
    for call in (
        append(store, said(2), epoch=1),
        append(store, said(2)),
        update(store, "scenario", scenario="scenarios/x", epoch=1),
        renew(store, 1),
    ):
        error = await refused(call)
        assert error.reason == "CALL_OWNER_SUPERSEDED"
        assert error.metadata["epoch"] == "2"
    await append(store, said(2), epoch=2)
    await update(store, "scenario", scenario="scenarios/x", epoch=2)
    assert [e.owner_epoch for e in (await journal(store)).events] == [1, 1, 2, 2]


async def test_an_epoch_that_was_never_given_out_is_refused(store: RunningStore) -> None:
    await create(store)
    error = await refused(append(store, said(1), epoch=1))
    assert error.reason == "ARGUMENT_INVALID"
    assert "owner_epoch" in error.fields


async def test_renewing_moves_the_expiry(store: RunningStore) -> None:
    await create(store)
    request = ow.AcquireCallRequest(session=S, address=GATEWAY_A, request_id="r1")
    request.ttl.FromSeconds(5)
    first = (await store.ownership.AcquireCall(request)).owner
    longer = ow.RenewCallRequest(session=S, owner_epoch=1)
    longer.ttl.FromSeconds(60)
    renewed = (await store.ownership.RenewCall(longer)).owner
    assert renewed.expire_time.seconds - first.expire_time.seconds >= 54
    assert (await get(store)).owner == renewed


async def test_a_released_call_is_free_and_its_epoch_stays(store: RunningStore) -> None:
    await create(store)
    await acquire(store, GATEWAY_A, "r1")
    await release(store, 1)
    await release(store, 1)
    assert not (await get(store)).HasField("owner")
    assert (await refused(renew(store, 1))).reason == "CALL_OWNER_SUPERSEDED"
    taken = await acquire(store, GATEWAY_B, "r2")
    assert taken.owner.epoch == 2
    assert not taken.HasField("previous_owner")
    await release(store, 1)  # the old owner's, come late
    assert (await get(store)).owner.address == GATEWAY_B


async def test_whoever_asks_is_told_the_owner(store: RunningStore) -> None:
    await create(store)
    request = ow.GetCallOwnerRequest(session=S)
    assert (await refused(store.ownership.GetCallOwner(request))).reason == "CALL_NOT_OWNED"
    owner = (await acquire(store, GATEWAY_A, "r1")).owner
    assert (await store.ownership.GetCallOwner(request)).owner == owner


async def test_of_many_that_take_a_free_call_one_gets_it(store: RunningStore) -> None:
    await create(store)

    calls = [acquire(store, f"10.0.0.{number}:1", f"r{number}") for number in range(20)]
    reasons = await asyncio.gather(*(reason_of(call) for call in calls))
    assert sorted(reasons) == ["", *["CALL_OWNED"] * 19]


# --- what every key and every request has in common ---


async def test_every_key_has_an_expiry_and_one_slot(store: RunningStore) -> None:
    await create(store, scenario="scenarios/x", context_json={"a": "1"})
    await acquire(store, GATEWAY_A, "r1")
    await append(store, said(1), epoch=1)
    await update(store, "context_json.b", context_json={"b": "1"}, epoch=1)
    await set_verified(store, "c1", "identity")
    request_id = f"{S}/t1/0/0"
    await store.claims.ClaimTool(
        cl.ClaimToolRequest(request_id=request_id, fingerprint="f", holder="h", owner_epoch=1)
    )
    every = await store.keys()
    assert [await store.hot.command("PEXPIRETIME", key) > 0 for key in every] == [True] * 8
    keys = [key for key in every if b"{a}" in key]
    assert len(keys) == 6
    expiries = {await store.hot.command("PEXPIRETIME", key) for key in keys}
    assert len(expiries) == 1
    assert len({key_slot(key) for key in keys}) == 1


@pytest.mark.parametrize("write", ["append", "update", "renew", "verify", "acquire"])
async def test_a_write_prolongs_the_session_and_a_read_does_not(
    store: RunningStore, write: str
) -> None:
    await create(store)
    await acquire(store, GATEWAY_A, "r0")
    soon = (await get(store)).create_time.ToMilliseconds() + 60_000
    await store.hot.command("HSET", "voicemesh:{a}:session", "expires", soon)
    short = (await get(store)).expire_time.seconds
    await journal(store)
    assert (await get(store)).expire_time.seconds == short
    writes: dict[str, Callable[[], Awaitable[Any]]] = {
        "append": lambda: append(store, said(1), epoch=1),
        "update": lambda: update(store, "scenario", scenario="scenarios/x", epoch=1),
        "renew": lambda: renew(store, 1),
        "verify": lambda: set_verified(store, "c1", "identity"),
        "acquire": lambda: acquire(store, GATEWAY_A, "r1"),
    }
    await writes[write]()
    assert (await get(store)).expire_time.seconds > short + 7000


@pytest.mark.parametrize("name", ["", "a", "sessions/", "sessions/a/b", "sessions/ä"])
async def test_a_malformed_name_is_refused_everywhere(store: RunningStore, name: str) -> None:
    calls = [
        store.sessions.GetSession(ss.GetSessionRequest(name=name)),
        store.sessions.UpdateSession(ss.UpdateSessionRequest(session=ss.Session(name=name))),
        store.sessions.GetVerified(ss.GetVerifiedRequest(name=f"{name}/verified!")),
        store.sessions.SetVerified(
            ss.SetVerifiedRequest(verified=ev.VerifiedRecord(name=f"{name}/x"))
        ),
        append(store, said(1), session=name),
        store.journal.ListEvents(jr.ListEventsRequest(parent=name)),
        store.journal.ListMessages(jr.ListMessagesRequest(parent=name)),
        store.ownership.AcquireCall(ow.AcquireCallRequest(session=name)),
        store.ownership.RenewCall(ow.RenewCallRequest(session=name)),
        store.ownership.ReleaseCall(ow.ReleaseCallRequest(session=name)),
        store.ownership.GetCallOwner(ow.GetCallOwnerRequest(session=name)),
        store.sessions.DeleteSession(ss.DeleteSessionRequest(name=name)),
        store.claims.ClaimTool(cl.ClaimToolRequest(request_id=name)),
        store.claims.RenewToolClaim(cl.RenewToolClaimRequest(request_id=name)),
        store.claims.CompleteTool(cl.CompleteToolRequest(request_id=name)),
        store.claims.GetToolClaim(cl.GetToolClaimRequest(request_id=name)),
    ]
    assert {(await refused(call)).reason for call in calls} == {"NAME_MALFORMED"}


async def test_bad_arguments_are_refused_by_the_field(store: RunningStore) -> None:
    await create(store)
    endless = ss.CreateSessionRequest(session_id="b", request_id="r")
    endless.ttl.FromSeconds(10**7)
    calls = {
        "request_id": store.sessions.CreateSession(ss.CreateSessionRequest(session_id="b")),
        "ttl": store.sessions.CreateSession(endless),
        "update_mask": update(store, "tenant"),
        "session.context_json[k]": update(store, "context_json.k", context_json={"k": "{"}),
        "events": append(store),
        "events[0]": append(store, ev.JournalEvent(event_id="u1")),
        "events[0].event_id": append(store, ev.JournalEvent(ended=ev.SessionEnded())),
        "page_size": journal(store, page_size=-1),
        "page_token": journal(store, page_token="next"),
        "after_sequence": journal(store, after_sequence=-1),
        "address": acquire(store, "nowhere", "r"),
        "takeover": acquire(store, GATEWAY_A, "r", takeover=9),
        "owner_epoch": renew(store, 0),
        "verified.proofs[0].level": set_verified(store, "c1", ""),
    }
    for field, call in calls.items():
        error = await refused(call)
        assert (error.reason, list(error.fields)) == ("ARGUMENT_INVALID", [field])


async def test_an_ownership_that_lasts_too_long_is_refused(store: RunningStore) -> None:
    await create(store)
    request = ow.AcquireCallRequest(session=S, address=GATEWAY_A, request_id="r")
    request.ttl.FromSeconds(601)
    error = await refused(store.ownership.AcquireCall(request))
    assert (error.reason, list(error.fields)) == ("TTL_OUT_OF_RANGE", ["ttl"])


async def test_full_memory_refuses_writes_whole_and_answers_reads(store: RunningStore) -> None:
    await create(store)
    await acquire(store, GATEWAY_A, "r1")
    await store.everywhere("CONFIG", "SET", "maxmemory", "1")
    for call in (
        append(store, said(1), epoch=1),
        update(store, "scenario", scenario="scenarios/x", epoch=1),
        set_verified(store, "c1", "identity"),
        acquire(store, GATEWAY_A, "r2"),
        create(store, "b"),
    ):
        error = await refused(call)
        assert error.reason == "STORE_FULL"
        assert error.retry_after_seconds
    session = await get(store)
    assert (session.last_sequence, session.scenario) == (1, "")
    await release(store, 1)


async def test_a_key_of_another_type_is_an_internal_error(store: RunningStore) -> None:
    await create(store)
    await store.hot.command("SET", "voicemesh:{a}:journal", "x")
    assert (await refused(append(store, said(1)))).reason == "INTERNAL_ERROR"


async def test_without_redis_every_request_is_told_when_to_come_again(tmp_path: Path) -> None:
    async with EmbeddedValkey(tmp_path) as valkey:
        url = valkey.url
    async with replica(url) as store:
        calls = [
            create(store),
            store.sessions.GetSession(ss.GetSessionRequest(name=S)),
            update(store, "scenario"),
            get_verified(store),
            set_verified(store, "c1"),
            append(store, said(1)),
            journal(store),
            store.journal.ListMessages(jr.ListMessagesRequest(parent=S)),
            acquire(store, GATEWAY_A, "r"),
            renew(store, 1),
            release(store, 1),
        ]
        for error in await asyncio.gather(*(refused(call) for call in calls)):
            assert error.reason == "STORE_UNAVAILABLE"
            assert error.retry_after_seconds == 1.0


async def test_a_short_deadline_is_kept_when_redis_is_silent(store: RunningStore) -> None:
    await create(store)
    await store.everywhere("CLIENT", "PAUSE", 2000, "ALL")
    request = ss.GetSessionRequest(name=S)
    error = await refused(store.sessions.GetSession(request, timeout=0.5))
    assert error.reason == "STORE_UNAVAILABLE"


async def test_a_restart_of_redis_keeps_everything(tmp_path: Path) -> None:
    async with EmbeddedValkey(tmp_path) as first, replica(first.url) as store:
        await create(store, context_json={"a": "1"})
        await acquire(store, GATEWAY_A, "r1")
        await append(store, said(1), epoch=1)
        await set_verified(store, "c1", "identity")
        before = await get(store)
        record = await get_verified(store)
    async with EmbeddedValkey(tmp_path) as second, replica(second.url) as store:
        assert await get(store) == before
        assert await get_verified(store) == record
        assert (await append(store, said(1), epoch=1)).last_sequence == before.last_sequence
        assert (await acquire(store, GATEWAY_B, "r2", takeover=2)).owner.epoch == 2


async def test_replicas_share_everything_and_one_may_go(tmp_path: Path) -> None:
    async with EmbeddedValkey(tmp_path) as valkey, replica(valkey.url) as one:
        async with replica(valkey.url) as other:
            await create(other)
            await append(other, said(1))
        assert (await append(one, said(1), said(2))).last_sequence == 2
