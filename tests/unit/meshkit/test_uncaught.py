"""What nobody caught is told by the log, redacted, and not raw on standard error."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from meshkit.logging import configure_logging, get_logger

PLANTED = ("Alice", "415 555 2671", "4155552671", "hunter2")
TOLD = "my name is Alice, 415 555 2671, password=hunter2"
SCRIPT = f"""
import asyncio, logging, threading, time, warnings, weakref
TOLD = {TOLD!r}
from meshkit.startup import run_process
from meshkit.logging import configure_logging
import grpc

class Held:
    def __repr__(self):
        return TOLD
    def __del__(self):
        raise ValueError(TOLD)

def fails():
    raise ValueError(TOLD)

async def later():
    raise ValueError(TOLD)

async def main():
    logging.getLogger("early").warning("before: " + TOLD)
    configure_logging("gateway")
    warnings.warn(TOLD)
    thread = threading.Thread(target=fails)
    thread.start(); thread.join()
    Held()
    task = asyncio.get_running_loop().create_task(later(), name=TOLD)
    await asyncio.wait([task])
    del task
    channel = grpc.insecure_channel("127.0.0.1:1")
    try:
        grpc.channel_ready_future(channel).result(0.05)
    except grpc.FutureTimeoutError:
        channel.close()
    fails()

run_process("gateway", main)
"""


@pytest.fixture(autouse=True)
def root_logger() -> Iterator[None]:
    """Put the root logger back after each test."""
    root, before = logging.root, (logging.root.handlers[:], logging.root.level)
    yield
    root.handlers[:], level = before
    root.setLevel(level)
    logging.captureWarnings(False)


def test_nothing_of_a_process_goes_past_the_log_with_what_callers_said() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=os.environ | {"PYTHONFAULTHANDLER": "1"},
    )
    assert done.returncode == 1
    assert [planted for planted in PLANTED if planted in done.stdout + done.stderr] == []
    early, *lines = done.stderr.splitlines()
    assert early == "before: my name is [name], [phone], password=[secret]"
    records = [json.loads(line) for line in lines]
    assert [(record["logger"], record["message"].partition("\n")[0]) for record in records[1:]] == [
        ("voicemesh.uncaught", "thread ended by an exception"),
        ("voicemesh.uncaught", "exception where none can be raised"),
        ("voicemesh.uncaught", "nobody asked what a task failed with"),
        ("voicemesh.uncaught", "process ended by an exception"),
    ]
    assert records[0]["logger"] == "py.warnings"
    assert all("ValueError: my name is [name]" in record["exc_info"] for record in records[1:])


def test_a_sentence_at_the_start_is_redacted() -> None:
    script = (
        "from meshkit.startup import StartupError, run_process\n"
        "async def main(): raise StartupError('redis://u:hunter2@cache:6379 is not reachable')\n"
        "run_process('gateway', main)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr == "gateway: redis://[secret]@cache:6379 is not reachable\n"


def test_a_librarys_own_handler_is_taken_from_it(capsys: pytest.CaptureFixture[str]) -> None:
    library = logging.getLogger("a.library.with.a.handler")
    library.addHandler(logging.StreamHandler())
    library.propagate = False
    configure_logging("gateway")
    library.warning("said %s", TOLD)
    assert "Alice" not in capsys.readouterr().err
    assert library.handlers == []


def test_a_record_that_cannot_be_written_is_told_of_without_its_content(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    configure_logging("gateway")
    formatter = logging.root.handlers[0].formatter
    assert formatter is not None

    def broken(_record: logging.LogRecord) -> str:
        raise ValueError(TOLD)

    monkeypatch.setattr(formatter, "format", broken)
    get_logger("x").warning("m")
    assert json.loads(capsys.readouterr().err) == {
        "level": "ERROR",
        "logger": "voicemesh.x",
        "message": "a log record was lost",
        "cause": "ValueError",
    }


def test_a_traceback_that_another_handler_put_in_words_is_redacted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logging("gateway")
    record = logging.LogRecord("library", logging.WARNING, "", 0, "m", None, None)
    record.exc_text = f"ValueError: {TOLD}"
    logging.root.handle(record)
    said = capsys.readouterr().err
    assert "ValueError" in said
    assert [planted for planted in PLANTED if planted in said] == []
