"""What a process says of itself: where tasks wait and what the loop does, without any value."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter

import pytest

from meshkit.diagnostics import (
    MAX_FRAMES,
    MAX_NAME,
    MAX_TASKS,
    MAX_TOLD_CHARACTERS,
    Profiler,
    ProfileUnderWay,
    awaits,
    dump_tasks,
    profile_of,
    sampled,
)

SECRET = "the caller's name"


async def inner(said: str, gate: asyncio.Event) -> str:
    await gate.wait()
    return said


async def outer(said: str, gate: asyncio.Event) -> str:
    return await inner(said, gate)


async def test_a_task_is_told_with_its_chain_of_awaits_and_no_value() -> None:
    gate = asyncio.Event()
    task = asyncio.create_task(outer(SECRET, gate), name="b waits")
    other = asyncio.create_task(gate.wait(), name="a waits")
    await asyncio.sleep(0)
    told = dump_tasks([task, other])
    gate.set()
    await asyncio.gather(task, other)
    assert told.count == 2
    assert [state.name for state in told.tasks] == ["a waits", "b waits"]
    places = [place.rpartition(":")[0].rpartition(".")[2] for place in told.tasks[1].places]
    assert places == ["outer", "inner", "wait"]
    assert SECRET not in repr(told)


async def test_a_chain_is_bounded() -> None:
    gate = asyncio.Event()

    async def deeper(levels: int) -> None:
        await (deeper(levels - 1) if levels else gate.wait())

    task = asyncio.create_task(deeper(MAX_FRAMES * 2))
    await asyncio.sleep(0)
    assert len(awaits(task.get_coro())) == MAX_FRAMES
    gate.set()
    await task
    assert awaits(task.get_coro()) == (), "it is over and waits nowhere"


async def test_an_answer_is_bounded_and_tells_how_much_there_was() -> None:
    gate = asyncio.Event()
    tasks = [
        asyncio.create_task(gate.wait(), name="x" * 1000 + str(n)) for n in range(MAX_TASKS + 1)
    ]
    await asyncio.sleep(0)
    told = dump_tasks(tasks)
    gate.set()
    await asyncio.gather(*tasks)
    assert (told.count, len(told.tasks)) == (MAX_TASKS + 1, MAX_TASKS)
    assert {len(state.name) for state in told.tasks} == {MAX_NAME}
    long = Counter({"s" * (MAX_TOLD_CHARACTERS // 2): 3, "t" * MAX_TOLD_CHARACTERS: 2, "u": 1})
    profile = profile_of(long)
    assert (profile.samples, [count for _, count in profile.stacks]) == (6, [3])


async def test_one_profile_at_a_time_and_the_next_after_it_was_given_up() -> None:
    profiler = Profiler()
    for seconds in (0.0, -1.0, 30.1, float("nan")):
        with pytest.raises(ValueError, match="at most 30"):
            await profiler.capture(seconds)
    first = asyncio.create_task(profiler.capture(30.0))
    await asyncio.sleep(0)
    with pytest.raises(ProfileUnderWay) as caught:
        await profiler.capture(1.0)
    assert 29 < caught.value.seconds <= 30
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    assert (await profiler.capture(0.05)).samples > 0


def block_the_loop(seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pass


async def test_a_profile_sees_what_blocks_the_loop() -> None:
    asyncio.get_running_loop().call_later(0.05, block_the_loop, 0.25)
    stacks = await sampled(0.3)
    seen = {stack: count for stack, count in stacks.items() if "block_the_loop" in stack}
    assert sum(seen.values()) >= 3
    assert all(stack.split(";")[-1].partition(":")[0].endswith(".block_the_loop") for stack in seen)


async def test_a_profile_that_nobody_wants_any_more_ends_with_its_thread() -> None:
    profile = asyncio.create_task(sampled(30.0, interval=0.001))
    while not any("to_thread" in t.name or "asyncio_" in t.name for t in threading.enumerate()):
        await asyncio.sleep(0)
    profile.cancel()
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(5):
            await profile
