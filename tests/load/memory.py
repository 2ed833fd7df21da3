"""Resident memory of each process at idle, with the local profile's real engines."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import uvloop

from cli.mesh import LocalMesh
from cli.ports import Ports
from tests.load.measure import machine, resident_mb
from tests.support.scripted_mesh import silent

NAMES = ("gateway", "orchestrator", "tool-executor", "session-store", "speech-pool", "planner")


async def main() -> None:
    print(f"resident memory at idle; {machine()}")
    with tempfile.TemporaryDirectory() as folder:
        async with LocalMesh(Ports.free(), data=Path(folder), print_line=silent) as mesh:
            for name in NAMES:
                print(f"{name:14} {resident_mb(mesh.process(name).pid):6.0f} MB")


if __name__ == "__main__":
    uvloop.run(asyncio.wait_for(main(), 120))
