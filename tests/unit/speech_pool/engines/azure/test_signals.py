"""The crossing from native threads into the event loop."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from speech_pool.engines.azure.signals import (
    SIGNAL_BYTES,
    Connected,
    Failed,
    Signal,
    SignalQueue,
    SpeechStarted,
    Trouble,
    UtteranceAudio,
)


async def test_signals_of_a_thread_come_in_order_on_the_loop() -> None:
    came: list[Signal] = []
    queue = SignalQueue(came.append)

    await asyncio.to_thread(lambda: [queue.post(SpeechStarted(tick)) for tick in range(1000)])
    await asyncio.sleep(0)

    assert came == [SpeechStarted(tick) for tick in range(1000)]


async def test_no_signal_of_many_threads_is_lost() -> None:
    came: list[Signal] = []
    queue = SignalQueue(came.append)

    def post(thread: int) -> None:
        for tick in range(500):
            queue.post(SpeechStarted(thread * 500 + tick))

    with ThreadPoolExecutor(4) as threads:
        await asyncio.gather(
            *(asyncio.get_running_loop().run_in_executor(threads, post, n) for n in range(4))
        )
    await asyncio.sleep(0)

    assert sorted(s.tick for s in came if isinstance(s, SpeechStarted)) == list(range(2000))


async def test_a_loop_that_does_not_keep_up_loses_the_client_and_not_the_memory() -> None:
    came: list[Signal] = []
    queue = SignalQueue(came.append, max_bytes=10 * SIGNAL_BYTES)

    for _ in range(11):
        queue.post(Connected())
    queue.post(UtteranceAudio("one", bytes(10_000)))
    await asyncio.sleep(0)

    assert came == [Failed(Trouble.FAILED)]


async def test_what_was_delivered_makes_room() -> None:
    came: list[Signal] = []
    queue = SignalQueue(came.append, max_bytes=2 * SIGNAL_BYTES)

    for _ in range(5):
        queue.post(Connected())
        await asyncio.sleep(0)

    assert came == [Connected()] * 5


async def test_nothing_is_delivered_after_close() -> None:
    came: list[Signal] = []
    queue = SignalQueue(came.append)
    queue.post(Connected())

    queue.close()
    queue.post(Connected())
    await asyncio.sleep(0)

    assert came == []


async def test_a_loop_that_is_gone_is_no_error_in_the_thread() -> None:
    def make() -> SignalQueue:
        async def inside() -> SignalQueue:
            return SignalQueue(lambda _: None)

        return asyncio.run(inside())

    queue = await asyncio.to_thread(make)
    queue.post(Connected())
