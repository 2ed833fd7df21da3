"""Reads a tool's JSON Schema: what each argument is, and who can give it. Pure.

The kind of an argument is judged by its type, enum, pattern, name and description; README.md
lists the conventions for tool authors.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from planner.conversation import Tool
from planner.words import vocabulary, words


class Kind(Enum):
    """What an argument is, and so how it is found in what the caller said."""

    CHOICE = "one of the enum's values"
    PERSON = "a personal name"
    DIGITS = "a string of digits"
    MONEY = "a sum of money"
    COUNT = "how many"
    FLAG = "yes or no"
    IDENTIFIER = "known from earlier tool results, not from the caller"
    PLACE = "where"
    PARTY = "a merchant, payee or other organisation"
    ADDRESS = "a postal address"
    SENTENCE = "what the caller said, as it is"
    WORDS = "other words, of which the description may name examples"


@dataclass(frozen=True, slots=True)
class Slot:
    """One argument of a tool."""

    name: str
    kind: Kind
    required: bool = False
    description: str = ""
    choices: tuple[str, ...] = ()
    """The values of an enum; of Kind.WORDS, the examples in the description."""
    shortest: int = 0
    longest: int = 0
    """Of Kind.DIGITS: the bounds of its length; 0 where the schema sets none."""
    whole: bool = False
    """Of numbers: only integers are valid."""
    least: float | None = None
    most: float | None = None
    """Of numbers: the bounds, inclusive."""
    newest_first: bool = False
    """Of Kind.COUNT: "the last five" means it."""

    @property
    def from_results(self) -> bool:
        """Whether an earlier tool result is asked first."""
        return self.name.endswith(ID_ENDINGS)

    @property
    def spoken(self) -> bool:
        """Whether the caller can be asked for it."""
        return self.kind is not Kind.IDENTIFIER


ID_ENDINGS = ("_id", "_reference", "_token")

_DIGITS_ONLY = re.compile(r"^\^?(?:\\d|\[0-9\])(?:\{(\d+)(?:,(\d*))?\}|[+*])?\$?$")
_EXAMPLES = re.compile(r"\b(?:for example|such as|e\.g\.)[:,]? (.+)$", re.I)
_NOT_PERSONS = {"merchant", "product", "company", "payee", "file", "collection", "tool", "agent"}
_KIND_WORDS: tuple[tuple[Kind, frozenset[str]], ...] = (
    (Kind.ADDRESS, frozenset({"address"})),
    (Kind.PLACE, frozenset({"location", "city", "place", "zip", "town"})),
    (Kind.PARTY, frozenset({"merchant", "payee", "store", "shop", "recipient", "company"})),
    (
        Kind.SENTENCE,
        vocabulary(
            "query question text reason summary message issue details notes request context topic"
        ),
    ),
)
_HUGE = 1e15
_RECENCY = vocabulary("recent latest last newest history")
_MONEY_WORDS = {"amount", "dollar", "dollars", "price", "sum", "euros"}


def slots_of(tool: Tool) -> tuple[Slot, ...]:
    """The arguments of a tool, in the order of its schema; none if the schema is no object."""
    properties = tool.parameters.get("properties")
    if not isinstance(properties, Mapping):
        return ()
    required = tool.parameters.get("required")
    needed = {one for one in _listed(required) if isinstance(one, str)}
    newest_first = bool(set(words(tool.description.split(".", 1)[0])) & _RECENCY)
    return tuple(
        _slot(name, _unwrapped(spec), name in needed, newest_first)
        for name, spec in properties.items()
        if isinstance(spec, Mapping)
    )


def _unwrapped(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    """Of `anyOf` with null, the way optional arguments are often written, the other one."""
    for key in ("anyOf", "oneOf"):
        for option in _listed(spec.get(key)):
            if isinstance(option, Mapping) and option.get("type") != "null":
                return {**spec, **option}
    return spec


def _slot(name: str, spec: Mapping[str, Any], required: bool, newest_first: bool) -> Slot:
    description = str(spec.get("description", ""))
    kind = _kind(name, spec, description)
    shortest, longest = _lengths(spec) if kind is Kind.DIGITS else (0, 0)
    return Slot(
        name,
        kind,
        required,
        description,
        _choices(spec) if kind is Kind.CHOICE else _examples(description),
        shortest,
        longest,
        whole=_type(spec) == "integer",
        least=_bound(spec.get("minimum")),
        most=_bound(spec.get("maximum")),
        newest_first=newest_first,
    )


def _kind(name: str, spec: Mapping[str, Any], description: str) -> Kind:
    if _choices(spec):
        return Kind.CHOICE
    declared = _type(spec)
    named, described = set(name.lower().split("_")), set(words(description))
    if declared == "boolean":
        return Kind.FLAG
    if declared in ("number", "integer"):
        return Kind.MONEY if (named | described) & _MONEY_WORDS else Kind.COUNT
    return _string_kind(name, named, described, spec)


def _string_kind(name: str, named: set[str], described: set[str], spec: Mapping[str, Any]) -> Kind:
    if _DIGITS_ONLY.match(str(spec.get("pattern", ""))) or "digits" in described | named:
        return Kind.DIGITS
    if name.endswith(ID_ENDINGS):
        return Kind.IDENTIFIER
    if "name" in named and not (named | described) & _NOT_PERSONS:
        return Kind.PERSON
    for where in (named, described):
        for kind, signs in _KIND_WORDS:
            if where & signs:
                return kind
    return Kind.WORDS


def _type(spec: Mapping[str, Any]) -> str:
    """The type of a property; of several, the first that is not null."""
    declared = spec.get("type", "string")
    if isinstance(declared, list):
        return next((str(one) for one in declared if one != "null"), "string")
    return str(declared)


def _bound(value: Any) -> float | None:
    """A number that can be compared; None for what a schema should not hold there."""
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > _HUGE:
        return None
    return float(value)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _choices(spec: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(value for value in _listed(spec.get("enum")) if isinstance(value, str))


def _examples(description: str) -> tuple[str, ...]:
    match = _EXAMPLES.search(description)
    if match is None:
        return ()
    return tuple(one.strip(" .\"'") for one in re.split(r",| or ", match[1]) if one.strip(" .\"'"))


def _lengths(spec: Mapping[str, Any]) -> tuple[int, int]:
    match = _DIGITS_ONLY.match(str(spec.get("pattern", "")))
    if match and match[1]:
        shortest = int(match[1])
        return shortest, shortest if match[2] is None else int(match[2] or 0)
    return int(_bound(spec.get("minLength")) or 0), int(_bound(spec.get("maxLength")) or 0)
