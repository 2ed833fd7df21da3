"""The schema that a server gives for a tool's arguments, taken in only as far as it is harmless. Pure.

It comes from outside and meets every call: it must not make us fetch anything, never end, or burn
the processor. So references are written out, those to elsewhere are refused, its size is bounded, and
patterns are left to the server, which checks its own arguments.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from toolkit import ToolkitError

MAX_NODES = 2000
"""Of a schema with its references written out."""
MAX_TEXT = 512
"""Characters of a description or title in it."""

_LEFT_OUT = frozenset({"$defs", "definitions", "$schema", "$id", "pattern", "patternProperties"})
_REFUSED = frozenset({"$dynamicRef", "$recursiveRef", "$anchor", "$dynamicAnchor"})
_TEXTS = frozenset({"description", "title", "$comment"})
_BY_NAME = frozenset({"properties", "dependentSchemas", "dependentRequired"})
"""Keys under which names stand, which are no keywords."""
_VALUES = frozenset({"default", "const", "enum", "examples"})


def taken_schema(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The schema, plain. Raises ToolkitError if it cannot be taken."""
    definitions = {
        f"#/{key}/{name}": schema
        for key in ("$defs", "definitions")
        for name, schema in _mapping(parameters.get(key)).items()
    }
    taken = _Plain(definitions).schema(parameters, ())
    if not isinstance(taken, dict):
        raise ToolkitError("its arguments have no schema")
    return taken


class _Plain:
    """Writes out a schema, counting what it writes."""

    def __init__(self, definitions: Mapping[str, Any]) -> None:
        self._definitions, self._nodes = definitions, 0

    def schema(self, node: Any, within: tuple[str, ...]) -> Any:
        self._count()
        if isinstance(node, list):
            return [self.schema(item, within) for item in node]
        if not isinstance(node, Mapping):
            return node
        if "$ref" in node:
            return self._resolved(node, within)
        if refused := sorted(_REFUSED & node.keys()):
            raise ToolkitError(f"its schema has {refused[0]}, which is not taken in")
        return {
            key: self._value(key, value, within)
            for key, value in node.items()
            if key not in _LEFT_OUT
        }

    def _value(self, key: str, value: Any, within: tuple[str, ...]) -> Any:
        if key in _TEXTS:
            return plain(value, MAX_TEXT) if isinstance(value, str) else ""
        if key in _BY_NAME:
            return {name: self.schema(each, within) for name, each in _mapping(value).items()}
        if key in _VALUES:
            self._count(len(str(value)) // MAX_TEXT)
            return value
        return self.schema(value, within)

    def _resolved(self, node: Mapping[str, Any], within: tuple[str, ...]) -> Any:
        target = str(node["$ref"])
        if target not in self._definitions:
            raise ToolkitError(f"its schema refers to {target[:80]!r}, which is not in it")
        if target in within:
            raise ToolkitError(f"its schema contains itself at {target[:80]!r}")
        beside = {key: value for key, value in node.items() if key != "$ref"}
        found = {**_mapping(self._definitions[target]), **beside}
        return self.schema(found, (*within, target))

    def _count(self, more: int = 0) -> None:
        self._nodes += 1 + more
        if self._nodes > MAX_NODES:
            raise ToolkitError(f"its schema has over {MAX_NODES} parts")


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def plain(text: str, most: int) -> str:
    """What a server wrote, as one line without control characters, of at most so many."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:most]
