"""Runs by request_id: once, waited for, bounded."""

from __future__ import annotations

import asyncio

import pytest

from meshkit.errors import MeshError, Reason
from tool_executor import runs as runs_module
from tool_executor.outcomes import Outcome
from tool_executor.runs import Runs

DONE = Outcome("{}")


class Held:
    """A run that ends when it is told to."""

    def __init__(self, outcome: Outcome | MeshError = DONE) -> None:
        self.outcome, self.go, self.started = outcome, asyncio.Event(), 0

    async def start(self) -> Outcome:
        self.started += 1
        await self.go.wait()
        if isinstance(self.outcome, MeshError):
            raise self.outcome
        return self.outcome


async def at_once() -> Outcome:
    return Outcome('{"n": 1}')


async def test_those_who_ask_meanwhile_wait_for_the_same_run() -> None:
    runs, held = Runs(8), Held()
    waiting = [asyncio.create_task(runs.once("r", "x", start=held.start)) for _ in range(3)]
    await asyncio.sleep(0)
    held.go.set()
    assert await asyncio.gather(*waiting) == [held.outcome] * 3
    assert held.started == 1
    assert (runs.running, runs.finished) == (0, 1)


async def test_a_finished_run_answers_at_once() -> None:
    runs = Runs(8)
    first = await runs.once("r", "x", start=at_once)

    async def never() -> Outcome:
        raise AssertionError("started twice")

    assert await runs.once("r", "x", start=never) is first


@pytest.mark.parametrize("content", [("y",), ("x", ""), ("",), ()])
async def test_other_content_under_the_same_id(content: tuple[str, ...]) -> None:
    runs, held = Runs(8), Held()
    running = asyncio.create_task(runs.once("r", "x", start=held.start))
    await asyncio.sleep(0)
    with pytest.raises(MeshError) as caught:
        await runs.once("r", *content, start=at_once)
    assert caught.value.is_reason(Reason.REQUEST_ID_REUSED)
    held.go.set()
    await running
    with pytest.raises(MeshError):
        await runs.once("r", *content, start=at_once)


async def test_whoever_goes_away_does_not_stop_the_run() -> None:
    runs, held = Runs(8), Held()
    waiting = asyncio.create_task(runs.once("r", "x", start=held.start))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert runs.running == 1
    held.go.set()
    assert await runs.once("r", "x", start=held.start) == held.outcome
    assert held.started == 1


async def test_a_run_that_did_not_take_place_is_forgotten() -> None:
    runs, held = Runs(8), Held(MeshError(Reason.STORE_UNAVAILABLE, "down"))
    held.go.set()
    with pytest.raises(MeshError):
        await runs.once("r", "x", start=held.start)
    assert await runs.once("r", "x", start=at_once) == Outcome('{"n": 1}')


async def test_the_number_kept_is_bounded() -> None:
    runs = Runs(2)
    for name in ("a", "b"):
        await runs.once(name, "x", start=at_once)
    await runs.once("a", "x", start=at_once)  # used again: `b` is the oldest now
    await runs.once("c", "x", start=at_once)
    assert runs.finished == 2
    held = Held()
    held.go.set()
    await runs.once("b", "x", start=held.start)
    assert held.started == 1


async def test_the_bytes_kept_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs_module, "MAX_KEPT_BYTES", 4000)
    runs = Runs(100)

    async def large() -> Outcome:
        return Outcome("x" * 1000)

    for n in range(10):
        await runs.once(f"r{n}", "x", start=large)
    assert runs.finished == 2


async def test_drain_waits_then_stops() -> None:
    runs, quick, stuck = Runs(8), Held(), Held()
    one = asyncio.create_task(runs.once("quick", start=quick.start))
    other = asyncio.create_task(runs.once("stuck", start=stuck.start))
    await asyncio.sleep(0)
    quick.go.set()
    await runs.drain(0.01)
    assert await one == quick.outcome
    with pytest.raises(asyncio.CancelledError):
        await other
    assert runs.running == 0


async def test_draining_nothing() -> None:
    await Runs(1).drain(0)
