"""YAML documents that remember on which line each key stands, for errors that authors can follow."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError

Path_ = tuple[str | int, ...]
"""Keys and list positions from the document's root."""

M = TypeVar("M", bound=BaseModel)

MAX_BYTES = 256 * 1024


class DocumentError(Exception):
    """A file is not right. The message names file, line and key, and says what to do."""


@dataclass(frozen=True, slots=True)
class Document:
    """A mapping read from a file."""

    path: Path
    content: dict[str, Any]
    lines: Mapping[Path_, int]
    """The line, counted from 1, of each key and list item."""

    def where(self, at: Path_ = ()) -> str:
        """`agent.yaml:12` for a place in the document, or for the nearest place around it."""
        while at and at not in self.lines:
            at = at[:-1]
        return f"{self.path}:{self.lines.get(at, 1)}"


def read_document(path: Path) -> Document:
    """Read a YAML mapping. Raises DocumentError."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise DocumentError(f"{path} is larger than {MAX_BYTES // 1024} KiB")
        text = path.read_text(encoding="utf-8")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        content = yaml.safe_load(text)
    except (OSError, UnicodeDecodeError) as error:
        raise DocumentError(f"{path} cannot be read: {error}") from None
    except yaml.YAMLError as error:
        raise DocumentError(_yaml_problem(path, error)) from None
    except (ValueError, RecursionError) as error:  # a date that there is not, [[[[
        raise DocumentError(f"{path}: a value is not YAML: {error}") from None
    if not isinstance(content, dict) or node is None:
        raise DocumentError(f"{path}:1: must hold `key: value` lines")
    lines: dict[Path_, int] = {}
    try:
        _note_lines(node, (), lines, set())
    except KeyError as twice:
        raise DocumentError(f"{path}:{twice.args[0]}: key {twice.args[1]!r} stands twice") from None
    return Document(path, content, lines)


def validated(
    kind: type[M],
    document: Document,
    content: Mapping[str, Any],
    beneath: Document | None = None,
) -> M:
    """The model of a document's content. Raises DocumentError for the first thing that is wrong.

    `beneath` is the document that `content` was merged on: it is named where the fault is its own.
    """
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        at: Path_ = tuple(problem["loc"])
        guilty = beneath if beneath and at[:1] not in document.lines else document
        if problem["type"] == "missing":
            guilty = document
        raise DocumentError(f"{guilty.where(at)}: {_sentence(kind, at, dict(problem))}") from None


def suggestion(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'voice'?`, or a list of what there is."""
    names = sorted(known)
    if not names:
        return ""
    near = difflib.get_close_matches(word, names, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(names)}"


def _sentence(kind: type[BaseModel], at: Path_, problem: dict[str, Any]) -> str:
    key = ".".join(str(part) for part in at)
    if problem["type"] == "extra_forbidden":
        return f"unknown key {key!r}{suggestion(str(at[-1]), _keys(kind, at[:-1]))}"
    if problem["type"] == "missing":
        return f"key {key!r} is missing"
    return f"key {key!r} is not right: {problem['msg']}"


def _keys(kind: object, at: Path_) -> Iterable[str]:
    """The keys that may stand at a place of the model."""
    for part in at:
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            field = kind.model_fields.get(str(part))
            kind = field.annotation if field else None
        else:  # Mapping[str, Model]: any key leads to the model
            kind = (*get_args(kind), None, None)[1]
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return kind.model_fields
    return ()


def _yaml_problem(path: Path, error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    line = mark.line + 1 if mark else 1
    problem = getattr(error, "problem", None) or str(error)
    return f"{path}:{line}: is not YAML: {problem}"


def _note_lines(node: yaml.Node, at: Path_, lines: dict[Path_, int], noted: set[int]) -> None:
    """Note where keys and items stand; what an alias repeats only once, for it may hold itself."""
    if id(node) in noted:
        return
    noted.add(id(node))
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            place = (*at, str(key.value))
            if place in lines:
                raise KeyError(key.start_mark.line + 1, key.value)
            lines[place] = key.start_mark.line + 1
            _note_lines(value, place, lines, noted)
    elif isinstance(node, yaml.SequenceNode):
        for position, item in enumerate(node.value):
            lines[(*at, position)] = item.start_mark.line + 1
            _note_lines(item, (*at, position), lines, noted)
