"""The part of Cosmos DB's SQL that the mesh asks in, run over a list of documents.

    run("SELECT TOP 2 VALUE c.id FROM c WHERE c.kind = @kind", {"@kind": "session"}, documents)

`SELECT [DISTINCT] [TOP n] [VALUE] … FROM c [WHERE …] [ORDER BY …] [OFFSET n LIMIT m]`,
comparisons, AND, OR, NOT, and a few functions. What is not there is refused as a syntax error, as
the service does it. A query becomes one function of a document, part by part.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Document = dict[str, Any]
Value = Callable[[Document], Any]

UNDEFINED: Any = type("Undefined", (), {"__repr__": lambda self: "undefined"})()
"""What a path gives that leads nowhere; it is neither null nor false."""

_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+(?:\.\d+)?)|(?P<text>'[^']*'|\"[^\"]*\")|(?P<name>[@A-Za-z_]\w*)"
    r"|(?P<mark><=|>=|!=|[=<>().,*\[\]-]))"
)
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "IS_DEFINED": lambda value: value is not UNDEFINED,
    "ARRAY_CONTAINS": lambda values, value: isinstance(values, list) and value in values,
    "STARTSWITH": lambda text, start: isinstance(text, str) and text.startswith(start),
}


class BadQuery(Exception):
    """The service would answer 400."""


@dataclass
class Query:
    """A query, understood."""

    top: int | None = None
    distinct: bool = False
    bare: bool = False
    """SELECT VALUE: no object around the one thing selected."""
    selected: list[tuple[str, Value]] = field(default_factory=list)
    """Names and values; none: the whole document."""
    where: Value | None = None
    order: list[tuple[Value, bool]] = field(default_factory=list)
    """Values to sort by, and whether downwards."""
    offset: int = 0
    limit: int | None = None


def run(
    text: str, parameters: Mapping[str, Any], documents: Sequence[Document], metric: str = "cosine"
) -> list[Any]:
    """What the query finds. `metric` is the container's measure of vectors. Raises BadQuery."""
    query = _Parser(text, parameters, metric).query()
    rows = [one for one in documents if query.where is None or query.where(one) is True]
    for value, downwards in reversed(query.order):
        rows.sort(key=lambda one, value=value: _rank(value(one)), reverse=downwards)  # type: ignore[misc]
    end = None if query.limit is None else query.offset + query.limit
    found = [one for row in rows if (one := _projected(query, row)) is not UNDEFINED]
    if query.distinct:
        found = [one for index, one in enumerate(found) if one not in found[:index]]
    return found[query.offset : end][: query.top]


def _projected(query: Query, row: Document) -> Any:
    if not query.selected:
        return row
    values = {name: value(row) for name, value in query.selected}
    if query.bare:
        return next(iter(values.values()))
    return {name: value for name, value in values.items() if value is not UNDEFINED}


def _rank(value: Any) -> tuple[int, Any]:
    """Undefined, null, truth, number, text: the service's order of kinds."""
    if value is UNDEFINED or value is None:
        return (0 if value is UNDEFINED else 1), 0
    if isinstance(value, bool):
        return 2, value
    return (4, value) if isinstance(value, str) else (3, value)


def distance(metric: str, a: Any, b: Any) -> Any:
    """As VectorDistance: for cosine and dot product more is nearer, for euclidean less."""
    if not (isinstance(a, list) and isinstance(b, list) and len(a) == len(b)):
        return UNDEFINED
    dot = sum(x * y for x, y in zip(a, b, strict=True))
    if metric == "euclidean":
        return math.dist(a, b)
    if metric == "dotproduct":
        return dot
    lengths = math.hypot(*a) * math.hypot(*b)
    return dot / lengths if lengths else 0.0


