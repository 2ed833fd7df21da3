"""Run the benches one after another: `python -m tests.load [NAME ...]`; no name runs all."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
SHARED = {"__main__", "__init__", "measure", "anchor", "speech_socket"}
MAX_SECONDS = 900


def main(names: list[str]) -> int:
    """Each bench is a module with a main of its own; the exit code is the number that failed."""
    known = sorted(path.stem for path in HERE.glob("*.py") if path.stem not in SHARED)
    unknown = [name for name in names if name not in known]
    if unknown:
        print(f"no bench named {', '.join(unknown)}; there are {', '.join(known)}", file=sys.stderr)
        return 2
    return sum(not _run(name) for name in names or known)


def _run(name: str) -> bool:
    began = time.monotonic()
    print(f"\n== {name}", flush=True)
    command = [sys.executable, "-m", f"tests.load.{name}"]
    done = subprocess.run(command, cwd=HERE.parents[1], timeout=MAX_SECONDS, check=False)
    print(
        f"-- {name} took {time.monotonic() - began:.0f} s, exit code {done.returncode}", flush=True
    )
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
