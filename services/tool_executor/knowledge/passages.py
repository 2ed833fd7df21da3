"""Folders of Markdown become passages: a folder is a collection, a `##` section a passage."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from importlib.abc import Traversable
from pathlib import Path

MAX_PASSAGE_CHARACTERS = 1200
"""About 300 tokens; small embedding models read 256 to 512 and silently drop the rest."""

_SECTION = re.compile(r"^##\s+(.+?)\s*$", re.MULTILINE)
_TITLE = re.compile(r"^#\s+(.+?)\s*$", re.MULTILINE)


class CorpusInvalid(Exception):
    """The corpus cannot be read. The message says where and what to do."""


@dataclass(frozen=True, slots=True)
class Passage:
    """What is found and spoken."""

    collection: str
    path: str
    """File within the corpus."""
    title: str
    content: str

    @property
    def text(self) -> str:
        """What is embedded."""
        return f"{self.title}. {self.content}"

    @property
    def digest(self) -> str:
        """The same while title and content are the same."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def shipped_corpus() -> Traversable:
    """The corpus of this package."""
    return resources.files("tool_executor") / "corpus"


def read_corpus(root: Traversable | Path) -> list[Passage]:
    """The passages of every `{collection}/*.md`, in order of path. Raises CorpusInvalid."""
    if not root.is_dir():
        raise CorpusInvalid(f"knowledge folder {root} is not a folder")
    try:
        return [passage for file in _files(root) for passage in passages_of(*file)]
    except (OSError, UnicodeDecodeError) as error:
        raise CorpusInvalid(f"knowledge folder {root}: {error}") from None


def passages_of(collection: str, path: str, text: str) -> list[Passage]:
    """The passages of one document; one without sections is a passage by its own title."""
    title = _TITLE.search(text)
    name = title.group(1) if title else Path(path).stem.replace("-", " ").capitalize()
    parts = _SECTION.split(text)
    sections = list(zip(parts[1::2], parts[2::2], strict=True)) or [(name, _TITLE.sub("", text))]
    return [
        Passage(collection, path, heading, piece)
        for heading, body in sections
        for piece in _pieces(" ".join(body.split()))
    ]


def _files(root: Traversable | Path) -> Iterator[tuple[str, str, str]]:
    for folder in sorted((f for f in root.iterdir() if f.is_dir()), key=lambda f: f.name):
        for file in sorted(folder.iterdir(), key=lambda f: f.name):
            if file.name.endswith(".md"):
                path = f"{folder.name}/{file.name}"
                yield folder.name, path, file.read_text(encoding="utf-8")


def _pieces(text: str) -> Iterator[str]:
    """The text, cut between sentences where it is too long for one embedding."""
    piece = ""
    for sentence in sentences(text):
        if piece and len(piece) + len(sentence) > MAX_PASSAGE_CHARACTERS:
            yield piece
            piece = ""
        piece = f"{piece} {sentence}".strip()
    if piece:
        yield piece


def sentences(text: str) -> list[str]:
    """The sentences of a text; one over the bound is cut hard."""
    found = [s for s in re.split(r"(?<=[.!?])\s+(?=[A-Z0-9\"“])", text) if s]
    size = MAX_PASSAGE_CHARACTERS
    return [s[i : i + size] for s in found for i in range(0, len(s), size)]
