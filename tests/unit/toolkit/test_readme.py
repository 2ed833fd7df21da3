"""The README's tool is found, served to a model and run, as it says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from toolkit import Registry, add_folder
from toolkit.tool import Policy

README = Path(__file__).parents[3] / "libs" / "toolkit" / "README.md"
BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


def test_the_tool_in_ten_minutes(tmp_path: Path) -> None:
    tool, trial = BLOCKS
    (tmp_path / "branches.py").write_text(tool)
    done = subprocess.run(
        [sys.executable, "-c", trial], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "'message': 'Our branch in Springfield is at 12 Oak Street.'" in done.stdout
    registry = Registry()
    add_folder(registry, tmp_path)
    assert registry.get("find_branch").tags == {"places"}


def test_the_policy_reference_is_complete() -> None:
    rows = set(re.findall(r"^\| `(\w+)` \|", README.read_text(encoding="utf-8"), re.MULTILINE))
    assert set(Policy.__dataclass_fields__) | {"effect", "timeout_seconds", "tags"} <= rows
