"""No record reaches a sink with personal data or secrets in it, nor a flood of equal ones."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from meshkit.context import call_context, new_trace
from meshkit.log_repeats import ADMITTED, WINDOW_SECONDS
from meshkit.logging import LogFormat, configure_logging, get_logger, set_level

SECRETS = ("4155552671", "415 555 2671", "123-45-6789", "hunter2", "Alice", "four two one seven")
TOLD = "my name is Alice, 415 555 2671, 123-45-6789, password=hunter2, four two one seven"


@pytest.fixture(autouse=True)
def root_logger() -> Iterator[None]:
    """Put the root logger back after each test."""
    root, before = logging.root, (logging.root.handlers[:], logging.root.level)
    yield
    root.handlers[:], level = before
    root.setLevel(level)
    logging.captureWarnings(False)
    get_logger("x").setLevel(logging.NOTSET)


class Hand:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def told(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


@pytest.mark.parametrize("form", ["json", "console"])
def test_message_fields_and_traceback_are_redacted(
    form: LogFormat, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging("gateway", form=form)
    logger = get_logger("x")
    logger.warning(TOLD)
    logger.warning("heard %s", TOLD)
    logger.warning("fields", extra={"cause": TOLD, "transcript": "Alice", "n": {"said": TOLD}})
    try:
        raise ValueError(TOLD)
    except ValueError:
        logger.exception("broke", stack_info=True)
    logging.getLogger("a.library").error("said %s", TOLD)
    out = capsys.readouterr().err
    assert [secret for secret in SECRETS if secret in out] == []
    assert "ValueError: my name is [name]" in out
    assert "test_logging_sinks.py" in out


def test_a_chained_exception_is_redacted(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("gateway")
    try:
        try:
            raise KeyError("+14155552671")
        except KeyError as first:
            raise RuntimeError("ssn 123-45-6789") from first
    except RuntimeError:
        get_logger("x").exception("broke")
    out = capsys.readouterr().err
    assert "KeyError" in out
    assert "2671" not in out
    assert "6789" not in out


def test_ids_survive(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("gateway")
    with new_trace(), call_context(session="8f14e45f-ceea-467f-ab1c-5d2f3a6b7c8d", turn="t3"):
        get_logger("x").info("m", extra={"address": "10.0.0.1:50051", "lease": "l-482913"})
    (record,) = told(capsys)
    assert record["session"] == "8f14e45f-ceea-467f-ab1c-5d2f3a6b7c8d"
    assert (record["turn"], record["address"]) == ("t3", "10.0.0.1:50051")
    assert record["lease"] == "l-482913"
    assert len(record["trace"]) == 32


def test_a_later_handler_sees_the_redacted_record() -> None:
    configure_logging("gateway")
    seen: list[str] = []

    class Later(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(record.getMessage())

    logging.root.addHandler(Later())
    get_logger("x").warning("ssn %s", "123-45-6789")
    assert seen == ["ssn [number]"]


def test_a_flood_passes_in_part_and_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Hand()
    configure_logging("gateway", monotonic=clock)
    logger = get_logger("x")
    for _ in range(ADMITTED + 7):
        logger.warning("store away")
    assert len(told(capsys)) == ADMITTED
    clock.now = WINDOW_SECONDS
    logger.warning("another")
    first, second = told(capsys)
    assert (first["message"], first["repeated"], first["level"]) == ("store away", 7, "WARNING")
    assert first["logger"] == "voicemesh.x"
    assert second["message"] == "another"
    assert "repeated" not in second


def test_what_was_counted_is_told_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("gateway", monotonic=Hand())
    for _ in range(ADMITTED + 1):
        get_logger("x").warning("store away")
    logging.root.handlers[0].close()
    assert told(capsys)[-1]["repeated"] == 1


def test_news_of_many_calls_is_no_flood_and_complaints_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logging("gateway", monotonic=Hand())
    for number in range(2 * ADMITTED):
        with call_context(session=f"s{number}"):
            get_logger("x").info("call began")
            get_logger("x").warning("journal not written")
    messages = [record["message"] for record in told(capsys)]
    assert messages.count("call began") == 2 * ADMITTED
    assert messages.count("journal not written") == ADMITTED


def test_levels_change_at_once_for_all_or_for_one(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("gateway", "warning")
    get_logger("x").info("hidden")
    set_level("debug", "x")
    get_logger("x.y").debug("one")
    get_logger("z").info("hidden")
    set_level("info")
    get_logger("z").info("all")
    assert [record["message"] for record in told(capsys)] == ["one", "all"]
    with pytest.raises(ValueError, match="LOUD"):
        set_level("loud")
