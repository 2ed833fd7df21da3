"""A call's timeline adds up to what its recording shows, and `voicemesh trace` draws it."""

from __future__ import annotations

import asyncio
import json
import sys
from array import array
from dataclasses import dataclass
from typing import Any

import pytest

from acs_standin.caller import PlacedCall
from cli.call import Conversation, Line
from tests.support.scripted_mesh import scripted_mesh
from tests.support.tonetext import encode

FRAME_MS = 20.0
SAMPLES_PER_MS = 16
LINES = ("q1", "q2", "q3")
QUIET_MS = 100
"""Longer than what is silent within a line."""
SLOW = {
    "VOICEMESH_SCRIPTED_FINAL_DELAY_SECONDS": "0.5",
    "VOICEMESH_SCRIPTED_FIRST_AUDIO_DELAY_SECONDS": "0.6",
}
"""So that 5 % of the whole are more than the two frames that the caller's clock may blur: its frames
leave, and the agent's are heard, on ticks of 20 ms, which a busy machine may have late."""


@dataclass(frozen=True, slots=True)
class Traced:
    """One call: its timeline, its recording, and what the command printed."""

    told: dict[str, Any]
    recording: Any
    late_ticks: int
    drawn: str
    unknown: tuple[int, str]


def sounds(pcm: bytes) -> list[tuple[float, float]]:
    """Stretches of sound of one channel, begin and end in milliseconds."""
    found: list[tuple[float, float]] = []
    samples = array("h", pcm)
    for number in range(0, len(samples), SAMPLES_PER_MS):
        if any(samples[number : number + SAMPLES_PER_MS]):
            at = number / SAMPLES_PER_MS
            if found and at - found[-1][1] < QUIET_MS:
                found[-1] = found[-1][0], at + 1
            else:
                found.append((at, at + 1))
    return found


def gaps(caller: bytes, agent: bytes) -> list[float]:
    """From the end of each of the caller's lines to the agent's next sound, in milliseconds."""
    answers = sounds(agent)
    return [
        min(begin for begin, _ in answers if begin >= ended) - ended for _, ended in sounds(caller)
    ]


async def voicemesh(*arguments: str) -> tuple[int, str, str]:
    """The command, run as a process: exit code, output, errors."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "from cli.main import main; main()",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


async def one_call() -> Traced:
    async with scripted_mesh(environment=SLOW) as mesh:
        async with PlacedCall(f"{mesh.media_url}?scenario=banking") as call:
            conversation = Conversation(call, lambda event: None, turn_seconds=20.0)
            lines = [Line(said, encode(said)) for said in LINES]
            await conversation.run(lines, mesh.control_url)
        url = ("--control-url", mesh.control_url)
        _, told, _ = await voicemesh("trace", call.call_connection_id, "--json", *url)
        _, drawn, _ = await voicemesh("trace", call.call_connection_id, *url)
        code, _, error = await voicemesh("trace", "nobody", *url)
    return Traced(json.loads(told), call.recording, call.late_ticks, drawn, (code, error))


@pytest.fixture(scope="module")
def traced() -> Traced:
    return asyncio.run(one_call())


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_the_parts_add_up_to_what_the_recording_shows(traced: Traced) -> None:
    answers = [turn for turn in traced.told["turns"] if turn["cause"].startswith("u")]
    recorded = gaps(traced.recording.caller, traced.recording.agent)
    assert len(answers) == len(recorded) == len(LINES)
    for turn, gap in zip(answers, recorded, strict=True):
        whole = sum(part["ms"] for part in turn["parts"])
        assert whole == pytest.approx(turn["mouth_to_ear_ms"], abs=0.1)
        assert gap > 1100 - FRAME_MS, "the delays of the script are in it"
        tolerance = 0.05 * gap + FRAME_MS * traced.late_ticks
        assert whole == pytest.approx(gap, abs=tolerance), turn["parts"]


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_each_part_has_the_delay_that_was_put_into_it(traced: Traced) -> None:
    for turn in traced.told["turns"][1:]:
        parts = {part["name"]: part["ms"] for part in turn["parts"]}
        assert parts["final"] >= 499
        assert parts["first_audio"] >= 599
        assert turn["timeline"]["to_last_heard_ms"] > turn["mouth_to_ear_ms"]


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_the_command_draws_every_turn_and_names_a_call_it_does_not_know(traced: Traced) -> None:
    for name in ("t0", "t1", "t2", "t3"):
        assert f"\n{name} " in traced.drawn
    assert traced.drawn.count("mouth to ear") == 1 + len(LINES)
    assert "DEDICATED" in traced.drawn
    code, error = traced.unknown
    assert code == 2
    assert "nobody" in error
