"""A session's record as documents of bounded size, and back. Pure.

A database that stores documents has a bound for each. A record that is over it is cut between
context keys and between events, which are far smaller: the first document, the head, has what fits,
the parts have the rest. The archive stores the head last, so that a head means a whole record.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

Document = dict[str, Any]
Entry = tuple[str, Any]
"""A context key with its value, or the empty key with an event."""

_CONTEXT = "contextJson"


class EntryTooLarge(Exception):
    """One context key or event is over the bound by itself. The message names it, not its content."""


def cut(document: Document, most: int) -> list[Document]:
    """The record as documents of about `most` bytes of JSON each. Raises EntryTooLarge."""
    session = {key: value for key, value in document["session"].items() if key != _CONTEXT}
    rest = {key: value for key, value in document.items() if key not in ("session", "events")}
    head = {"session": session, **rest}
    context = document["session"].get(_CONTEXT, {})
    entries = [*context.items(), *(("", event) for event in document.get("events", ()))]
    first, *others = _filled(entries, most, most - _size(head))
    if _CONTEXT in document["session"]:
        session[_CONTEXT] = first["context"]
    return [head | {"events": first["events"]}, *others]


def joined(documents: Sequence[Document]) -> Document:
    """The record of a head and its parts."""
    head, *parts = documents
    session = dict(head["session"])
    if _CONTEXT in session:
        added = (part["context"] for part in parts)
        session[_CONTEXT] = {k: v for some in (session[_CONTEXT], *added) for k, v in some.items()}
    events = [event for part in (head, *parts) for event in part["events"]]
    return head | {"session": session, "events": events}


def _filled(entries: Iterable[Entry], most: int, room: int) -> Iterator[Document]:
    """Documents with as many entries as there is room for; the first has less of it."""
    document: Document = {"context": {}, "events": []}
    for key, value in entries:
        size = _size(key) + _size(value) + 4
        if size > most:
            raise EntryTooLarge(f"{_named(key, value)} has {size} bytes; at most {most}")
        if size > room:
            yield document
            document, room = {"context": {}, "events": []}, most
        room -= size
        if key:
            document["context"][key] = value
        else:
            document["events"].append(value)
    yield document


def _named(key: str, value: Any) -> str:
    return f"context key {key}" if key else f"event {value.get('eventId', '')}"


def _size(value: Any) -> int:
    return len(json.dumps(value))
