"""What a whole test run tells, looked through for what its tests plant.

    SCAN.read("otlp", text)      # a sink's double hands over what it was told
    SCAN.raise_found()           # after each test, and at the end: Leaked, which fails the run

Read without asking are the records of our loggers in this process, as the product would write them
(`watching_logs`), the lines of every process that `cli.process` starts (`watching_processes`), and the
audit logs and archives that lie in a folder at the end (`read_files`). Each process of a run that is
split over several scans what is its own, so nothing needs to be brought together.
"""

from __future__ import annotations

import copy
import logging
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from meshkit.logging import Redaction, _json_formatter
from tests.support import planted

MAX_FILE_BYTES = 8 << 20
PLANTED = (*planted.LONG, *planted.ELSEWHERE, *planted.customers())
AUDIT = "????-??-??.jsonl"
"""A day of a tool-executor's audit log."""
ARCHIVE = "archive.db"
"""What a mesh calls it. Those of tests about archives have other names: some are told not to redact."""


class Leaked(AssertionError):
    """A planted value came out of a sink. The message has both."""


@dataclass
class SinkScan:
    """Texts by sink, which of them were looked through, and what was found."""

    wanted: dict[str, str] = field(default_factory=lambda: planted.spellings(PLANTED))
    texts: Counter[str] = field(default_factory=Counter)
    """How many texts were read, by sink."""
    _unread: list[tuple[str, str]] = field(default_factory=list)

    def read(self, sink: str, text: str) -> None:
        """Take a text; it is looked through by `raise_found`."""
        self.texts[sink] += 1
        self._unread.append((sink, text))

    def raise_found(self) -> None:
        """Look through what came since. Raises Leaked."""
        unread, self._unread = self._unread, []
        if not self._holds("\n".join(text for _, text in unread)):
            return
        found = [(sink, value, text) for sink, text in unread for value in self._holds(text)]
        told = "; ".join(f"{value!r} in {sink}: {text[:300]!r}" for sink, value, text in found[:5])
        raise Leaked(f"planted values came out of a sink ({len(found)}): {told}")

    def read_files(self, folder: Path) -> None:
        """Take the audit logs and the archives of meshes below a folder."""
        for path in folder.rglob(AUDIT):
            if path.is_file() and path.stat().st_size <= MAX_FILE_BYTES:
                self.read("audit", path.read_text(errors="replace"))
        for path in folder.rglob(ARCHIVE):
            self.read("archive", "\n".join(documents_of(path)))

    def summary(self) -> str:
        """How much was read, so that a scan of nothing is not taken for a clean one."""
        counts = ", ".join(f"{sink} {n}" for sink, n in sorted(self.texts.items())) or "nothing"
        return f"sinks read for {len(set(self.wanted.values()))} planted values: {counts}"

    def _holds(self, text: str) -> list[str]:
        small = text.lower()
        return sorted({value for spelling, value in self.wanted.items() if spelling in small})


class _Reading(logging.Handler):
    """Reads each record of our loggers as the product's own handler would write it."""

    def __init__(self, scan: SinkScan) -> None:
        super().__init__()
        self._scan = scan
        self._redaction = Redaction()
        self.setFormatter(_json_formatter())

    def emit(self, record: logging.LogRecord) -> None:
        # Redaction changes a record, and other handlers of a test are to see it as it was.
        own = copy.copy(record)
        self._redaction.filter(own)
        self._scan.read("logs", self.format(own))


def documents_of(archive: Path) -> list[str]:
    """All documents of an archive in a file; none where it was never written to."""
    with closing(sqlite3.connect(archive)) as connection:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'sessions'").fetchone():
            return []
        return [row[0] for row in connection.execute("SELECT document FROM sessions")]


@contextmanager
def watching_logs(scan: SinkScan) -> Iterator[None]:
    """Read what our loggers tell within the block, however little a test wants to hear."""
    ours, handler = logging.getLogger("voicemesh"), _Reading(scan)
    before = ours.level
    ours.setLevel(logging.DEBUG)
    ours.addHandler(handler)
    try:
        yield
    finally:
        ours.removeHandler(handler)
        ours.setLevel(before)


@contextmanager
def watching_processes(scan: SinkScan) -> Iterator[None]:
    """Read the lines of the processes of a mesh that are made within the block."""
    from cli import process

    made = process.Process.__init__

    def watched(self: process.Process, part: object, print_line: process.Print) -> None:
        def tee(name: str, line: str) -> None:
            scan.read("process", line)
            print_line(name, line)

        made(self, part, tee)  # type: ignore[arg-type]

    process.Process.__init__ = watched  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        process.Process.__init__ = made  # type: ignore[method-assign]


SCAN = SinkScan()
"""Of this test process."""
