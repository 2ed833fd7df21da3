"""Reads what a tool answered: whether it worked, why not, and what to tell the caller. Pure.

Authors write a `message` for the ear. Without one a few plain fields are said as sentences; raw
JSON never is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

TECHNICAL = frozenset({"ARGUMENTS_INVALID", "TOOL_ARGUMENTS_INVALID", "TOOL_NOT_FOUND"})
"""Reasons whose message tells a model what to mend, and no caller."""
UNVERIFIED = re.compile(r"NOT_VERIFIED|UNVERIFIED|VERIFICATION_REQUIRED|IDENTITY_REQUIRED")
OUTCOME_UNKNOWN = "OUTCOME_UNKNOWN"
YES_NEEDED = frozenset({"CONFIRMATION_NEEDED", "CONSENT_NEEDED"})
"""Reasons whose message is a question: after a yes the same call is made again."""

MAX_SPOKEN = 600
"""Characters of a result that are read out; past it, to the end of the sentence before."""
MAX_FIELDS = 3

_WRAPPERS = ("result", "failure", "error", "data", "outcome")
_LISTS = ("results", "passages", "documents", "items")
_TEXTS = ("message", "content", "text", "summary", "answer")


@dataclass(frozen=True, slots=True)
class ToolResult:
    """One tool's answer."""

    ok: bool
    message: str = ""
    """For the caller's ear; empty if the result says nothing that can be read out."""
    reason: str = ""
    """Why it did not work, in capitals; empty if it gave none."""

    @property
    def technical(self) -> bool:
        """Whether its message is for the model and not for the ear."""
        return not self.ok and self.reason in TECHNICAL

    @property
    def unverified(self) -> bool:
        """Whether it refused because the caller has not proved who they are."""
        return not self.ok and bool(UNVERIFIED.search(self.reason))


def read_result(content: str) -> ToolResult:
    """The result in a message of role `tool`. Text that is no JSON object is the message itself."""
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        value = content
    if isinstance(value, str):
        return ToolResult(True, "" if _looks_raw(value) else _shortened(value))
    if not isinstance(value, Mapping):
        return ToolResult(True)
    layers = _layers(value)
    ok = not any(_failed(layer) for layer in layers)
    reason = next((str(layer["reason"]) for layer in layers if layer.get("reason")), "")
    return ToolResult(ok, _message(layers), reason.upper())


def _layers(value: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The object itself, then what its usual wrappers hold."""
    inner = [value[key] for key in _WRAPPERS if isinstance(value.get(key), Mapping)]
    return [value, *inner]


def _failed(layer: Mapping[str, Any]) -> bool:
    said_no = any(layer.get(key) is False for key in ("success", "ok"))
    return said_no or bool(layer.get("error") or layer.get("failure"))


def _message(layers: list[Mapping[str, Any]]) -> str:
    for layer in layers:
        for key in _TEXTS:
            text = layer.get(key)
            if isinstance(text, str) and text.strip() and not _looks_raw(text):
                return _shortened(text.strip())
    for layer in layers:
        if isinstance(layer.get("error"), str):
            return ""  # for developers, not for the ear
        if found := _first_of_list(layer):
            return found
    return _fields(layers[-1])


def _first_of_list(layer: Mapping[str, Any]) -> str:
    for key in _LISTS:
        items = layer.get(key)
        if isinstance(items, list) and items and isinstance(items[0], Mapping):
            return _message([items[0]])
    return ""


def _fields(layer: Mapping[str, Any]) -> str:
    """A few plain fields as sentences: "The balance is 12.5."."""
    plain = [
        f"The {key.replace('_', ' ')} is {value}."
        for key, value in layer.items()
        if isinstance(value, str | int | float)
        and not isinstance(value, bool)
        and not key.endswith(("_id", "_token"))
        and key not in ("reason", "status", "source", "id")
        and not _looks_raw(str(value))
    ]
    return " ".join(plain[:MAX_FIELDS])


def _looks_raw(text: str) -> bool:
    return text.lstrip().startswith(("{", "["))


def _shortened(text: str) -> str:
    if len(text) <= MAX_SPOKEN:
        return text
    cut = text[:MAX_SPOKEN]
    stop = max(cut.rfind(mark) for mark in ".!?")
    return cut[: stop + 1] if stop > 0 else cut.rsplit(" ", 1)[0] + "."
