"""`voicemesh trace` draws what the gateway tells of a call, or says why it cannot."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from click.testing import CliRunner
from rich.console import Console

from cli.main import main
from cli.ports import Ports
from cli.trace import BAR_CELLS, MAX_ANSWER_BYTES, TraceError, cells, timeline, waterfall

KEY = "k" * 32


def turn(name: str = "t1", **more: Any) -> dict[str, Any]:
    return {
        "turn": name,
        "agent": "concierge",
        "state": "finished",
        "outcome": "completed",
        "failure_reason": "",
        "recognizer_tier": "warm",
        "synthesizer_tier": "dedicated",
        "model_ms": 150.0,
        "tool_ms": None,
        "timeline": {"to_last_heard_ms": 2400.4},
        "mouth_to_ear_ms": 400.0,
        "parts": [
            {"name": "final", "begin_ms": 0.0, "ms": 100.0},
            {"name": "first_audio", "begin_ms": 100.0, "ms": 300.0},
        ],
        **more,
    }


def drawn(*turns: dict[str, Any]) -> list[str]:
    console = Console(file=io.StringIO(), width=120)
    console.print(waterfall({"session": "call-1", "turns": list(turns)}))
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined,no-any-return]


def test_bars_follow_each_other_on_one_scale_and_name_the_tier() -> None:
    title, _, _, final, audio, whole = drawn(turn())[:6]
    assert "call call-1" in title
    assert final.split()[:4] == ["t1", "concierge", "final", "100"]
    assert final.count("█") == BAR_CELLS // 4
    assert "WARM" in final
    assert audio.index("█") == final.rindex("█") + 1
    assert len(audio.rstrip()) <= 80, "it fits a terminal"
    assert "DEDICATED" in audio
    assert "mouth to ear" in whole
    assert "400" in whole
    assert "completed, model 150, heard until 2400" in whole


def test_a_shorter_turn_has_shorter_bars() -> None:
    short = turn("t2", parts=[{"name": "final", "begin_ms": 0.0, "ms": 40.0}])
    line = next(line for line in drawn(turn(), short) if line.startswith("t2"))
    assert line.count("█") == cells(40.0, 400.0)


def test_a_turn_without_audio_is_one_line_that_says_how_it_came_out() -> None:
    failed = turn(
        parts=[], mouth_to_ear_ms=None, outcome="failed", failure_reason="MODEL_UNAVAILABLE"
    )
    text = "\n".join(drawn(failed))
    assert "failed (MODEL_UNAVAILABLE)" in text
    assert "█" not in text
    assert "under way" in "\n".join(drawn(turn(state="live")))


@pytest.mark.parametrize(("ms", "longest", "expected"), [(0, 0, 0), (50, 100, 14), (100, 100, 27)])
def test_cells(ms: float, longest: float, expected: int) -> None:
    assert cells(ms, longest) == expected


@asynccontextmanager
async def gateway(status: int, body: str, seen: list[web.Request]) -> AsyncIterator[str]:
    async def answer(request: web.Request) -> web.Response:
        seen.append(request)
        return web.Response(status=status, text=body)

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_the_session_is_one_part_of_the_path_and_the_key_is_sent() -> None:
    seen: list[web.Request] = []
    body = {"session": "a/b", "turns": []}
    async with gateway(200, json.dumps(body), seen) as url:
        assert await timeline(url, "a/b", KEY) == body
    assert seen[0].raw_path == "/api/v1/calls/a%2Fb/timeline"
    assert seen[0].headers["Authorization"] == f"Bearer {KEY}"


async def test_a_long_call_is_read_to_its_end_and_a_boundless_answer_is_not() -> None:
    long = {"session": "a", "turns": [], "more": "x" * 1_000_000}
    async with gateway(200, json.dumps(long), []) as url:
        assert await timeline(url, "a") == long
    async with gateway(200, " " * (MAX_ANSWER_BYTES + 1), []) as url:
        with pytest.raises(TraceError, match="over 8388608 bytes"):
            await timeline(url, "a")


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (404, '{"detail": "No call of session x."}', "No call of session x."),
        (401, '{"detail": "Send the control key."}', "Send the control key."),
        (200, "<html>", "answered 200, and not as a gateway does"),
        (200, '{"turns": 1}', "answered 200, and not as a gateway does"),
        (502, "[]", "answered 502"),
    ],
)
async def test_another_answer_is_told(status: int, body: str, said: str) -> None:
    async with gateway(status, body, []) as url:
        with pytest.raises(TraceError, match=said):
            await timeline(url, "x")


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(main, ["trace", *arguments])
    return done.exit_code, done.output


def test_without_a_mesh_it_ends_with_2_and_says_what_to_do() -> None:
    code, output = run("x", "--control-url", f"http://127.0.0.1:{Ports.free().gateway_http}")
    assert code == 2
    assert "no gateway answers" in output
    assert "voicemesh up" in output


@pytest.mark.parametrize("arguments", [[], ["x", "--colour"], ["x", "--control-url", "nonsense"]])
def test_wrong_usage_ends_with_2(arguments: list[str]) -> None:
    assert run(*arguments)[0] == 2


async def test_json_is_the_gateways_answer() -> None:
    body = {"session": "x", "turns": [turn()]}
    async with gateway(200, json.dumps(body), []) as url:
        code, output = await asyncio.to_thread(run, "x", "--json", "--control-url", url)
    assert (code, json.loads(output)) == (0, body)
