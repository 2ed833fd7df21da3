"""`voicemesh pools` on a live pod: each change is shown as it comes, as a line of JSON or in place."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from rich.console import Console

from cli.pools import PoolsUnreachable, once, show, watch
from cli.ports import Ports
from tests.support.speech_pod import Pod, running


@pytest.fixture
async def pod() -> AsyncIterator[Pod]:
    async with running(recognizer_warm=2, synthesizer_warm=1) as pod:
        yield pod


class Screen(io.StringIO):
    """What was written, for those who wait for some of it."""

    def __init__(self) -> None:
        super().__init__()
        self.written = asyncio.Event()

    def write(self, text: str) -> int:
        self.written.set()
        return super().write(text)

    async def until(self, seen: Callable[[str], bool]) -> str:
        async with asyncio.timeout(10):
            while not seen(self.getvalue()):
                self.written.clear()
                await self.written.wait()
        return self.getvalue()


@asynccontextmanager
async def shown(pod: Pod, *, as_json: bool) -> AsyncIterator[Screen]:
    screen = Screen()
    console = Console(file=screen, force_terminal=not as_json, width=160)
    showing = asyncio.create_task(show(pod.address, console, as_json=as_json))
    yield screen
    showing.cancel()
    await asyncio.gather(showing, return_exceptions=True)


def recognizer(rows: dict[str, Any]) -> dict[str, Any]:
    return next(pool for pool in rows["pools"] if pool["kind"] == "recognizer")


async def test_once_tells_tiers_stock_waiting_and_breaker(pod: Pod) -> None:
    await pod.allocate("a")
    await pod.allocate("a")
    rows = await once(pod.address)
    told = recognizer(rows)
    assert rows["address"] == pod.address
    assert (told["leased"], told["waiting"], told["breaker"]) == (1, 0, "closed")
    assert (told["target"], told["max"]) == (2, 16)
    assert told["tiers"] == {"dedicated": 1, "warm": 1, "cold": 0}


async def test_a_change_is_told_as_it_comes(pod: Pod) -> None:
    changes = watch(pod.address)
    assert recognizer(await anext(changes))["leased"] == 0
    await pod.allocate("a")
    while recognizer(await anext(changes))["leased"] != 1:
        pass
    await changes.aclose()  # type: ignore[attr-defined]


async def test_in_json_each_change_is_a_line(pod: Pod) -> None:
    async with shown(pod, as_json=True) as screen:
        await screen.until(lambda text: "\n" in text)
        await pod.allocate("a")
        text = await screen.until(lambda text: '"leased": 1' in text)
    lines = [json.loads(line) for line in text.splitlines()]
    assert [recognizer(rows)["leased"] for rows in (lines[0], lines[-1])] == [0, 1]


async def test_the_table_is_drawn_again_in_place(pod: Pod) -> None:
    async with shown(pod, as_json=False) as screen:
        before = await screen.until(lambda text: "synthesizer" in text)
        await pod.allocate("a")
        text = await screen.until(lambda text: "0/1/0" in text)
    assert "0/1/0" not in before
    assert text.count(f"speech pool {pod.address}") >= 2
    assert "\x1b[1A" in text  # up, over what was drawn before


async def test_a_pod_that_is_not_there_is_named() -> None:
    address = f"127.0.0.1:{Ports.free().speech_pool}"
    with pytest.raises(PoolsUnreachable, match=address):
        await once(address)
    with pytest.raises(PoolsUnreachable, match=address):
        await anext(watch(address))
