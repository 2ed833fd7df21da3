"""A hook runs to its first wait at no cost, and the rest of it under a bound."""

from __future__ import annotations

import asyncio

import pytest

from warmpool.hooks import Rest, begin


async def answer(value: int, turns: int = 0) -> int:
    for _ in range(turns):
        await asyncio.sleep(0)
    return value


async def test_a_hook_that_does_not_wait_is_done_at_once() -> None:
    assert begin(answer(7)) == 7


async def test_a_hook_that_waits_is_finished_later() -> None:
    rest = begin(answer(7, turns=3))
    assert isinstance(rest, Rest)
    assert await rest.finish(1.0) == 7


async def test_what_a_hook_raises_comes_out_before_and_after_its_first_wait() -> None:
    async def fail(turns: int) -> int:
        await answer(0, turns)
        raise ConnectionError

    with pytest.raises(ConnectionError):
        begin(fail(0))
    rest = begin(fail(2))
    assert isinstance(rest, Rest)
    with pytest.raises(ConnectionError):
        await rest.finish(1.0)


async def test_the_bound_ends_a_hook_and_lets_it_clean_up() -> None:
    cleaned = False

    async def stuck() -> int:
        nonlocal cleaned
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned = True
        return 0

    rest = begin(stuck())
    assert isinstance(rest, Rest)
    with pytest.raises(TimeoutError):
        await rest.finish(0.001)
    assert cleaned


async def test_a_hook_may_catch_what_is_thrown_into_it() -> None:
    async def stubborn() -> int:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return 5
        return 0

    async def run() -> int:
        rest = begin(stubborn())
        assert isinstance(rest, Rest)
        return await rest.finish(10.0)

    task = asyncio.create_task(run())
    await asyncio.sleep(0)
    task.cancel()
    assert await task == 5


async def test_a_hook_may_use_timeouts_of_its_own() -> None:
    async def impatient() -> str:
        try:
            async with asyncio.timeout(0.001):
                await asyncio.Event().wait()
        except TimeoutError:
            return "gave up"
        return "waited"

    rest = begin(impatient())
    assert isinstance(rest, Rest)
    assert await rest.finish(5.0) == "gave up"


async def test_a_rest_that_is_dropped_is_closed() -> None:
    closed = False

    async def wait() -> None:
        nonlocal closed
        try:
            await asyncio.Event().wait()
        finally:
            closed = True

    async def run() -> None:
        rest = begin(wait())
        assert isinstance(rest, Rest)
        await rest.finish(5.0)

    coroutine = run()
    coroutine.send(None)
    coroutine.close()
    assert closed
