"""The voicemesh command, as a person runs it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from cli.mesh import LocalMesh
from cli.ports import Ports

pytestmark = pytest.mark.asyncio(loop_scope="module")
ROOT = Path(__file__).parents[2]
VOICEMESH = str(Path(sys.executable).parent / "voicemesh")


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [VOICEMESH, *arguments], capture_output=True, text=True, timeout=90, cwd=cwd, check=False
    )


async def test_a_call_by_text(mesh: LocalMesh, tmp_path: Path) -> None:
    where = ["--media-url", mesh.media_url, "--control-url", mesh.control_url]
    pool = ["--speech-pool", f"127.0.0.1:{mesh.ports.speech_pool}"]
    done = await asyncio.to_thread(run, "call", "--text", "hello", *where, *pool, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "caller  hello" in done.stdout
    assert "agent   You said" in done.stdout
    assert "t1" in done.stdout
    assert "WARM" in done.stdout
    assert "DEDICATED" in done.stdout
    assert (tmp_path / "var" / "call.wav").stat().st_size > 100_000


async def test_the_pools_of_a_mesh(mesh: LocalMesh, tmp_path: Path) -> None:
    pool = ["--speech-pool", f"127.0.0.1:{mesh.ports.speech_pool}"]
    done = await asyncio.to_thread(run, "pools", "--once", "--json", *pool, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert [p["kind"] for p in told["pools"]] == ["recognizer", "synthesizer"]
    assert all(p["breaker"] == "closed" for p in told["pools"])
    done = await asyncio.to_thread(run, "pools", "--once", *pool, cwd=tmp_path)
    assert "synthesizer" in done.stdout


async def test_no_pool_to_show(tmp_path: Path) -> None:
    address = f"127.0.0.1:{Ports.free().speech_pool}"
    done = await asyncio.to_thread(run, "pools", "--once", "--speech-pool", address, cwd=tmp_path)
    assert done.returncode == 3
    assert address in done.stderr


async def test_nothing_to_say_is_wrong_usage(tmp_path: Path) -> None:
    done = await asyncio.to_thread(run, "call", cwd=tmp_path)
    assert done.returncode == 2
    assert "--audio" in done.stderr


async def test_a_file_that_is_no_call_audio(mesh: LocalMesh, tmp_path: Path) -> None:
    (tmp_path / "line.wav").write_bytes(b"not a wav")
    where = ["--media-url", mesh.media_url, "--control-url", mesh.control_url]
    done = await asyncio.to_thread(run, "call", "--audio", "line.wav", *where, cwd=tmp_path)
    assert done.returncode == 4
    assert "line.wav is not a WAV file" in done.stderr


async def test_no_mesh_to_call(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{Ports.free().gateway_http}"
    done = await asyncio.to_thread(
        run, "call", "--text", "hello", "--control-url", url, cwd=tmp_path
    )
    assert done.returncode == 3
    assert "voicemesh up" in done.stderr


@pytest.mark.parametrize(
    ("stop", "wanted"),
    [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow)],
)
async def test_up_runs_until_it_is_stopped_and_leaves_nothing_behind(
    stop: signal.Signals, wanted: int, tmp_path: Path
) -> None:
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "VOICEMESH_SPEECH_PROVIDER": "tests.support.scripted_engine:ScriptedProvider",
    }
    up = await asyncio.create_subprocess_exec(
        VOICEMESH,
        "up",
        "--free-ports",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=tmp_path,
        env=environment,
    )
    assert up.stdout is not None
    said: list[str] = []
    async with asyncio.timeout(60):
        while not any("/console" in line for line in said):
            line = (await up.stdout.readline()).decode()
            assert line, said
            said.append(line)
    assert any("the mesh is up" in line for line in said)
    console = said[-1].split()[-1]
    status = await asyncio.to_thread(_read_json, console.replace("/console", "/api/v1/console"))
    assert status["ring"] is not None, "it keeps what the page shows"
    children = _children(up.pid)
    assert len(children) >= 7  # five services, the planner, Valkey
    up.send_signal(stop)
    async with asyncio.timeout(30):
        rest = (await up.stdout.read()).decode()
        code = await up.wait()
    assert code == wanted, rest
    assert "Traceback" not in rest
    assert "export" not in rest, "nobody minds that the ring goes first"
    assert not [pid for pid in children if Path(f"/proc/{pid}").exists()]
    for part in (
        "gateway",
        "speech-pool",
        "orchestrator",
        "tool-executor",
        "session-store",
        "valkey",
    ):
        assert any(line.startswith(part) for line in said), part


def _read_json(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return json.load(answer)


def _children(pid: int) -> list[int]:
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(word) for word in path.read_text().split()]
