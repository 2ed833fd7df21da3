"""What is kept of an event or record comes back the same, with what the server adds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from session_store.records import (
    event_body,
    event_of,
    events_of,
    owner_of,
    record_body,
    session_keys,
    session_of,
    verified_of,
)
from voicemesh.session.v1 import journal_event_pb2 as ev


def test_keys_share_one_hash_tag() -> None:
    keys = session_keys("a")
    assert len(set(keys)) == 6
    assert all(key.startswith("voicemesh:{a}:") for key in keys)


@given(st.text(), st.integers(1, 2**40), st.integers(0, 2**40))
def test_an_event_comes_back_whatever_was_said(text: str, sequence: int, epoch: int) -> None:
    body = event_body(ev.JournalEvent(utterance=ev.UtteranceAccepted(transcript=text)))
    event = event_of(sequence, b"%d 1700000000123 t1/s0 %s" % (epoch, body))
    assert event.utterance.transcript == text
    assert (event.sequence, event.owner_epoch, event.event_id) == (sequence, epoch, "t1/s0")
    assert event.create_time.ToMilliseconds() == 1700000000123


def test_an_owner_event_says_its_epoch() -> None:
    body = event_body(ev.JournalEvent(owner_changed=ev.OwnerChanged(address="h:1")))
    assert event_of(1, b"7 1 owner/7 " + body).owner_changed.epoch == 7


def test_a_stretch_counts_from_its_first_sequence() -> None:
    body = event_body(ev.JournalEvent(utterance=ev.UtteranceAccepted()))
    events = events_of(5, [b"0 1 u1 " + body, b"0 1 u2 " + body])
    assert [event.sequence for event in events] == [5, 6]


def test_a_record_is_the_same_bytes_whatever_its_name_and_etag() -> None:
    one = ev.VerifiedRecord(name="a", client_id="c", etag="1")
    other = ev.VerifiedRecord(name="b", client_id="c", etag="2")
    assert record_body(one) == record_body(other)
    kept = verified_of("s", b"3", record_body(one))
    assert (kept.name, kept.client_id, kept.etag) == ("sessions/s/verified", "c", "3")
    assert verified_of("s", None, None) == ev.VerifiedRecord(name="sessions/s/verified")


def test_a_session_without_an_owner_names_none() -> None:
    fields = [b"created", b"1000", b"updated", b"2000", b"version", b"4", b"epoch", b"2"]
    fields += [b"expires", b"9000"]
    session = session_of("s", (fields, [b"k", b"1"], 3))
    assert session.name == "sessions/s"
    assert (session.etag, session.last_sequence, session.expire_time.seconds) == ("4", 3, 9)
    assert not session.HasField("owner")
    fields += [b"address", b"h:1", b"owner_expiry", b"5000"]
    owned = session_of("s", (fields, [], 3))
    assert owned.owner == owner_of("s", b"h:1", 2, b"5000")
    assert owned.owner.name == "sessions/s/owner"
