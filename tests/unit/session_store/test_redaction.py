"""The archive holds nothing that is personal, and no keys that were pressed."""

from __future__ import annotations

import json

import pytest

from session_store.redaction import names_told, redact, redacted_context
from voicemesh.session.v1 import journal_event_pb2 as ev
from voicemesh.tools.v1.outcome_pb2 import ToolFailure, ToolOutcome

SECRET = "12345678"
JSON = json.dumps({"n": SECRET})
NAMED = json.dumps({"full_name": "Ada Lovelace", "balance": 45230.5})


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


def test_a_name_that_a_tool_was_given_goes_wherever_it_was_said() -> None:
    asked = ev.JournalEvent(round=ev.RoundAnswered(tool_calls=[ev.ToolCall(arguments_json=NAMED)]))
    said = ev.JournalEvent(utterance=ev.UtteranceAccepted(transcript="yes, ada LOVELACE"))
    greeted = ev.JournalEvent(segment=ev.SegmentPlanned(text="Thank you, Lovelace; adage."))
    names = names_told([asked, said, greeted])
    assert names == {"Ada Lovelace", "Ada", "Lovelace"}
    for event in (asked, said, greeted):
        redact(event, names)
    assert said.utterance.transcript == "yes, [name]"
    assert greeted.segment.text == "Thank you, [name]; adage."
    assert json.loads(asked.round.tool_calls[0].arguments_json) == {
        "full_name": "[name]",
        "balance": 45230.5,
    }


def test_names_are_those_of_results_and_of_the_context_too() -> None:
    result = ev.JournalEvent(tool=ev.ToolAnswered(outcome=ToolOutcome(result_json=NAMED)))
    noted = ev.JournalEvent(context_changed=ev.ContextChanged(written={"caller": NAMED}))
    assert names_told([result]) == names_told([noted]) == {"Ada Lovelace", "Ada", "Lovelace"}


def test_the_context_is_redacted_as_json() -> None:
    assert json.loads(redacted_context("k", NAMED, frozenset()))["full_name"] == "[name]"
    assert redacted_context("account", "123", frozenset()) == '"[withheld]"'
