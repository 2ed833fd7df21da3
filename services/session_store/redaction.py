"""What of a session is masked before it is archived: keys pressed, and what looks like an identifier.

The live session keeps what was said, because the call needs it; the archive does not. Masked are
e-mail addresses and runs of four digits and more, spaces and hyphens within them allowed. Names are
not found this way: a deployment that must not keep them sets its retention accordingly. Pure.
"""

from __future__ import annotations

import json
import re
from typing import Any

from voicemesh.session.v1.journal_event_pb2 import JournalEvent
from voicemesh.tools.v1.outcome_pb2 import ToolOutcome

_DIGITS = re.compile(r"\d(?:[ -]?\d){3,}")
_EMAIL = re.compile(r"[^\s@\"<>]+@[^\s@\"<>]+\.[^\s@\"<>]+")


def masked_text(text: str) -> str:
    """The text with each digit of a long run, and each e-mail address, masked."""
    return _DIGITS.sub(lambda run: re.sub(r"\d", "*", run[0]), _EMAIL.sub("***@***", text))


def masked_json(text: str) -> str:
    """JSON text with its strings masked; numbers stay, they are amounts."""
    try:
        return json.dumps(_masked(json.loads(text)))
    except (ValueError, RecursionError):
        return masked_text(text)


def redact(event: JournalEvent) -> None:
    """Mask an event in place."""
    match event.WhichOneof("event"):
        case "utterance":
            said = event.utterance
            said.transcript = (
                "*" * len(said.transcript) if said.keyed else masked_text(said.transcript)
            )
        case "segment":
            event.segment.text = masked_text(event.segment.text)
        case "round":
            event.round.text = masked_text(event.round.text)
            for call in event.round.tool_calls:
                call.arguments_json = masked_json(call.arguments_json)
        case "tool":
            _redact_outcome(event.tool.outcome)
        case "context_changed":
            written = event.context_changed.written
            for key in list(written):
                written[key] = masked_json(written[key])


def _redact_outcome(outcome: ToolOutcome) -> None:
    if outcome.HasField("failure"):
        outcome.failure.message = masked_text(outcome.failure.message)
    elif outcome.result_json:
        outcome.result_json = masked_json(outcome.result_json)


def _masked(value: Any) -> Any:
    if isinstance(value, str):
        return masked_text(value)
    if isinstance(value, list):
        return [_masked(part) for part in value]
    if isinstance(value, dict):
        return {key: _masked(part) for key, part in value.items()}
    return value
