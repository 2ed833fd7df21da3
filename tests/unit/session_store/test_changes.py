"""What a caller may write, and what each refusal names."""

from __future__ import annotations

from typing import Any

import pytest

from meshkit.errors import MeshError
from session_store.changes import (
    MAX_DOCUMENT_BYTES,
    MAX_EVENTS,
    checked_events,
    checked_id,
    checked_session_id,
    derived_session_id,
    masked_change,
    new_session,
)
from voicemesh.session.v1 import journal_event_pb2 as ev
from voicemesh.session.v1.session_store_pb2 import Session


def said(event_id: str = "u1", text: str = "") -> ev.JournalEvent:
    return ev.JournalEvent(event_id=event_id, utterance=ev.UtteranceAccepted(transcript=text))


def refusal(call: Any, *args: Any) -> MeshError:
    with pytest.raises(MeshError) as refused:
        call(*args)
    return refused.value


def test_a_new_session_writes_what_was_given() -> None:
    session = Session(scenario="scenarios/x", tenant="t", context_json={"k": "[1]"}, etag="9")
    change = new_session(session)
    assert change.fields == {"scenario": "scenarios/x", "tenant": "t"}
    assert change.context == {"k": "[1]"}


def test_a_mask_chooses_fields_and_keys() -> None:
    session = Session(scenario="scenarios/x", active_agent="agents/y", context_json={"a": "1"})
    change = masked_change(session, ["active_agent", "context_json.a", "context_json.gone"])
    assert change.fields == {"active_agent": "agents/y"}
    assert change.context == {"a": "1"}
    assert change.removed == ["gone"]
    assert not change.replaces_context


def test_a_masked_field_that_is_empty_is_cleared() -> None:
    assert masked_change(Session(), ["scenario"]).fields == {"scenario": ""}


def test_the_whole_context_may_be_replaced() -> None:
    change = masked_change(Session(context_json={"a": "1"}), ["context_json"])
    assert change.replaces_context
    assert change.context == {"a": "1"}


def test_a_key_with_dots_is_one_key() -> None:
    session = Session(context_json={"slots.date": '"monday"'})
    assert masked_change(session, ["context_json.slots.date"]).context == {"slots.date": '"monday"'}


@pytest.mark.parametrize("path", ["tenant", "etag", "owner", "name", "context", "", "a.b"])
def test_what_is_not_writable_is_refused_with_what_is(path: str) -> None:
    error = refusal(masked_change, Session(), [path])
    assert error.reason == "ARGUMENT_INVALID"
    assert "writable are scenario, active_agent" in error.fields["update_mask"]


def test_an_empty_mask_is_refused() -> None:
    assert refusal(masked_change, Session(), []).fields.keys() == {"update_mask"}


@pytest.mark.parametrize("text", ["", "{", "nul", "[" * 100_000])
def test_a_context_value_must_be_json(text: str) -> None:
    error = refusal(new_session, Session(context_json={"k": text}))
    assert error.fields == {"session.context_json[k]": "must be JSON text"}


@pytest.mark.parametrize("key", ["", "a b", "ä", "x" * 129])
def test_a_context_key_has_a_form(key: str) -> None:
    assert refusal(new_session, Session(context_json={key: "1"})).reason == "ARGUMENT_INVALID"
    removing = refusal(masked_change, Session(), [f"context_json.{key}"])
    assert removing.reason == "ARGUMENT_INVALID"


def test_a_context_has_a_bound_in_bytes_not_characters() -> None:
    text = '"' + "é" * (MAX_DOCUMENT_BYTES // 2) + '"'
    assert refusal(new_session, Session(context_json={"k": text})).reason == "DOCUMENT_TOO_LARGE"


def test_a_context_has_a_bound_in_keys() -> None:
    keys = {f"k{number}": "1" for number in range(257)}
    assert "256 keys" in refusal(new_session, Session(context_json=keys)).message


@pytest.mark.parametrize(
    ("session", "field"),
    [
        (Session(scenario="tools/x"), "session.scenario"),
        (Session(active_agent="x"), "session.active_agent"),
    ],
)
def test_names_of_another_kind_are_refused(session: Session, field: str) -> None:
    error = refusal(new_session, session)
    assert (error.reason, list(error.fields)) == ("NAME_MALFORMED", [field])


def test_a_tenant_has_a_bound() -> None:
    assert list(refusal(new_session, Session(tenant="x" * 129)).fields) == ["session.tenant"]


def test_an_event_body_has_no_place_for_what_the_server_sets() -> None:
    event = said()
    plain = checked_events([event])
    event.sequence, event.owner_epoch = 7, 7
    event.create_time.GetCurrentTime()
    assert checked_events([event]) == plain
    assert plain[0][0] == "u1"


@pytest.mark.parametrize(
    "event",
    [
        ev.JournalEvent(event_id="context/2", context_changed=ev.ContextChanged()),
        ev.JournalEvent(event_id="x", owner_changed=ev.OwnerChanged(address="a", epoch=9)),
        ev.JournalEvent(event_id="x", verified_changed=ev.VerifiedChanged()),
        ev.JournalEvent(event_id="verified/1", utterance=ev.UtteranceAccepted()),
    ],
)
def test_what_the_server_writes_nobody_else_may(event: ev.JournalEvent) -> None:
    assert "written by the server only" in refusal(checked_events, [event]).message


@pytest.mark.parametrize("event_id", ["", "a b", "x" * 201, "/u1", "ü1"])
def test_an_event_id_has_a_form(event_id: str) -> None:
    assert list(refusal(checked_events, [said(event_id)]).fields) == ["events[0].event_id"]


def test_the_end_comes_last() -> None:
    end = ev.JournalEvent(event_id="ended", ended=ev.SessionEnded())
    assert "must be the last" in refusal(checked_events, [end, said()]).message


def test_an_id_twice_in_one_append_is_a_bug() -> None:
    assert "twice" in refusal(checked_events, [said(), said()]).message


def test_one_append_has_a_bound() -> None:
    many = [said(f"u{number}") for number in range(MAX_EVENTS + 1)]
    assert f"1 to {MAX_EVENTS}" in refusal(checked_events, many).message
    large = refusal(checked_events, [said("u1", "x" * MAX_DOCUMENT_BYTES)])
    assert large.reason == "DOCUMENT_TOO_LARGE"


def test_ids_made_up_by_callers_are_checked() -> None:
    assert checked_id("r-1", "request_id") == "r-1"
    for bad in ("", "a\n", "x" * 201):
        assert list(refusal(checked_id, bad, "request_id").fields) == ["request_id"]


def test_a_derived_session_id_is_a_good_one() -> None:
    made = derived_session_id("r")
    assert checked_session_id("", "r") == made == checked_session_id(made, "other")
    assert refusal(checked_session_id, "a/b", "r").reason == "NAME_MALFORMED"
