"""A mesh on loopback whose engine and model are scripted, for benches and mesh tests.

What the caller says and the agent answers is exact and costs almost nothing, so that what is left to
measure is the mesh.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import yaml

from cli.mesh import LocalMesh
from cli.parts import Part
from cli.ports import Ports
from cli.process import Process
from tests.support.sink_scan import SCAN

ROOT = Path(__file__).parents[2]
GREETING = "Welcome caller."
ENGINE = "tests.support.scripted_engine:ScriptedProvider"
Print = Callable[[str, str], None]


def silent(part: str, line: str) -> None:
    """Print nothing."""


@asynccontextmanager
async def scripted_mesh(
    model_arguments: tuple[str, ...] = (),
    environment: Mapping[str, str] | None = None,
    print_line: Print = silent,
    adapt: Callable[[Part], Part] = lambda part: part,
    *,
    ring: bool = False,
) -> AsyncIterator[LocalMesh]:
    """The mesh with a scripted engine, its model a scripted one with these arguments."""
    ports, model_port = Ports.free(), Ports.free().planner
    with tempfile.TemporaryDirectory() as folder:
        async with _model(model_port, model_arguments, print_line):
            mesh = LocalMesh(
                ports,
                data=Path(folder),
                print_line=print_line,
                adapt=adapt,
                ring=ring,
                environment={
                    "PYTHONPATH": str(ROOT),
                    "VOICEMESH_SPEECH_PROVIDER": ENGINE,
                    "VOICEMESH_MODEL_BASE_URL": f"http://127.0.0.1:{model_port}/v1",
                    "VOICEMESH_AGENTS_DIR": str(brief_agents(Path(folder))),
                    "VOICEMESH_LOG_LEVEL": "warning",
                    **(environment or {}),
                },
            )
            async with mesh:
                yield mesh
        SCAN.read_files(Path(folder))


def brief_agents(folder: Path, *tools: str) -> Path:
    """The shipped agents with a greeting of one word: a scripted voice takes 60 ms a letter.

    `tools` are given to each beside its own.
    """
    agents = folder / "agents"
    shutil.copytree(ROOT / "services" / "orchestrator" / "agents", agents)
    for path in agents.glob("*/agent.yaml"):
        content = yaml.safe_load(path.read_text())
        path.write_text(
            yaml.safe_dump({**content, "greeting": GREETING, "tools": [*content["tools"], *tools]})
        )
    return agents


@asynccontextmanager
async def _model(port: int, arguments: tuple[str, ...], print_line: Print) -> AsyncIterator[None]:
    command = (
        sys.executable,
        "-m",
        "tests.support.scripted_model",
        "--port",
        str(port),
        *arguments,
    )
    part = Part(
        "model", command, {"PYTHONPATH": str(ROOT)}, health_url=f"http://127.0.0.1:{port}/healthz"
    )
    process = Process(part, print_line)
    await process.start()
    try:
        await process.until_healthy(30.0)
        yield
    finally:
        await process.stop(5.0)
