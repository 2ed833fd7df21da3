"""The walls of the repository: who may import whom, and how large a thing may grow."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
MAX_LINES = 400


def test_import_walls() -> None:
    lint = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run([lint], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:]


def test_no_file_has_become_a_design_question() -> None:
    sources = [p for top in ("libs", "services") for p in (ROOT / top).rglob("*.py")]
    own = [p for p in sources if (ROOT / "libs" / "voicemesh") not in p.parents]
    long = {
        str(p.relative_to(ROOT)): n
        for p in own
        if (n := len(p.read_text().splitlines())) > MAX_LINES
    }
    assert long == {}
