"""Which fields of a record pass, and how: deny by default.

Numbers and names of the mesh's own things pass. Fields named after what people say or are become
`[withheld]`. Other text is redacted and cut. Objects that are none of these are named by type. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum
from pathlib import PurePath
from typing import Any

from meshkit.redaction.text import redact

WITHHELD = "[withheld]"
MAX_CHARACTERS = 2000
"""Longer text of a field is cut: a log is no store."""
MAX_PARTS = 50
MAX_DEPTH = 4

# fmt: off
_IDENTIFIERS = frozenset({
    "session", "call", "turn", "trace", "trace_id", "span_id", "service", "agent", "tool",
    "scenario", "lease", "pool", "tier", "engine", "reason", "method", "peer", "host",
    "address", "pod", "node", "zone", "client_id", "request_id", "segment", "round",
    "ordinal", "status", "provider", "model", "voice", "version", "profile", "level",
    "logger", "time", "resource", "connection", "stage", "kind",
})
# fmt: on
"""Fields that hold an id or a word of our own; a value of that form passes as it is."""
_CONTENT = re.compile(
    r"(?:^|[_.-])(?:name|transcript|transcripts|text|prompt|prompts|utterance|said|speech|content|"
    r"input|output|arguments|args|result|answer|question|query|message_text|body|payload|email|mail|"
    r"phone|mobile|caller|callee|dob|birth|birthdate|ssn|pin|otp|passcode|password|secret|token|"
    r"api_key|credential|credentials|authorization|cookie|iban|card|account|acct|address_line|street|"
    r"customer|client_name|first_name|last_name|full_name|digits|dtmf|connection_string)$",
    re.I,
)
# Things of ours that have names; what a person is called is under `name` alone, or another word.
_NAMED_THINGS = re.compile(
    r"(?:^|[_.])(?:tool|agent|service|scenario|pool|engine|model|method|span|host|pod|container|"
    r"scope|namespace|sdk|process|thread)[_.]name$|"
    r"^gen_ai\.(?:operation|provider)\.name$|^db\.(?:system|operation)\.name$"
)
# Counts of text tokens, whose names end like those of secrets.
_COUNTED = re.compile(r"(?:^|[_.-])(?:input|output|cached|prompt|completion|total)_token$", re.I)
_COUNTS = re.compile(
    r"(?:^|[_.-])(?:ns|us|ms|s|seconds|bytes|count|counts|offset|total|size|samples|frames|tokens|"
    r"characters|time|timestamp|limit|used|free|memory|number_of_\w+)$"
)
_IDENTIFIER = re.compile(r"(?!\+?\d{9,}$)[A-Za-z0-9_\[][\w.:/~+#\[\]@-]{0,255}")
_MANY_DIGITS = 10**8


def redact_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields as a sink may have them."""
    return {key: _field(key, value, 0) for key, value in fields.items()}


def redact_attributes(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes of a span or labels of a metric as a sink may have them.

    A dotted name counts by its last part: `gen_ai.prompt` is withheld. Values stay of the types
    that OpenTelemetry takes.
    """
    return redact_fields(attributes)


def _field(key: str, value: Any, depth: int) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if _CONTENT.search(key) and not _is_ours(key):
        return WITHHELD
    if isinstance(value, (int, float)):
        return _number(key, value)
    if isinstance(value, str):
        return _string(key, value)
    return _other(key, value, depth)


def _is_ours(key: str) -> bool:
    return bool(_COUNTED.search(key) or _NAMED_THINGS.search(key))


def _number(key: str, value: float) -> float | str:
    if isinstance(value, int) and abs(value) >= _MANY_DIGITS and not _COUNTS.search(key):
        return "[number]"
    return value


def _string(key: str, value: str) -> str:
    own = key.rpartition(".")[2] in _IDENTIFIERS or _NAMED_THINGS.search(key)
    if own and "@" not in value and _IDENTIFIER.fullmatch(value):
        return value
    if len(value) > MAX_CHARACTERS:
        return redact(value[:MAX_CHARACTERS]) + "…"
    return redact(value)


def _other(key: str, value: Any, depth: int) -> Any:
    if isinstance(value, (Mapping, list, tuple, set, frozenset)):
        return _parts(key, value, depth) if depth < MAX_DEPTH else WITHHELD
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, (BaseException, PurePath)):
        return _string(key, str(value))
    return f"[{type(value).__name__}]"


def _parts(key: str, value: Any, depth: int) -> Any:
    if isinstance(value, Mapping):
        some = list(value.items())[:MAX_PARTS]
        return {redact(str(k)): _field(str(k), part, depth + 1) for k, part in some}
    some = list(value)[:MAX_PARTS]
    return [_field(key, part, depth + 1) for part in some]
