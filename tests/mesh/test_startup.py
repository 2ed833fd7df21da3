"""A part that cannot start says why in one sentence and exits with 2; nothing half-started stays."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.ports import Ports

ROOT = Path(__file__).parents[2]
ORCHESTRATOR = ROOT / "services" / "orchestrator"
SCRIPTED = {
    "PYTHONPATH": str(ROOT),
    "VOICEMESH_SPEECH_PROVIDER": "tests.support.scripted_engine:ScriptedProvider",
    "VOICEMESH_REDIS_URL": "redis://127.0.0.1:1",
    "VOICEMESH_LOG_LEVEL": "error",
}


def start(module: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a part until it ends by itself."""
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        env={**os.environ, **SCRIPTED, **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def refusal(done: subprocess.CompletedProcess[str]) -> str:
    """The one sentence of a part that refused to start."""
    lines = done.stderr.strip().splitlines()
    assert done.returncode == 2, done.stderr
    assert len(lines) == 1, done.stderr
    return lines[0]


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


GRPC_SERVICES = ["speech_pool", "tool_executor", "session_store", "orchestrator"]


@pytest.mark.parametrize("module", GRPC_SERVICES)
def test_a_port_in_use(module: str, taken_port: int) -> None:
    said = refusal(start(module, VOICEMESH_GRPC_PORT=str(taken_port)))
    assert str(taken_port) in said
    assert "in use" in said


@pytest.mark.parametrize("setting", ["VOICEMESH_HTTP_PORT", "VOICEMESH_MEDIA_PORT"])
def test_a_port_of_the_gateway_in_use(setting: str, taken_port: int) -> None:
    ports = Ports.free()
    other = {
        "VOICEMESH_HTTP_PORT": str(ports.gateway_http),
        "VOICEMESH_MEDIA_PORT": str(ports.gateway_media),
    }
    said = refusal(start("gateway", **{**other, setting: str(taken_port)}))
    assert str(taken_port) in said
    assert "in use" in said


def test_a_port_of_the_planner_in_use(taken_port: int) -> None:
    assert str(taken_port) in refusal(start("planner", "--port", str(taken_port)))


@pytest.mark.parametrize("module", [*GRPC_SERVICES, "gateway"])
def test_a_setting_that_is_not_valid(module: str) -> None:
    said = refusal(start(module, VOICEMESH_DRAIN_SECONDS="soon"))
    assert "VOICEMESH_DRAIN_SECONDS" in said
    assert "'soon'" in said


def test_an_engine_that_is_not_there() -> None:
    said = refusal(
        start("speech_pool", VOICEMESH_GRPC_PORT="0", VOICEMESH_SCRIPTED_UNAVAILABLE="true")
    )
    assert "unavailable" in said
    said = refusal(
        start("speech_pool", VOICEMESH_GRPC_PORT="0", VOICEMESH_SPEECH_PROVIDER="no.such:Engine")
    )
    assert "no.such:Engine" in said


def test_a_store_without_redis_says_where_to_name_one() -> None:
    assert "VOICEMESH_REDIS_URL" in refusal(start("session_store", VOICEMESH_REDIS_URL=""))


def test_a_gateway_open_to_the_network_without_a_key() -> None:
    ports = Ports.free()
    said = refusal(
        start(
            "gateway",
            VOICEMESH_BIND_HOST="0.0.0.0",
            VOICEMESH_HTTP_PORT=str(ports.gateway_http),
            VOICEMESH_MEDIA_PORT=str(ports.gateway_media),
        )
    )
    assert "KEY" in said


@pytest.fixture
def catalog(tmp_path: Path) -> dict[str, str]:
    """A copy of the shipped agents and scenarios, and the settings that point at it."""
    for name in ("agents", "scenarios"):
        shutil.copytree(ORCHESTRATOR / name, tmp_path / name)
    return {
        "VOICEMESH_AGENTS_DIR": str(tmp_path / "agents"),
        "VOICEMESH_SCENARIOS_DIR": str(tmp_path / "scenarios"),
        "VOICEMESH_GRPC_PORT": "0",
    }


def edit(path: Path, old: str, new: str) -> int:
    """Replace text in a file; the number of the line where it stood."""
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    return text[: text.index(old)].count("\n") + 1


def test_an_agent_with_a_typo_is_named_by_file_line_and_key(catalog: dict[str, str]) -> None:
    path = Path(catalog["VOICEMESH_AGENTS_DIR"]) / "concierge" / "agent.yaml"
    line = edit(path, "greeting:", "greting:")
    said = refusal(start("orchestrator", **catalog))
    assert f"agent.yaml:{line}" in said
    assert "greting" in said
    assert "greeting" in said


def test_a_scenario_that_names_an_unknown_agent(catalog: dict[str, str]) -> None:
    folder = Path(catalog["VOICEMESH_SCENARIOS_DIR"])
    path = next(folder.rglob("*banking*/*.yaml"), None) or next(folder.rglob("banking*.yaml"))
    edit(path, "concierge", "conciergge")
    said = refusal(start("orchestrator", **catalog))
    assert "conciergge" in said
    assert path.name in said
