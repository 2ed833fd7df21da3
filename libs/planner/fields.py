"""Fields of a JSON body: read, checked, and named where they are wrong. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

MAX_TEXT = 100_000
"""Characters of one text: a message, arguments, or a text to embed. A tool result may be long."""


class BadRequest(Exception):
    """The request cannot be served. `param` names the field, in the form `messages[2].role`."""

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


def read_json(body: bytes) -> Mapping[str, Any]:
    """The JSON object of a request body. Raises BadRequest."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"the body is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise BadRequest(f"the body must be a JSON object, not {named(value)}")
    return value


def optional(body: Mapping[str, Any], key: str, kind: type, where: str) -> Any:
    """A field that may be absent or null, of the kind. Raises BadRequest."""
    value = body.get(key)
    if value is not None and not isinstance(value, kind):
        raise BadRequest(f"{where} must be {_KINDS[kind]}, not {named(value)}", where)
    return value


def required_text(body: Mapping[str, Any], key: str, where: str) -> str:
    """A text that must be there. Raises BadRequest."""
    value = body.get(key)
    if not isinstance(value, str) or not value:
        raise BadRequest(f"{where}.{key} must be a text that is not empty", f"{where}.{key}")
    return value


def text_within(value: Any, where: str) -> str:
    """A text of at most MAX_TEXT characters, maybe empty. Raises BadRequest."""
    if not isinstance(value, str):
        raise BadRequest(f"{where} must be a text, not {named(value)}", where)
    if len(value) > MAX_TEXT:
        raise BadRequest(f"{where} has {len(value)} characters; at most {MAX_TEXT} are read", where)
    return value


_KINDS: dict[type, str] = {
    dict: "an object",
    list: "a list",
    str: "a text",
    int: "a number",
    float: "a number",
    bool: "a truth value",
    type(None): "null",
}


def named(value: Any) -> str:
    """What a value is, for a sentence."""
    return _KINDS[type(value)]
