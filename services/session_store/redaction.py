"""What of a session is taken out before it is archived: what people are, have and open doors with.

The live session keeps what was said, because the call needs it; the archive does not. Keys that were
pressed go whole. A name that a tool was given goes wherever it was said; another goes where the words
around it give it away, so a deployment that must keep none sets its retention accordingly. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from meshkit.redaction import names_in_json, redact_json, redact_said, without_names
from voicemesh.session.v1.journal_event_pb2 import JournalEvent
from voicemesh.tools.v1.outcome_pb2 import ToolOutcome

KEYS_PRESSED = "[keys]"


def names_told(events: Iterable[JournalEvent]) -> frozenset[str]:
    """Names of people that tools were given or gave."""
    return frozenset(
        name for event in events for text in _json_of(event) for name in names_in_json(text)
    )


def redact(event: JournalEvent, names: frozenset[str] = frozenset()) -> None:
    """Take what is personal out of an event, in place; `names` go wherever they stand."""
    match event.WhichOneof("event"):
        case "utterance":
            said = event.utterance
            said.transcript = KEYS_PRESSED if said.keyed else _said(said.transcript, names)
        case "segment":
            event.segment.text = _said(event.segment.text, names)
        case "round":
            event.round.text = _said(event.round.text, names)
            for call in event.round.tool_calls:
                call.arguments_json = _json(call.arguments_json, names)
        case "tool":
            _redact_outcome(event.tool.outcome, names)
        case "context_changed":
            written = event.context_changed.written
            for key in list(written):
                written[key] = redacted_context(key, written[key], names)


def redacted_context(key: str, text: str, names: frozenset[str]) -> str:
    """A value of the call's context, JSON text, without what is personal."""
    return without_names(redact_json(text, key), names)


def _redact_outcome(outcome: ToolOutcome, names: frozenset[str]) -> None:
    if outcome.HasField("failure"):
        outcome.failure.message = _said(outcome.failure.message, names)
    elif outcome.result_json:
        outcome.result_json = _json(outcome.result_json, names)


def _json_of(event: JournalEvent) -> Iterator[str]:
    yield from (call.arguments_json for call in event.round.tool_calls)
    yield event.tool.outcome.result_json
    yield from event.context_changed.written.values()


def _said(text: str, names: frozenset[str]) -> str:
    return without_names(redact_said(text), names)


def _json(text: str, names: frozenset[str]) -> str:
    return without_names(redact_json(text), names)
