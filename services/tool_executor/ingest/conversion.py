"""Keeps a knowledge folder in step with folders of documents: only what changed is converted.

A manifest beside the Markdown remembers of which source, by its content, each file was made. Files
that are not in it were written by people, and are left alone. Whatever stops the work, what was
converted stays and is not converted again.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tool_executor.ingest.formats import READERS, NotReadable, to_markdown

MANIFEST = ".ingest.json"
LOOSE = "documents"
"""The collection of documents that lie in no folder of their own."""


class FolderWrong(Exception):
    """A folder cannot be used. The message says which and what to do."""


@dataclass(frozen=True, slots=True)
class Made:
    """What was made of a source."""

    digest: str
    """SHA-256 of the source's content."""
    file: str
    """The Markdown, relative to the knowledge folder."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What has to be done, by the sources' names."""

    convert: Mapping[str, Made]
    unchanged: frozenset[str]
    remove: Mapping[str, Made]
    """Sources that are gone, with what had been made of them."""


@dataclass(slots=True)
class Report:
    """What was done."""

    converted: list[str] = field(default_factory=list)
    unchanged: int = 0
    removed: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    """Sources that could not be taken in, and why. What was made of them before is kept."""


def plan(
    known: Mapping[str, Made], found: Mapping[str, str], present: Callable[[str], bool]
) -> Plan:
    """What to do, given the manifest and the digests of what is found now. Pure.

    `present` tells whether a file that the manifest names is still in the knowledge folder.
    """
    wanted = {source: Made(digest, target_of(source)) for source, digest in found.items()}
    unchanged = frozenset(
        source
        for source, made in wanted.items()
        if known.get(source) == made and present(made.file)
    )
    return Plan(
        convert={source: made for source, made in wanted.items() if source not in unchanged},
        unchanged=unchanged,
        remove={source: made for source, made in known.items() if source not in wanted},
    )


def target_of(source: str) -> str:
    """`fees/2026/retail.pdf` is `fees/2026--retail.pdf.md`: a folder is a collection. Pure."""
    collection, _, rest = source.rpartition("/")[0].partition("/")
    parts = [part for part in (*rest.split("/"), source.rpartition("/")[2]) if part]
    name = "--".join(parts)
    ending = "" if name.lower().endswith(".md") else ".md"
    return f"{collection or LOOSE}/{name}{ending}"


def convert(
    sources: Path, knowledge: Path, progress: Callable[[int, int, str], None] = lambda *_: None
) -> Report:
    """Bring the knowledge folder in step. Raises FolderWrong.

    `progress` is told before each document: how many are done, of how many, and its name.
    """
    _check(sources, knowledge)
    known = read_manifest(knowledge)
    todo = plan(known, dict(_found(sources)), lambda file: (knowledge / file).is_file())
    report = Report(unchanged=len(todo.unchanged))
    try:
        for done, (source, made) in enumerate(todo.convert.items()):
            progress(done, len(todo.convert), source)
            _convert_one(sources / source, knowledge, source, made, known, report)
        for source, made in todo.remove.items():
            (knowledge / made.file).unlink(missing_ok=True)
            del known[source]
            report.removed.append(source)
    finally:
        _write(knowledge / MANIFEST, _as_json(known))
    return report


def read_manifest(knowledge: Path) -> dict[str, Made]:
    """What is known of a knowledge folder; a broken manifest knows nothing. Raises FolderWrong."""
    try:
        content = json.loads((knowledge / MANIFEST).read_text(encoding="utf-8"))
        return {source: Made(**made) for source, made in content["documents"].items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise FolderWrong(
            f"{knowledge / MANIFEST} cannot be read ({type(error).__name__}): delete it, and all is"
            " converted anew"
        ) from None


def _convert_one(
    path: Path, knowledge: Path, source: str, made: Made, known: dict[str, Made], report: Report
) -> None:
    try:
        text = to_markdown(path)
    except NotReadable as error:
        report.failed[source] = str(error)
        return
    _write(knowledge / made.file, text)
    known[source] = made
    report.converted.append(source)


def _check(sources: Path, knowledge: Path) -> None:
    if not sources.is_dir():
        raise FolderWrong(f"{sources} is not a folder of documents")
    inside = knowledge.resolve().is_relative_to(sources.resolve())
    if inside or sources.resolve().is_relative_to(knowledge.resolve()):
        raise FolderWrong(f"{knowledge} and {sources} lie in one another: choose another folder")


def _found(sources: Path) -> Iterator[tuple[str, str]]:
    """Every document, by its name within the folder, with the digest of its content."""
    for path in sorted(sources.rglob("*")):
        relative = path.relative_to(sources)
        hidden = any(part.startswith(".") for part in relative.parts)
        if path.is_file() and path.suffix.lower() in READERS and not hidden:
            with path.open("rb") as file:
                yield relative.as_posix(), hashlib.file_digest(file, "sha256").hexdigest()


def _as_json(known: Mapping[str, Made]) -> str:
    documents = {
        source: {"digest": made.digest, "file": made.file} for source, made in sorted(known.items())
    }
    return json.dumps({"version": 1, "documents": documents}, indent=1) + "\n"


def _write(path: Path, text: str) -> None:
    """Whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)
