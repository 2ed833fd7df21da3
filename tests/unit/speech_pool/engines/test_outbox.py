"""The outbox: events in order, a bound on what is unread, and ends that are told apart."""

from __future__ import annotations

import asyncio

import pytest

from speech_pool.engines.outbox import MAX_UNREAD_EVENTS, MAX_UNREAD_INTERIMS, Outbox
from speech_pool.ports import ProviderError, RecognitionEvent, SpeechBegan, Transcript


def transcript(text: str, *, is_final: bool = True) -> Transcript:
    return Transcript(text, is_final, 0, 1)


async def read(outbox: Outbox) -> list[RecognitionEvent]:
    return [event async for event in outbox]


def later(future: asyncio.Future[Transcript | None]) -> asyncio.Task[Transcript | None]:
    async def wait() -> Transcript | None:
        return await future

    return asyncio.get_running_loop().create_task(wait())


async def test_what_comes_after_a_final_waits_for_it() -> None:
    outbox, words = Outbox(), asyncio.get_running_loop().create_future()
    outbox.put(SpeechBegan(1))
    outbox.put_later(later(words))
    outbox.put(SpeechBegan(2))
    outbox.end()

    reading = asyncio.create_task(read(outbox))
    await asyncio.sleep(0)
    words.set_result(transcript("words"))

    assert await reading == [SpeechBegan(1), transcript("words"), SpeechBegan(2)]


async def test_a_final_without_words_leaves_no_trace() -> None:
    outbox, words = Outbox(), asyncio.get_running_loop().create_future()
    words.set_result(None)
    outbox.put_later(later(words))
    outbox.end()

    assert await read(outbox) == []


async def test_a_reader_that_gives_up_waiting_misses_nothing() -> None:
    outbox, words = Outbox(), asyncio.get_running_loop().create_future()
    outbox.put_later(later(words))

    for _ in range(2):  # once in the wait for the words, once for any event at all
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(outbox), 0)
    words.set_result(transcript("words"))

    assert await anext(outbox) == transcript("words")


async def test_a_final_that_fails_is_raised_in_its_place() -> None:
    outbox, words = Outbox(), asyncio.get_running_loop().create_future()
    outbox.put(SpeechBegan(1))
    outbox.put_later(later(words))
    outbox.put(SpeechBegan(2))
    words.set_exception(ProviderError("no"))

    assert await anext(outbox) == SpeechBegan(1)
    with pytest.raises(ProviderError, match="no"):
        await anext(outbox)
    assert await read(outbox) == []
    assert outbox.is_closed


async def test_a_failure_comes_after_what_was_heard_before_it() -> None:
    outbox = Outbox()
    outbox.put(SpeechBegan(1))
    outbox.fail(ProviderError("first"))
    outbox.fail(ProviderError("second"))

    assert await anext(outbox) == SpeechBegan(1)
    with pytest.raises(ProviderError, match="first"):
        await anext(outbox)


async def test_a_slow_reader_misses_interims_and_nothing_else() -> None:
    outbox = Outbox()
    for number in range(MAX_UNREAD_INTERIMS + 5):
        outbox.put_interim(transcript(str(number), is_final=False))
    outbox.put(transcript("final"))
    outbox.end()

    events = await read(outbox)

    assert len(events) == MAX_UNREAD_INTERIMS + 1
    assert events[-1] == transcript("final")


async def test_a_reader_that_never_comes_ends_the_stream() -> None:
    outbox = Outbox()
    for number in range(MAX_UNREAD_EVENTS + 1):
        outbox.put(SpeechBegan(number))

    assert outbox.is_closed
    for _ in range(MAX_UNREAD_EVENTS):
        await anext(outbox)
    with pytest.raises(ProviderError, match=f"{MAX_UNREAD_EVENTS} events were not read"):
        await anext(outbox)


async def test_closing_ends_a_reader_that_waits() -> None:
    outbox = Outbox()
    reading = asyncio.create_task(read(outbox))
    await asyncio.sleep(0)

    outbox.close()
    outbox.put(SpeechBegan(1))

    assert await reading == []


async def test_closing_ends_a_reader_that_waits_for_a_final() -> None:
    outbox, words = Outbox(), asyncio.get_running_loop().create_future()
    final = later(words)
    outbox.put_later(final)
    reading = asyncio.create_task(read(outbox))
    await asyncio.sleep(0)

    outbox.close()
    final.cancel()

    assert await reading == []
