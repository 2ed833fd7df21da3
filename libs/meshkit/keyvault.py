"""Key Vault references among settings: followed, remembered for a while, and named where they fail.

A secret may itself hold a reference; it is followed for `MAX_HOPS`, and a circle is named. One
reference that fails costs its own key only: the value it had last stays, or the key is missing.
How a secret is read is given by the caller.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

MAX_HOPS = 5
KEPT_SECONDS = 300.0
"""How long a secret that was read is not read again."""

ReadSecret = Callable[[str], str]
"""The value of the secret at a URI. Raises SecretUnavailable."""


class SecretUnavailable(Exception):
    """A secret could not be read. The message says why, without the secret."""


class Reference(str):
    """The URI of a secret, in place of its value."""

    __slots__ = ()


@dataclass(frozen=True)
class _Known:
    uri: str
    value: str
    read_at: float


class References:
    """Resolves references with `read`, by a monotonic clock `now`."""

    refer = staticmethod(Reference)
    """What marks a value as a reference."""

    def __init__(self, read: ReadSecret, now: Callable[[], float]) -> None:
        self._read = read
        self._now = now
        self._known: dict[str, _Known] = {}

    def resolve(
        self, settings: Mapping[str, Any], malformed: Mapping[str, str]
    ) -> tuple[dict[str, Any], dict[str, str]]:
        """The settings with secrets in place of references, and why a key has no fresh one.

        `malformed` are keys whose reference is known to be unreadable, with the reason.
        """
        resolved: dict[str, Any] = {}
        problems: dict[str, str] = {}
        for key, value in settings.items():
            if not isinstance(value, Reference):
                resolved[key] = value
                continue
            try:
                resolved[key] = self._value(key, value, malformed.get(key, ""))
            except SecretUnavailable as error:
                problems[key] = str(error)
                if key in self._known:
                    resolved[key] = self._known[key].value
        return resolved, problems

    def _value(self, key: str, uri: str, malformed: str) -> str:
        if malformed:
            raise SecretUnavailable(malformed)
        known = self._known.get(key)
        if known and known.uri == uri and self._now() - known.read_at < KEPT_SECONDS:
            return known.value
        value = self._followed(uri)
        self._known[key] = _Known(uri, value, self._now())
        return value

    def _followed(self, uri: str) -> str:
        path = [uri]
        while True:
            try:
                value = self._read(path[-1])
            except SecretUnavailable as error:
                raise SecretUnavailable(f"{path[-1]} cannot be read: {error}") from None
            further = referred(value)
            if further is None:
                return value
            if further in path:
                circle = " -> ".join([*path[path.index(further) :], further])
                raise SecretUnavailable(f"its Key Vault reference goes in a circle: {circle}")
            path.append(further)
            if len(path) > MAX_HOPS:
                raise SecretUnavailable(f"its Key Vault reference goes on after {MAX_HOPS} secrets")


def referred(value: str) -> str | None:
    """The URI that a secret's value refers to: `{"uri": ...}` and nothing else; None if none."""
    try:
        content = json.loads(value)
    except ValueError:
        return None
    if isinstance(content, dict) and set(content) == {"uri"} and isinstance(content["uri"], str):
        return content["uri"]
    return None
