"""One document to Markdown: the only module that imports the readers of HTML and PDF.

What a browser would not show (scripts, hidden elements, comments) is left out: it could be meant for
our model and not for a reader.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bs4 import BeautifulSoup, Tag

MAX_BYTES = 50 * 1024 * 1024
MAX_PAGES = 2000

_DROPPED = (
    "script", "style", "noscript", "template", "nav", "header", "footer", "aside", "form", "svg",
    "iframe", "button", "select", "input", "textarea",
)  # fmt: skip
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0", re.I)
_BLOCKS = ("h1", "h2", "h3", "h4", "p", "li", "td", "th", "dt", "dd", "pre", "blockquote", "div")


class NotReadable(Exception):
    """A document cannot be taken in. The message says why and what to do."""


def to_markdown(path: Path) -> str:
    """The document as Markdown: a `#` title, `##` sections. Raises NotReadable."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise NotReadable(f"larger than {MAX_BYTES // 1024**2} MiB: split it")
        text = READERS[path.suffix.lower()](path)
    except OSError as error:
        raise NotReadable(f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise NotReadable("is not UTF-8: save it so") from None
    if not text.strip():
        raise NotReadable("holds no text; of a scanned document, recognise the text first")
    return text


def _markdown(path: Path) -> str:
    return path.read_text(encoding="utf-8-sig")


def _html(path: Path) -> str:
    from bs4 import BeautifulSoup, Comment

    soup = BeautifulSoup(path.read_bytes(), "html.parser")
    title = _title(soup, path)
    for comment in soup.find_all(string=lambda found: isinstance(found, Comment)):
        comment.extract()
    for element in [*soup.find_all(_DROPPED), *filter(_is_hidden, soup.find_all(True))]:
        element.decompose()
    main = soup.find("main") or soup.body or soup
    lines = list(_lines(main))
    return "\n\n".join([f"# {title}", *lines]) + "\n" if lines else ""


def _title(soup: BeautifulSoup, path: Path) -> str:
    first = soup.find("h1") or soup.find("title")
    return _words(first) if first and _words(first) else _name(path)


def _is_hidden(element: Tag) -> bool:
    if element.decomposed or element.attrs is None:
        return False
    hidden = element.has_attr("hidden") or element.get("aria-hidden") == "true"
    return hidden or bool(_HIDDEN.search(str(element.get("style", ""))))


def _lines(main: Tag) -> Iterator[str]:
    """Headings as sections, and each innermost block as a paragraph."""
    for block in main.find_all(_BLOCKS):
        if block.name not in ("h1", "h2", "h3", "h4") and block.find(_BLOCKS):
            continue
        words = _words(block)
        if words and block.name != "h1":
            yield f"## {words}" if block.name in ("h2", "h3", "h4") else words


def _words(element: Tag) -> str:
    return " ".join(element.get_text(" ").split())


def _pdf(path: Path) -> str:
    from pypdf import PdfReader
    from pypdf.errors import PyPdfError

    try:
        reader = PdfReader(path)
        if reader.is_encrypted and not reader.decrypt(""):
            raise NotReadable("is locked with a password: save it without one")
        if len(reader.pages) > MAX_PAGES:
            raise NotReadable(f"has more than {MAX_PAGES} pages: split it")
        title = " ".join(str((reader.metadata and reader.metadata.title) or "").split()) or _name(
            path
        )
        pages = [" ".join(page.extract_text().split()) for page in reader.pages]
    except (PyPdfError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise NotReadable(f"is not a PDF that can be read: {type(error).__name__}") from None
    sections = [f"## {title}, page {n}\n\n{text}" for n, text in enumerate(pages, 1) if text]
    return "\n\n".join([f"# {title}", *sections]) + "\n" if sections else ""


def _name(path: Path) -> str:
    return path.stem.replace("-", " ").replace("_", " ").strip().capitalize()


READERS: dict[str, Callable[[Path], str]] = {
    ".md": _markdown,
    ".markdown": _markdown,
    ".html": _html,
    ".htm": _html,
    ".pdf": _pdf,
}
"""What can be taken in, by the end of a file's name."""
