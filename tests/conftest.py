"""What all suites share: the seconds of each suite at the end, and nothing of the user's settings."""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parent

# Read when numpy is first imported: on a busy machine its threads wait for one another, not work.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


@pytest.fixture(autouse=True, scope="session")
def no_settings_of_the_user() -> None:
    """Tests see defaults, whatever the shell has set."""
    for name in [name for name in os.environ if name.startswith("VOICEMESH_")]:
        del os.environ[name]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the seconds of each suite, which have budgets."""
    seconds: dict[str, float] = defaultdict(float)
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                seconds[report.nodeid.split("/")[1]] += report.duration
    spent = ", ".join(f"{suite} {spent:.1f} s" for suite, spent in sorted(seconds.items()))
    terminalreporter.write_line(f"suites: {spent}")
