"""Calls that may never return."""

from __future__ import annotations

import threading

import pytest

from speech_pool.engines.azure.calls import BlockingCalls


async def test_a_call_runs_in_a_thread_that_does_not_hold_up_the_exit() -> None:
    seen: list[threading.Thread] = []

    await BlockingCalls().run(lambda: seen.append(threading.current_thread()), 5)

    assert seen[0] is not threading.main_thread()
    assert seen[0].daemon


async def test_what_a_call_raises_is_raised() -> None:
    def fail() -> None:
        raise OSError("no such thing")

    calls = BlockingCalls()
    with pytest.raises(OSError, match="no such thing"):
        await calls.run(fail, 5)
    assert calls.running == 0


async def test_a_call_that_hangs_is_left_and_stalls_no_other() -> None:
    calls, release = BlockingCalls(), threading.Event()
    for _ in range(10):
        with pytest.raises(TimeoutError):
            await calls.run(lambda: release.wait() and None, 0.001)

    assert calls.running == 10
    await calls.run(lambda: None, 5)

    release.set()
