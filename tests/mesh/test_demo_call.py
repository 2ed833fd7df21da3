"""The demo call on the local profile's real engines: heard, verified, answered, spoken.

The processes are the real ones, the caller is the demo's synthetic voice, the planner decides.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import wave
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio

from cli.lines import demo_lines
from cli.mesh import LocalMesh
from cli.ports import Ports
from tool_executor.customers import demo_customers

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]
VOICEMESH = str(Path(sys.executable).parent / "voicemesh")
SERVICES = {"session-store", "tool-executor", "speech-pool", "orchestrator", "gateway", "planner"}


@dataclass(frozen=True)
class DemoCall:
    """What `voicemesh call --json` told, and how the mesh ended."""

    told: dict[str, Any]
    exit_code: int
    errors: str
    mesh_exit_codes: dict[str, int]
    recording: Path


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def demo(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DemoCall]:
    """One demo call, placed by the command, on a mesh of its own."""
    folder = tmp_path_factory.mktemp("demo")
    recording = folder / "call.wav"
    lines: list[str] = []
    mesh = LocalMesh(
        Ports.free(), data=folder, print_line=lambda part, line: lines.append(f"{part} {line}")
    )
    async with mesh:
        done = await asyncio.to_thread(_call, mesh, recording)
        codes = await mesh.stop()
    assert done.returncode == 0, done.stderr + "\n".join(lines[-40:])
    yield DemoCall(json.loads(done.stdout), done.returncode, done.stderr, codes, recording)


def _call(mesh: LocalMesh, recording: Path) -> subprocess.CompletedProcess[str]:
    audio = [word for path in demo_lines() for word in ("--audio", str(path))]
    where = ["--media-url", mesh.media_url, "--control-url", mesh.control_url]
    command = [VOICEMESH, "call", *audio, *where, "--record", str(recording), "--json"]
    return subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)


async def test_the_caller_was_heard(demo: DemoCall) -> None:
    heard = " ".join(t["text"] for t in demo.told["transcript"] if t["who"] == "caller").lower()
    assert "alice brown" in heard
    assert "balance" in heard
    assert "foreign transaction" in heard


async def test_the_agent_verified_before_it_told_the_balance_that_the_tool_returned(
    demo: DemoCall,
) -> None:
    tools = demo.told["tools"]
    assert tools.index("verify_client_identity") < tools.index("get_account_summary")
    assert "search_knowledge_base" in tools
    said = " ".join(t["text"] for t in demo.told["transcript"] if t["who"] == "agent")
    assert await _checking_balance() in re.sub(r"[^\d.]", " ", said.replace(",", "")).split()


async def _checking_balance() -> str:
    """Alice Brown's, as the tool-executor's own data have it."""
    customer = await demo_customers().by_client_id("alice_brown_ab")
    assert customer is not None
    account = next(a for a in customer.accounts if a.type == "checking")
    return f"{account.available:.2f}"


async def test_the_first_allocation_was_warm_and_the_later_ones_dedicated(demo: DemoCall) -> None:
    turns = demo.told["turns"]
    assert len(turns) >= 5
    assert turns[0]["synthesizer_tier"] == "warm"
    assert {t["synthesizer_tier"] for t in turns[1:]} == {"dedicated"}
    assert [t["recognizer_tier"] for t in turns[1:]] == ["dedicated"] * (len(turns) - 1)


async def test_every_answer_has_its_timeline(demo: DemoCall) -> None:
    order = (
        "end_of_speech_to_final_ms",
        "to_first_token_ms",
        "to_first_segment_ms",
        "to_first_audio_ms",
        "to_first_frame_ms",
    )
    answers = [t for t in demo.told["turns"] if t["cause"].startswith("u")]
    assert answers
    for turn in answers:
        steps = [turn["timeline"][name] for name in order]
        assert all(step is not None for step in steps), turn
        assert steps == sorted(steps), turn
        assert turn["outcome"] == "completed"


async def test_the_recording_has_the_caller_left_and_the_agent_right(demo: DemoCall) -> None:
    with wave.open(str(demo.recording)) as source:
        assert (source.getnchannels(), source.getframerate()) == (2, 16000)
        both = np.frombuffer(source.readframes(source.getnframes()), "<i2").reshape(-1, 2)
    assert 15 < len(both) / 16000 < 120
    for channel in (0, 1):
        loud = np.abs(both[:, channel]) > 500
        assert loud.mean() > 0.05, f"channel {channel} has no speech"
    # They take turns: the agent is not speaking over the caller's words.
    assert (np.abs(both).min(axis=1) > 500).mean() < 0.01


async def test_the_call_and_all_processes_ended_cleanly(demo: DemoCall) -> None:
    assert demo.told["end_reason"] == "caller_hung_up"
    assert demo.mesh_exit_codes.keys() == SERVICES
    assert set(demo.mesh_exit_codes.values()) == {0}
