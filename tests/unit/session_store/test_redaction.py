"""The archive holds no long digit runs, no addresses, and no keys that were pressed."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from session_store.redaction import masked_json, masked_text, redact
from voicemesh.session.v1 import journal_event_pb2 as ev
from voicemesh.tools.v1.outcome_pb2 import ToolFailure, ToolOutcome


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("my card is 4111 1111-1111 1111 ok", "my card is **** ****-**** **** ok"),
        ("last four 1234", "last four ****"),
        ("on the 24th at 12:30, 250 dollars", "on the 24th at 12:30, 250 dollars"),
        ("mail ada.l@example.org now", "mail ***@*** now"),
        ("", ""),
    ],
)
def test_identifiers_are_masked_and_words_are_not(text: str, masked: str) -> None:
    assert masked_text(text) == masked


def test_strings_in_json_are_masked_and_amounts_are_not() -> None:
    text = '{"account": "12345678", "balance": 45230.5, "list": [{"mail": "a@b.cd"}], "x": null}'
    assert json.loads(masked_json(text)) == {
        "account": "********",
        "balance": 45230.5,
        "list": [{"mail": "***@***"}],
        "x": None,
    }


def test_what_is_no_json_is_masked_as_text() -> None:
    assert masked_json('{"account": "12345678') == '{"account": "********'


@given(st.text())
def test_masking_twice_is_masking_once(text: str) -> None:
    assert masked_text(masked_text(text)) == masked_text(text)


SECRET = "12345678"
JSON = json.dumps({"n": SECRET})


@pytest.mark.parametrize(
    "event",
    [
        ev.JournalEvent(utterance=ev.UtteranceAccepted(transcript=f"it is {SECRET}")),
        ev.JournalEvent(utterance=ev.UtteranceAccepted(transcript=SECRET[:3], keyed=True)),
        ev.JournalEvent(segment=ev.SegmentPlanned(text=SECRET)),
        ev.JournalEvent(round=ev.RoundAnswered(text=SECRET)),
        ev.JournalEvent(round=ev.RoundAnswered(tool_calls=[ev.ToolCall(arguments_json=JSON)])),
        ev.JournalEvent(tool=ev.ToolAnswered(outcome=ToolOutcome(result_json=JSON))),
        ev.JournalEvent(
            tool=ev.ToolAnswered(outcome=ToolOutcome(failure=ToolFailure(message=SECRET)))
        ),
        ev.JournalEvent(context_changed=ev.ContextChanged(written={"k": JSON})),
    ],
)
def test_no_kind_of_event_keeps_an_identifier(event: ev.JournalEvent) -> None:
    kind = event.WhichOneof("event")
    redact(event)
    assert SECRET[:3].encode() not in event.SerializeToString()
    assert event.WhichOneof("event") == kind
