"""The audit log: a line a decision, nothing of what was said, and retention."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tool_executor.audit import AuditLog
from tool_executor.outcomes import Outcome, read, refusal, written
from tool_executor.requests import Request

REQUEST = Request("verify", "sessions/a", "t1", "concierge", "sessions/a/t1/0/0", '{"d": "1234"}')


class Calendar:
    def __init__(self) -> None:
        self.time = datetime(2026, 11, 24, 23, 59, 59, 500_000, tzinfo=UTC)

    def monotonic(self) -> float:
        return 0.0

    def now(self) -> datetime:
        return self.time


def lines(file: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_a_line_for_each_decision(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit", days=7, clock=Calendar())
    log.decided(REQUEST, "alice", Outcome('{"balance": 5}', seconds=0.01234))
    log.decided(REQUEST, "", refusal("NOT_VERIFIED", "Who are you?"))
    log.close()
    ran, refused = lines(tmp_path / "audit" / "2026-11-24.jsonl")
    assert ran == {
        "time": "2026-11-24T23:59:59.500+00:00",
        "request_id": "sessions/a/t1/0/0",
        "session": "sessions/a",
        "agent": "concierge",
        "tool": "verify",
        "client_id": "alice",
        "decision": "ALLOWED",
        "outcome": "RESULT",
        "seconds": 0.0123,
    }
    assert (refused["decision"], refused["outcome"]) == ("NOT_VERIFIED", "NOT_VERIFIED")
    assert refused["seconds"] is None


def test_what_was_answered_again_is_not_told_as_run_again(tmp_path: Path) -> None:
    log = AuditLog(tmp_path, days=7, clock=Calendar())
    first = Outcome('{"refunded": 5}', seconds=0.1)
    log.decided(REQUEST, "alice", first)
    log.decided(REQUEST, "alice", read(written(first)))
    log.close()
    told = [line["decision"] for line in lines(tmp_path / "2026-11-24.jsonl")]
    assert told == ["ALLOWED", "EARLIER"]


def test_neither_arguments_nor_results(tmp_path: Path) -> None:
    log = AuditLog(tmp_path, days=7, clock=Calendar())
    log.decided(REQUEST, "alice", Outcome('{"balance": 98765}', seconds=0.1))
    log.close()
    text = (tmp_path / "2026-11-24.jsonl").read_text()
    assert "1234" not in text
    assert "98765" not in text


def test_what_a_model_put_in_the_place_of_a_name_is_redacted(tmp_path: Path) -> None:
    asked = replace(REQUEST, tool="call +1 415 555 2671", agent="ada@example.org")
    log = AuditLog(tmp_path, days=7, clock=Calendar())
    log.decided(asked, "", refusal("UNKNOWN_TOOL", "There is no such tool."))
    log.close()
    (line,) = lines(tmp_path / "2026-11-24.jsonl")
    assert (line["tool"], line["agent"]) == ("call [phone]", "[email]")


def test_it_is_appended_to_and_for_our_eyes_only(tmp_path: Path) -> None:
    for _ in range(2):
        log = AuditLog(tmp_path, days=7, clock=Calendar())
        log.decided(REQUEST, "", Outcome("{}", seconds=0.1))
        log.close()
    file = tmp_path / "2026-11-24.jsonl"
    assert len(lines(file)) == 2
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_new_day_a_new_file_and_old_ones_go(tmp_path: Path) -> None:
    for name in ("2026-11-17.jsonl", "2026-11-18.jsonl", "notes.jsonl", "2026-01-01.txt"):
        (tmp_path / name).write_text("")
    calendar = Calendar()
    log = AuditLog(tmp_path, days=7, clock=calendar)
    log.decided(REQUEST, "", Outcome("{}", seconds=0.1))
    calendar.time += timedelta(seconds=1)
    log.decided(REQUEST, "", Outcome("{}", seconds=0.1))
    log.close()
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "2026-01-01.txt",
        "2026-11-18.jsonl",
        "2026-11-24.jsonl",
        "2026-11-25.jsonl",
        "notes.jsonl",
    ]


def test_what_cannot_be_written_is_said_and_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    log = AuditLog(blocked / "audit", days=7, clock=Calendar())
    with caplog.at_level(logging.ERROR):
        log.decided(REQUEST, "alice", Outcome("{}", seconds=0.1))
    assert "audit log not written" in caplog.text
    log.close()
