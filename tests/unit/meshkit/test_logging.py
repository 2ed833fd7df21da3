"""A record is one JSON object with the ids of the call at hand; the console form is for people."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest

from meshkit.context import call_context, new_trace, outgoing_metadata
from meshkit.logging import configure_logging, get_logger


@pytest.fixture(autouse=True)
def root_logger() -> Iterator[None]:
    """Put the root logger back after each test."""
    root, before = logging.root, (logging.root.handlers[:], logging.root.level)
    yield
    root.handlers[:], level = before
    root.setLevel(level)
    logging.captureWarnings(False)


def test_a_record_is_json_with_fields_and_ids(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("gateway", "info")
    with new_trace(), call_context(session="a", call="c", turn="t1"):
        get_logger("api.v1.media").info("Session started", extra={"frames": 3})
    record = json.loads(capsys.readouterr().err)
    assert record["message"] == "Session started"
    assert (record["service"], record["session"], record["call"], record["turn"]) == (
        "gateway",
        "a",
        "c",
        "t1",
    )
    assert record["frames"] == 3
    assert record["level"] == "INFO"
    assert record["logger"] == "voicemesh.api.v1.media"
    assert len(record["trace"]) == 32
    assert "time" in record


def test_what_the_caller_of_the_log_says_wins_over_the_context(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logging("gateway")
    with call_context(session="a"):
        get_logger("x").info("m", extra={"session": "b"})
    assert json.loads(capsys.readouterr().err)["session"] == "b"


def test_the_level_is_ours_and_libraries_speak_at_warning(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logging("gateway", "debug")
    get_logger("x").debug("ours")
    logging.getLogger("library").info("theirs")
    assert [json.loads(line)["message"] for line in capsys.readouterr().err.splitlines()] == [
        "ours"
    ]


def test_the_console_form_reads_as_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("gateway", form="console")
    with call_context(session="a"):
        get_logger("x").warning("late frame", extra={"ms": 61})
    assert capsys.readouterr().err == "WARNING late frame  ms=61 session=a\n"


def test_unknown_ids_are_refused() -> None:
    with pytest.raises(TypeError, match="caller_name"), call_context(caller_name="Alice"):
        pass


def test_only_the_ids_travel() -> None:
    with call_context(session="a"):
        assert dict(outgoing_metadata()) == {"baggage": "voicemesh.session=a"}


class Unspeakable:
    def __str__(self) -> str:
        raise RuntimeError("Alice Jones has no words")


@pytest.mark.parametrize(
    ("message", "arguments", "extra", "cause"),
    [
        pytest.param("bad %d", ("Alice Jones",), {}, "TypeError", id="arguments do not fit"),
        pytest.param("bad %s", (Unspeakable(),), {}, "RuntimeError", id="argument without text"),
        pytest.param(Unspeakable(), (), {}, "RuntimeError", id="message without text"),
        pytest.param("bad", (), {"error": [{Unspeakable(): 1}]}, "RuntimeError", id="field"),
    ],
)
def test_a_record_that_cannot_be_put_in_words_is_told_without_its_content(
    message: object,
    arguments: tuple[object, ...],
    extra: dict[str, object],
    cause: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logging("gateway")
    with call_context(session="a"):
        logging.getLogger("library").warning(message, *arguments, extra={"who": "Alice"} | extra)
    said = capsys.readouterr().err
    record = json.loads(said)
    assert record["message"] == "a log record could not be put in words"
    assert record["cause"] == cause
    assert record["at"].startswith("test_logging.py:")
    assert record["session"] == "a"
    assert "Alice" not in said


def test_a_session_without_text_does_not_fail_the_caller_of_the_log(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logging("gateway")
    get_logger("x").info("m", extra={"session": Unspeakable()})
    assert json.loads(capsys.readouterr().err)["session"] == "[Unspeakable]"