class _Parser:
    def __init__(self, text: str, parameters: Mapping[str, Any], metric: str) -> None:
        self._tokens, self._at = _lexed(text), 0
        self._parameters, self._metric = parameters, metric
        self._nearest_first = False

    def query(self) -> Query:
        query = Query()
        self._need("SELECT")
        query.distinct = bool(self._eat("DISTINCT"))
        query.top = self._count() if self._eat("TOP") else None
        query.bare = bool(self._eat("VALUE"))
        if not self._eat("*"):
            query.selected = self._list(self._selected)
        self._need("FROM")
        self._root = self._name()
        query.where = self._either() if self._eat("WHERE") else None
        if self._eat("ORDER"):
            self._need("BY")
            query.order = self._list(self._ordered)
        if self._eat("OFFSET"):
            query.offset = self._count()
            self._need("LIMIT")
            query.limit = self._count()
        if self._at < len(self._tokens):
            raise self._wrong()
        return query

    def _selected(self) -> tuple[str, Value]:
        start = self._at
        value = self._either()
        if self._eat("AS"):
            return self._name(), value
        kind, word = self._tokens[self._at - 1]
        return (word if kind == "name" else f"${start}"), value

    def _ordered(self) -> tuple[Value, bool]:
        self._nearest_first = False
        value = self._either()
        if self._nearest_first:  # by vector: nearest first, and no direction may be given
            return value, self._metric != "euclidean"
        word = self._eat("ASC", "DESC")
        return value, word == "DESC"

    def _either(self) -> Value:
        value = self._both()
        while self._eat("OR"):
            value = _logic(any, value, self._both())
        return value

    def _both(self) -> Value:
        value = self._denied()
        while self._eat("AND"):
            value = _logic(all, value, self._denied())
        return value

    def _denied(self) -> Value:
        if not self._eat("NOT"):
            return self._compared()
        value = self._denied()
        return lambda one: not value(one) if isinstance(value(one), bool) else UNDEFINED

    def _compared(self) -> Value:
        left = self._path()
        mark = self._eat(*_COMPARE)
        return _comparison(_COMPARE[mark], left, self._path()) if mark else left

    def _path(self) -> Value:
        value = self._simple()
        while True:
            if self._eat("."):
                value = _step(value, self._name())
            elif self._eat("["):
                value = _step(value, self._literal())
                self._need("]")
            else:
                return value

    def _simple(self) -> Value:
        if self._eat("("):
            value = self._either()
            self._need(")")
            return value
        kind, word = self._peek()
        if kind != "name":
            return _constant(self._literal())
        if word.startswith("@"):
            self._at += 1
            if word not in self._parameters:
                raise BadQuery(f"parameter {word} is not supplied")
            return _constant(self._parameters[word])
        if word.upper() in ("TRUE", "FALSE", "NULL"):
            self._at += 1
            return _constant({"TRUE": True, "FALSE": False, "NULL": None}[word.upper()])
        return self._named()

    def _named(self) -> Value:
        name = self._name()
        if not self._eat("("):
            if name != "c":
                raise BadQuery(f"Identifier '{name}' could not be resolved.")
            return lambda one: one
        arguments = self._list(self._either)
        self._need(")")
        if name.upper() == "VECTORDISTANCE":
            self._nearest_first = True
            near, to, *_ = arguments
            return lambda one: distance(self._metric, near(one), to(one))
        function = _FUNCTIONS.get(name.upper())
        if function is None:
            raise BadQuery(f"'{name}' is not a recognized built-in function name.")
        return lambda one: function(*(argument(one) for argument in arguments))

    def _list(self, element: Callable[[], Any]) -> list[Any]:
        found = [element()]
        while self._eat(","):
            found.append(element())
        return found

    def _literal(self) -> Any:
        negative = -1 if self._eat("-") else 1
        kind, word = self._peek()
        self._at += 1
        if kind == "number":
            return negative * (float(word) if "." in word else int(word))
        if kind == "text":
            return word[1:-1]
        raise self._wrong()

    def _count(self) -> int:
        kind, word = self._peek()
        self._at += 1
        value = self._parameters.get(word) if kind == "name" else word
        if not str(value).isdecimal():
            raise BadQuery(f"a number is expected, not {word!r}")
        return int(str(value))

    def _name(self) -> str:
        kind, word = self._peek()
        if kind != "name":
            raise self._wrong()
        self._at += 1
        return word

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("end", "")

    def _eat(self, *words: str) -> str:
        kind, word = self._peek()
        if kind in ("name", "mark") and word.upper() in words:
            self._at += 1
            return word.upper()
        return ""

    def _need(self, word: str) -> None:
        if not self._eat(word):
            raise self._wrong()

    def _wrong(self) -> BadQuery:
        return BadQuery(f"Syntax error, incorrect syntax near '{self._peek()[1]}'.")


def _lexed(text: str) -> list[tuple[str, str]]:
    tokens, at, text = [], 0, text.strip()
    while at < len(text):
        found = _TOKEN.match(text, at)
        if not found:
            raise BadQuery(f"Syntax error, incorrect syntax near '{text[at : at + 20]}'.")
        tokens.append((str(found.lastgroup), found.group(str(found.lastgroup))))
        at = found.end()
    return tokens


def _constant(value: Any) -> Value:
    return lambda one: value


def _logic(rule: Callable[[Any], bool], left: Value, right: Value) -> Value:
    return lambda one: rule(side(one) is True for side in (left, right))


def _step(value: Value, key: str | int) -> Value:
    def step(one: Document) -> Any:
        held = value(one)
        if isinstance(held, dict):
            return held.get(str(key), UNDEFINED)
        if isinstance(held, list) and isinstance(key, int) and key < len(held):
            return held[key]
        return UNDEFINED

    return step


def _comparison(rule: Callable[[Any, Any], bool], left: Value, right: Value) -> Value:
    def compared(one: Document) -> Any:
        a, b = left(one), right(one)
        if a is UNDEFINED or b is UNDEFINED:
            return UNDEFINED
        same_kind = _rank(a)[0] == _rank(b)[0]
        return rule(a, b) if same_kind else UNDEFINED

    return compared
