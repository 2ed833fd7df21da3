"""The documents: links lead somewhere, every package with an API has a page, nothing names a machine."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TRACKED = subprocess.run(
    ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
).stdout.splitlines()
PAGES = [path for path in TRACKED if path.endswith(".md")]
PACKAGES = ["warmpool", "meshkit", "memory", "toolkit", "agentkit", "planner"]

pytestmark = pytest.mark.skipif(not TRACKED, reason="not a git checkout: what is ours is not known")


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    text = re.sub(r"```.*?```", "", (ROOT / page).read_text(), flags=re.DOTALL)
    targets = re.findall(r"\]\(([^)#\s]+)", text)
    dead = [t for t in targets if "://" not in t and not (ROOT / page).parent.joinpath(t).exists()]
    assert dead == []


@pytest.mark.parametrize("package", PACKAGES)
def test_every_package_that_others_use_has_a_page(package: str) -> None:
    assert f"libs/{package}/README.md" in TRACKED


def test_the_first_screen_has_the_two_commands() -> None:
    first = (ROOT / "README.md").read_text().splitlines()[:40]
    assert [line.split()[1] for line in first if line.startswith("make ")] == ["demo", "test"]
