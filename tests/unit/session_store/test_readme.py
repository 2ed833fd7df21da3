"""What the README says is shown by a test is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from session_store.settings import SessionStoreSettings

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "services" / "session_store" / "README.md").read_text()
SHOWN = sorted(set(re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", TEXT)))


@pytest.mark.parametrize(("path", "name"), SHOWN)
def test_what_is_named_is_there(path: str, name: str) -> None:
    file = ROOT / path
    assert file.exists()
    assert not name or f"def {name}(" in file.read_text()


def test_the_lives_are_the_defaults() -> None:
    """In the units of the table."""
    settings = SessionStoreSettings()
    told = {
        "30 minutes": settings.archive_linger_seconds / 60,
        "2 hours": settings.session_seconds / 3600,
        "7 days": settings.archive_keep_seconds / 86_400,
        "90 days": settings.archive_retention_days,
    }
    for said, number in told.items():
        assert float(said.split()[0]) == number
        assert f"| {said}" in TEXT
