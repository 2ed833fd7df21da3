"""The audit log: a line of JSON for every decision, in a file a day, only ever appended to.

It says who asked for what on whose behalf and how it was decided; it never holds arguments or
results, and what a model wrote in the place of a name is redacted. Files older than the retention are
deleted when a new day begins.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from meshkit.clock import Clock, SystemClock
from meshkit.logging import get_logger
from meshkit.redaction import redact_fields
from tool_executor.outcomes import Outcome
from tool_executor.requests import Request

logger = get_logger("tool_executor.audit")

ALLOWED = "ALLOWED"
EARLIER = "EARLIER"
"""Nothing was decided or run: the outcome of an earlier request with this id was answered."""


class Audit(Protocol):
    """Where decisions are written down."""

    def decided(self, request: Request, client_id: str, outcome: Outcome) -> None:
        """A run was refused, or was allowed and came out so. Never raises."""
        ...


class NoAudit:
    """Writes nothing."""

    def decided(self, request: Request, client_id: str, outcome: Outcome) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing to close."""


class AuditLog:
    """Files `{day}.jsonl` in a folder, kept for `days`; days are those of UTC."""

    def __init__(self, folder: Path, *, days: int, clock: Clock | None = None) -> None:
        self._folder, self._days = folder, days
        self._clock = clock or SystemClock()
        self._day: date | None = None
        self._file: int | None = None

    def decided(self, request: Request, client_id: str, outcome: Outcome) -> None:
        """Append a line. What cannot be written is logged as an error, without its content."""
        now = self._clock.now()
        line = json.dumps(_passed(_entry(now, request, client_id, outcome))) + "\n"
        try:
            os.write(self._of_day(now.date()), line.encode())
        except OSError as error:
            logger.error("audit log not written", extra={"cause": type(error).__name__})

    def close(self) -> None:
        """Close the file of the day."""
        if self._file is not None:
            os.close(self._file)
        self._file = self._day = None

    def _of_day(self, day: date) -> int:
        if self._file is None or day != self._day:
            self.close()
            self._folder.mkdir(parents=True, exist_ok=True)
            self._forget_before(day - timedelta(days=self._days))
            name = self._folder / f"{day.isoformat()}.jsonl"
            # One write a line under O_APPEND: several processes may share the file.
            self._file = os.open(name, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            self._day = day
        return self._file

    def _forget_before(self, day: date) -> None:
        for file in self._folder.glob("*.jsonl"):
            if (of := _day_of(file)) and of < day:
                file.unlink(missing_ok=True)


def _day_of(file: Path) -> date | None:
    try:
        return date.fromisoformat(file.stem)
    except ValueError:
        return None


def _passed(entry: Mapping[str, object]) -> dict[str, object]:
    """The entry as it may be written. Each line is on the way of an answer, and most of its words are
    those of the line before."""
    return {
        key: _word(key, value) if isinstance(value, str) else value for key, value in entry.items()
    }


@lru_cache(maxsize=512)
def _word(key: str, text: str) -> str:
    return str(redact_fields({key: text})[key])


def _entry(now: datetime, request: Request, client_id: str, outcome: Outcome) -> dict[str, object]:
    ran = outcome.seconds is not None
    reason = outcome.failure.reason if outcome.failure else ""
    decision = EARLIER if outcome.earlier else ALLOWED if ran else reason
    return {
        "time": now.isoformat(timespec="milliseconds"),
        "request_id": request.request_id,
        "session": request.session,
        "agent": request.agent,
        "tool": request.tool,
        "client_id": client_id,
        "decision": decision,
        "outcome": reason or "RESULT",
        "seconds": round(outcome.seconds, 4) if outcome.seconds is not None else None,
    }
