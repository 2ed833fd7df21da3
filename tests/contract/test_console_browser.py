"""The console's page in a real browser: what it shows, and that nothing told to it becomes markup."""

from __future__ import annotations

import asyncio
import re
import shutil
from pathlib import Path

import pytest

from tests.support.console_rig import BAD, export_metric, export_spans, rig_with_ring
from tests.support.gateway_rig import rig

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium"),
]
VIRTUAL_MS = 4_000
"""As long as the page believes to have run: it asks once or twice."""


async def page(url: str, profile: Path) -> tuple[str, list[str]]:
    """The page's markup once its script has run, and what the browser complained of."""
    assert CHROMIUM is not None
    browser = await asyncio.create_subprocess_exec(
        CHROMIUM,
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={profile}",
        "--enable-logging=stderr",
        f"--virtual-time-budget={VIRTUAL_MS}",
        "--dump-dom",
        url,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        shown, complaints = await browser.communicate()
    told = [line for line in complaints.decode().splitlines() if "CONSOLE" in line]
    return shown.decode(), told


def section(markup: str, name: str) -> str:
    """What is in an element of the page that has only its id."""
    found = re.search(rf'id="{name}"[^>]*>(.*?)(?=<section|</main>|$)', markup, re.DOTALL)
    assert found, markup[-2_000:]
    return found[1]


async def test_an_empty_mesh_says_what_to_do(tmp_path: Path) -> None:
    async with rig_with_ring() as (mesh, _):
        markup, told = await page(mesh.http + "/console", tmp_path)
    assert told == []
    assert "voicemesh call --text" in section(markup, "calls")
    assert "0 live calls, 0 spans" in section(markup, "status")


async def test_a_call_its_waterfall_and_no_markup_from_the_mesh(tmp_path: Path) -> None:
    async with rig_with_ring() as (mesh, channel):
        await export_spans(channel, ago=30)
        await export_metric(channel, 7)
        markup, told = await page(mesh.http + "/console#call-1", tmp_path)
    assert told == [], "no error, and nothing that the policy had to refuse"
    assert "call-1" in section(markup, "calls")
    assert "400 ms" in section(markup, "calls")
    assert ">answer</button>" in section(markup, "call-body")
    assert ">7</td>" in section(markup, "metrics")
    assert "&lt;img src=x" in markup
    assert "<img" not in markup, BAD


async def test_without_a_ring_it_says_why(tmp_path: Path) -> None:
    async with rig() as mesh:
        markup, told = await page(mesh.http + "/console", tmp_path)
    assert told == []
    assert "voicemesh up" in section(markup, "why-empty")


async def test_it_asks_for_the_key(tmp_path: Path) -> None:
    async with rig_with_ring(control_key="k" * 32) as (mesh, _):
        markup, _ = await page(mesh.http + "/console", tmp_path)
    form = re.search(r'<form id="key-form"[^>]*>', markup)
    assert form
    assert "hidden" not in form[0]
    assert "<main hidden" in markup
    assert "locked" in section(markup, "status")
