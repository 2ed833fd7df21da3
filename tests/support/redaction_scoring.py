"""How texts with marked spans are scored: what leaks, what is taken beside it, what is spoiled.

A span leaks if the output holds more of it than the text around the spans does: the whole of it in
any case; a piece of at least a third of its characters and no fewer than four; the last four digits of
one with four digits or more, however they are separated; of a name, any word of three letters or more.
An item is found if none of its spans leak. A text without spans is spoiled if it changes at all.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from meshkit.redaction import redact, redact_json, redact_said

SPLIT_SEED = 20261124
"""Chosen before anybody who writes finders had looked at an item."""
_FILE = Path(__file__).with_name("redaction_corpus_independent.json")
_TUNED = _FILE.with_name("redaction_corpus_tuned.json")
_INSTEAD = re.compile(r"\[(?:[a-z]{3,9})\]")
_PROGRAM = re.compile(
    r"[=_{}<>\[\]\\|#;/\n\t]|\w\(|[A-Za-z]:\S|\b(?:DEBUG|INFO|WARN|WARNING|ERROR)\b"
)
_LEAST_PIECE = 4
_LEAST_WORD = 3


@dataclass(frozen=True)
class Span:
    """What must go from a text."""

    kind: str
    text: str


@dataclass(frozen=True)
class Item:
    """A text, and what must go from it; nothing, if it must stay as it is."""

    text: str
    spans: tuple[Span, ...]


@dataclass
class Score:
    """Counts over items."""

    items: int = 0
    missed: list[tuple[Item, str]] = field(default_factory=list)
    """Items that leak, with their output."""
    stay: int = 0
    spoiled: list[tuple[Item, str]] = field(default_factory=list)
    spans: dict[str, int] = field(default_factory=dict)
    leaked: dict[str, int] = field(default_factory=dict)
    """Spans and leaked ones by kind."""
    replaced: int = 0
    beside: list[tuple[Item, str]] = field(default_factory=list)
    """Pieces that were replaced though they touch no span, each with its item."""

    @property
    def recall(self) -> float:
        """Of the items with spans, the part that is found whole."""
        return 1 - len(self.missed) / self.items

    @property
    def precision(self) -> float:
        """Of the items that were found or spoiled, the part that was found."""
        found = self.items - len(self.missed)
        return found / (found + len(self.spoiled))

    @property
    def span_recall(self) -> float:
        """Of the spans, the part that does not leak."""
        return 1 - sum(self.leaked.values()) / sum(self.spans.values())

    @property
    def span_precision(self) -> float:
        """Of all pieces that were replaced in all items, the part that touches a span."""
        return 1 - len(self.beside) / self.replaced


def independent() -> list[Item]:
    """The corpus whose author had not seen the finders, in the order of its file."""
    told = json.loads(_FILE.read_text(encoding="utf-8"))["items"]
    return [
        Item(one["text"], tuple(Span(s["kind"], s["span"]) for s in one["secrets"])) for one in told
    ]


def tuned() -> list[Item]:
    """Texts that the finders were changed with."""
    told = json.loads(_TUNED.read_text(encoding="utf-8"))
    marks = re.compile("«([^»]*)»")
    return [
        Item(marks.sub(r"\1", text), tuple(Span("MARKED", span) for span in marks.findall(text)))
        for text in (*told["go"], *told["stay"])
    ]


def halves(items: Sequence[Item]) -> tuple[list[Item], list[Item]]:
    """Development and held-out half, by the fixed seed."""
    order = list(range(len(items)))
    random.Random(SPLIT_SEED).shuffle(order)
    middle = len(order) // 2
    return [items[i] for i in sorted(order[:middle])], [items[i] for i in sorted(order[middle:])]


def is_json(text: str) -> bool:
    """Whether a text is a JSON object or array."""
    try:
        return isinstance(json.loads(text), (dict, list))
    except ValueError:
        return False


def mode(text: str) -> str:
    """Which finder a text meets: `json`, `program` or `said`."""
    if is_json(text):
        return "json"
    return "program" if _PROGRAM.search(text) else "said"


def as_met(text: str) -> str:
    """The text as the product's sinks would have it.

    A JSON object or array is an argument, a result or a context: `redact_json`. What has a sign of a
    program in it (brackets, `=`, `_`, `#`, `/`, `|`, a colon within a word, a level, a line break) is a
    log's: `redact`. The rest is what people say: `redact_said`.
    """
    return {"json": redact_json, "program": redact, "said": redact_said}[mode(text)](text)


def scored(items: Iterable[Item], finder: Callable[[str], str]) -> Score:
    """The score of a finder on these items."""
    score = Score()
    for item in items:
        text, output = _plain(item.text), finder(item.text)
        _count_replaced(score, item, text, output)
        if not item.spans:
            score.stay += 1
            if output != text:
                score.spoiled.append((item, output))
            continue
        score.items += 1
        around = _around(text, item.spans)
        leaking = [span for span in item.spans if leaks(span, around, output)]
        if leaking:
            score.missed.append((item, output))
        for span in item.spans:
            score.spans[span.kind] = score.spans.get(span.kind, 0) + 1
        for span in leaking:
            score.leaked[span.kind] = score.leaked.get(span.kind, 0) + 1
    return score


def leaks(span: Span, around: str, output: str) -> bool:
    """Whether more of a span is in the output than the text around the spans has."""
    around, output = around.casefold(), _INSTEAD.sub("\0", output.casefold())
    return any(
        len(re.findall(piece, output)) > len(re.findall(piece, around)) for piece in _pieces(span)
    )


def _pieces(span: Span) -> Iterable[str]:
    text = span.text.casefold()
    yield re.escape(text)
    size = max(_LEAST_PIECE, -(-len(text) // 3))
    for start in range(len(text) - size + 1):
        piece = text[start : start + size]
        if len(piece.strip()) >= min(size, len(text)):
            yield re.escape(piece)
    digits = re.findall(r"\d", text)
    if len(digits) >= _LEAST_PIECE:
        yield r"[^\w\[\]]{0,3}".join(digits[-4:])
    if span.kind == "NAME":
        for word in re.findall(r"\w+", text):
            if len(word) >= _LEAST_WORD:
                yield rf"\b{re.escape(word)}\b"


def _plain(text: str) -> str:
    # JSON comes out written anew.
    return json.dumps(json.loads(text), ensure_ascii=False) if is_json(text) else text


def _around(text: str, spans: Sequence[Span]) -> str:
    for span in sorted(spans, key=lambda span: -len(span.text)):
        text = text.replace(span.text, "\0")
    return text


def _count_replaced(score: Score, item: Item, text: str, output: str) -> None:
    for start, end in replaced(text, output):
        score.replaced += 1
        if not any(start < e and s < end for s, e in _places(text, item.spans)):
            score.beside.append((item, text[start:end]))


def _places(text: str, spans: Sequence[Span]) -> Iterable[tuple[int, int]]:
    for span in spans:
        for found in re.finditer(re.escape(span.text), text):
            yield found.span()


def replaced(text: str, output: str) -> list[tuple[int, int]]:
    """Where in a text stood what the output has something in the place of."""
    if text == output:
        return []
    own = [re.escape(part) for part in _INSTEAD.split(output)]
    # A mark that the text had itself is replaced by itself.
    found = re.fullmatch("(.+?)".join(own), text, re.S)
    if found is None:
        return [(0, len(text))]
    return [found.span(n) for n in range(1, len(own)) if not _INSTEAD.fullmatch(found[n])]
