"""What all suites share: seconds of each suite, nothing of the user's settings, nothing that leaks."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.sink_scan import SCAN, watching_logs, watching_processes

ROOT = Path(__file__).parent

# Read when numpy is first imported: on a busy machine its threads wait for one another, not work.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


@pytest.fixture(autouse=True, scope="session")
def no_settings_of_the_user() -> None:
    """Tests see defaults, whatever the shell has set."""
    for name in [name for name in os.environ if name.startswith("VOICEMESH_")]:
        del os.environ[name]


@pytest.fixture(autouse=True, scope="session")
def sinks_are_read(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Read what the whole run tells; whatever came after the last test fails that one."""
    with watching_logs(SCAN), watching_processes(SCAN):
        yield
    SCAN.read_files(tmp_path_factory.getbasetemp())
    SCAN.raise_found()


@pytest.fixture(autouse=True)
def nothing_planted_comes_out() -> Iterator[None]:
    """Fail a test if a sink has since told a value that tests plant."""
    yield
    SCAN.raise_found()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the seconds of each suite, which have budgets."""
    seconds: dict[str, float] = defaultdict(float)
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                seconds[report.nodeid.split("/")[1]] += report.duration
    spent = ", ".join(f"{suite} {spent:.1f} s" for suite, spent in sorted(seconds.items()))
    terminalreporter.write_line(f"suites: {spent}")
    terminalreporter.write_line(SCAN.summary())
