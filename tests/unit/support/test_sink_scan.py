"""The scan of a test run finds what leaks, in each of the sinks that it reads, and fails the run."""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from cli.parts import Part
from cli.process import Process
from meshkit.logging import get_logger
from tests.support.planted import CARD, LONG, MAIL, NAME, found_in, spellings
from tests.support.sink_scan import PLANTED, Leaked, SinkScan, watching_logs, watching_processes

pytest_plugins = ["pytester"]

OWN = "Sword-Fish-77"
"""Planted by these tests alone: the scan of the run that they are part of does not look for it."""

LEAKY = """
from tests.support.sink_scan import SCAN

def test_tells_too_much():
    SCAN.read("otlp", "card 4111" "-1111-1111-1111")

def test_tells_nothing():
    SCAN.read("otlp", "card [number]")
"""


def scan_for_own() -> SinkScan:
    return SinkScan(wanted=spellings([OWN]))


@pytest.mark.parametrize("value", LONG)
def test_each_value_is_found_as_it_is_planted(value: str) -> None:
    scan = SinkScan()
    scan.read("logs", f"x={value}.")
    with pytest.raises(Leaked, match="in logs"):
        scan.raise_found()
    assert value in found_in(f"x={value}.") or value == NAME


@pytest.mark.parametrize("written", ["4111111111111111", "4111-1111-1111-1111", "ADA@EXAMPLE.ORG"])
def test_a_value_is_found_however_it_is_written(written: str) -> None:
    scan = SinkScan()
    scan.read("logs", "all is well")
    scan.read("audit", f'{{"said": "{written}"}}')
    with pytest.raises(Leaked, match="in audit"):
        scan.raise_found()
    scan.raise_found()  # told once


@pytest.mark.parametrize(
    "text", ["", "card [number]", "7a4111111111111", "Adam lives", "830164", "sk-plant"]
)
def test_what_only_resembles_is_not_found(text: str) -> None:
    scan = SinkScan()
    scan.read("logs", text)
    scan.raise_found()


def test_patterns_find_digits_with_anything_between_them_and_no_longer_numbers() -> None:
    assert found_in("4111 1111-1111.1111 and 830 164") == ["4111 1111 1111 1111", "830164"]
    assert found_in("a trace 18301645f and four two one seventeen") == []
    assert set(spellings([MAIL, "12-34"])) == {MAIL, "12-34", "1234", "12 34", "12.34"}


def test_records_are_read_as_the_product_would_write_them(
    caplog: pytest.LogCaptureFixture,
) -> None:
    scan = SinkScan()
    logger = get_logger("scanned")
    with watching_logs(scan), caplog.at_level("INFO"):
        logger.warning("card %s", CARD, extra={"email": MAIL})
        logger.info("harmless")
    logger.warning("after the block")
    assert scan.texts["logs"] == 2
    scan.raise_found()
    assert caplog.records[0].getMessage() == f"card {CARD}", (
        "other handlers see the record as it was"
    )


def test_a_record_that_redaction_misses_is_found() -> None:
    scan = scan_for_own()
    with watching_logs(scan):
        get_logger("scanned").warning("the word is %s", OWN)
    with pytest.raises(Leaked, match="Sword-Fish-77' in logs"):
        scan.raise_found()


async def test_lines_of_processes_are_read_and_still_printed() -> None:
    scan, printed = scan_for_own(), list[str]()
    part = Part("speaks", (sys.executable, "-c", f"print({OWN!r})"))
    with watching_processes(scan):
        process = Process(part, lambda _, line: printed.append(line))
    await process.start()
    assert await process.wait() == 0
    assert printed == [OWN]
    with pytest.raises(Leaked, match="in process"):
        scan.raise_found()


def test_audit_logs_below_a_folder_are_read_and_other_files_are_not(tmp_path: Path) -> None:
    (tmp_path / "deep" / "audit").mkdir(parents=True)
    (tmp_path / "deep" / "audit" / "2026-11-24.jsonl").write_text(f'{{"who": "{OWN}"}}\n')
    (tmp_path / "answers.jsonl").write_text(OWN)
    scan = scan_for_own()
    scan.read_files(tmp_path)
    assert scan.texts == {"audit": 1}
    with pytest.raises(Leaked, match="in audit"):
        scan.raise_found()


def test_archives_of_meshes_are_read(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "archive.db")) as archive:
        archive.execute("CREATE TABLE sessions (document TEXT)")
        archive.execute("INSERT INTO sessions VALUES (?)", (f"they said {OWN}",))
        archive.commit()
    scan = scan_for_own()
    scan.read_files(tmp_path)
    with pytest.raises(Leaked, match="in archive"):
        scan.raise_found()


def test_the_summary_tells_how_much_was_read() -> None:
    scan = SinkScan()
    assert scan.summary() == f"sinks read for {len(PLANTED)} planted values: nothing"
    scan.read("otlp", "x")
    assert scan.summary().endswith("values: otlp 1")


def test_a_run_in_which_something_leaks_fails(pytester: pytest.Pytester) -> None:
    folder = pytester.mkdir("unit")
    (folder / "test_leaky.py").write_text(LEAKY)
    options = ["-p", "tests.conftest", "-c", "/dev/null", f"--rootdir={pytester.path}"]
    options += ["-o", "asyncio_default_fixture_loop_scope=function"]
    done = pytester.runpytest_inprocess(*options, str(folder))
    assert done.ret == pytest.ExitCode.TESTS_FAILED
    done.assert_outcomes(passed=2, errors=1)
    done.stdout.fnmatch_lines(["*planted values came out of a sink*4111*in otlp*"])
