"""The recognition stream: order, positions, interims, speculation, ends and failures."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from speech_pool.engines import recognition
from speech_pool.engines.endpointing import Endpointing
from speech_pool.engines.recognition import SegmentedRecognition
from speech_pool.engines.recognizer import SegmentedRecognizer
from speech_pool.engines.workers import Workers
from speech_pool.ports import (
    ProviderError,
    RecognitionEvent,
    RecognitionOptions,
    SpeechBegan,
    SpeechEnded,
    Transcript,
    Tuning,
)
from tests.support.speech_models import LevelModel, LoudnessDetector, loud, silence

OPTIONS = RecognitionOptions(16_000)
FRAME_SECONDS = 0.032

Start = Callable[..., SegmentedRecognition]


@pytest.fixture
def model() -> LevelModel:
    return LevelModel()


@asynccontextmanager
async def streams(model: LevelModel) -> AsyncIterator[Start]:
    """Starts streams over `model`, each on a client of its own."""
    workers = Workers(2, 100)
    clients: list[SegmentedRecognizer] = []

    def start(options: RecognitionOptions = OPTIONS, **rules: float) -> SegmentedRecognition:
        client = SegmentedRecognizer(model, LoudnessDetector, workers, Endpointing(**rules))
        clients.append(client)
        return client.start(options)

    try:
        yield start
    finally:
        model.release()
        for client in clients:
            await client.aclose()
        await workers.aclose()


async def read(stream: SegmentedRecognition) -> list[RecognitionEvent]:
    return [event async for event in stream.events()]


async def read_until(stream: SegmentedRecognition, kind: type) -> RecognitionEvent:
    async for event in stream.events():
        if isinstance(event, kind):
            return event
    raise AssertionError(f"the stream ended without {kind.__name__}")


def finals(events: list[RecognitionEvent]) -> list[Transcript]:
    return [event for event in events if isinstance(event, Transcript) and event.is_final]


def interims(events: list[RecognitionEvent]) -> list[Transcript]:
    return [event for event in events if isinstance(event, Transcript) and not event.is_final]


async def said(
    start: Start, pcm: bytes, options: RecognitionOptions = OPTIONS
) -> list[RecognitionEvent]:
    stream = start(options)
    stream.write(pcm)
    stream.finish()
    return await read(stream)


async def test_an_utterance_is_began_ended_and_told_in_this_order(model: LevelModel) -> None:
    async with streams(model) as start:
        events = await said(start, silence(1) + loud(0.4) + silence(1))

    began, ended, final = (event for event in events if event not in interims(events))
    assert isinstance(began, SpeechBegan)
    assert isinstance(ended, SpeechEnded)
    assert isinstance(final, Transcript)
    assert (final.text, final.confidence, final.language_code) == ("5", 0.9, "en-US")
    assert (final.start_sample, final.end_sample) == (began.sample, ended.sample)


@pytest.mark.parametrize("hertz", [8_000, 16_000, 24_000])
async def test_positions_are_the_callers(model: LevelModel, hertz: int) -> None:
    options = RecognitionOptions(hertz, first_sample=1_000_000)
    async with streams(model) as start:
        events = await said(
            start, silence(1, hertz) + loud(0.5, hertz) + silence(1, hertz), options
        )

    (final,) = finals(events)
    margin = FRAME_SECONDS * hertz
    assert final.start_sample == pytest.approx(1_000_000 + hertz, abs=margin)
    assert final.end_sample == pytest.approx(1_000_000 + 1.5 * hertz, abs=margin)


async def test_finals_come_in_the_order_of_speech(model: LevelModel) -> None:
    pcm = b"".join(loud(0.5, level=level / 10) + silence(0.8) for level in (5, 7, 6))
    async with streams(model) as start:
        events = await said(start, pcm)

    assert [final.text for final in finals(events)] == ["5", "7", "6"]


async def test_the_final_is_the_speculation_and_is_not_computed_again(model: LevelModel) -> None:
    async with streams(model) as start:
        await said(start, loud(0.4) + silence(1))

    assert model.durations == [pytest.approx(0.6, abs=0.07)]  # the speech and 0.2 s of silence


async def test_the_speculation_is_ready_before_the_silence_is_over(model: LevelModel) -> None:
    async with streams(model) as start:
        stream = start()
        stream.write(loud(0.4) + silence(0.25))

        interim = await read_until(stream, Transcript)
        assert isinstance(interim, Transcript)
        assert (interim.text, interim.is_final) == ("5", False)

        stream.write(silence(0.4))
        final = await read_until(stream, Transcript)
        assert isinstance(final, Transcript)
        assert final.is_final
    assert len(model.durations) == 1


async def test_speech_after_a_speculation_is_part_of_the_final(model: LevelModel) -> None:
    async with streams(model) as start:
        events = await said(start, loud(0.4) + silence(0.3) + loud(0.4, level=0.7) + silence(1))

    assert [final.text for final in finals(events)] == ["5 7"]


async def test_interims_grow_while_the_caller_speaks(model: LevelModel) -> None:
    async with streams(model) as start:
        stream = start()
        stream.write(loud(0.7))
        first = await read_until(stream, Transcript)
        stream.write(loud(0.6, level=0.7))
        second = await read_until(stream, Transcript)

    assert isinstance(first, Transcript)
    assert isinstance(second, Transcript)
    assert (first.text, first.is_final, first.confidence) == ("5", False, 0.0)
    assert second.text == "5 7"
    assert second.end_sample > first.end_sample


@pytest.mark.parametrize("of_model", [True, False])
async def test_interims_that_are_not_wanted_are_not_computed(
    model: LevelModel, of_model: bool
) -> None:
    """Not by the caller, or not by a model that is too slow for them."""
    model.gives_interims = not of_model
    options = RecognitionOptions(16_000, interim_results=of_model)
    async with streams(model) as start:
        await said(start, loud(1.5) + silence(1), options)

    assert len(model.durations) == 1


async def test_one_interim_at_a_time(model: LevelModel) -> None:
    async with streams(model) as start:
        model.hold()
        stream = start()
        stream.write(loud(3))
        await read_until(stream, SpeechBegan)
        await asyncio.to_thread(model.started.wait, 20)
        stream.write(silence(0.1))
        stream.finish()
        model.release()
        events = await read(stream)

    # The burst made half a dozen interims due; while the first was held the others were left out.
    assert len(model.durations) == 2
    assert len(finals(events)) == 1


async def test_an_interim_that_comes_late_does_not_follow_the_final(model: LevelModel) -> None:
    async with streams(model) as start:
        model.hold()
        stream = start()
        stream.write(loud(0.7))
        await asyncio.to_thread(model.started.wait, 20)
        stream.write(silence(1))
        await read_until(stream, SpeechEnded)
        model.release()
        final = await read_until(stream, Transcript)

    assert isinstance(final, Transcript)
    assert final.is_final


async def test_flush_ends_the_utterance_at_once(model: LevelModel) -> None:
    async with streams(model) as start:
        stream = start(RecognitionOptions(16_000, interim_results=False))
        stream.write(loud(0.45))
        stream.flush()

        final = await read_until(stream, Transcript)

        stream.write(silence(1) + loud(0.4, level=0.7))
        stream.finish()
        rest = await read(stream)
    assert isinstance(final, Transcript)
    assert (final.text, final.is_final) == ("5", True)
    assert [after.text for after in finals(rest)] == ["7"]


async def test_finish_gives_the_last_final_then_ends(model: LevelModel) -> None:
    async with streams(model) as start:
        events = await said(start, loud(0.5))

    assert [final.text for final in finals(events)] == ["5"]
    assert events[-1] == finals(events)[-1]


async def test_silence_and_noises_have_no_words(model: LevelModel) -> None:
    async with streams(model) as start:
        events = await said(start, silence(2) + loud(0.1) + silence(2) + loud(0.1))

    assert events == []
    assert model.durations == []


async def test_an_utterance_without_words_begins_and_ends_without_transcript(
    model: LevelModel,
) -> None:
    async with streams(model) as start:
        # Loud for the detector; the model hears levels in tenths, rounded: nothing below 0.05.
        stream = start(speech_probability=0.03, silence_probability=0.03)
        stream.write(loud(0.5, level=0.04) + silence(1))
        stream.finish()
        events = await read(stream)

    assert [type(event) for event in events] == [SpeechBegan, SpeechEnded]


async def test_tuning_takes_effect_during_the_stream(model: LevelModel) -> None:
    async with streams(model) as start:
        stream = start(RecognitionOptions(16_000, tuning=Tuning(endpointing_silence_seconds=2)))
        stream.write(loud(0.5) + silence(1) + loud(0.5, level=0.7))
        stream.tune(Tuning(endpointing_silence_seconds=0.3))
        stream.write(silence(0.4) + loud(0.5, level=0.6))
        stream.finish()
        events = await read(stream)

    assert [final.text for final in finals(events)] == ["5 7", "6"]


async def test_two_streams_do_not_mix(model: LevelModel) -> None:
    async with streams(model) as start:
        one, two = start(), start()
        for _ in range(20):
            one.write(loud(0.05, level=0.5))
            two.write(loud(0.05, level=0.7))
            await asyncio.sleep(0)
        one.finish()
        two.finish()
        first, second = await asyncio.gather(read(one), read(two))

    assert [final.text for final in finals(first)] == ["5"]
    assert [final.text for final in finals(second)] == ["7"]


async def test_half_a_sample_is_refused_and_the_stream_goes_on(model: LevelModel) -> None:
    async with streams(model) as start:
        stream = start()
        with pytest.raises(ValueError, match="whole 16-bit samples"):
            stream.write(b"abc")
        stream.write(loud(0.5))
        stream.finish()
        assert len(finals(await read(stream))) == 1


@pytest.mark.parametrize("act", ["write", "flush"])
async def test_nothing_can_be_written_after_finish(model: LevelModel, act: str) -> None:
    async with streams(model) as start:
        stream = start()
        stream.finish()
        stream.finish()
        with pytest.raises(RuntimeError, match="finished"):
            stream.write(b"") if act == "write" else stream.flush()


async def test_a_model_that_fails_ends_the_stream_and_quotes_nothing(model: LevelModel) -> None:
    model.fail = True
    async with streams(model) as start:
        stream = start(RecognitionOptions(16_000, interim_results=False))
        stream.write(loud(0.5) + silence(1))

        assert isinstance(await read_until(stream, SpeechEnded), SpeechEnded)
        with pytest.raises(ProviderError, match="RuntimeError") as raised:
            await read(stream)
        assert "secret" not in str(raised.value)
        assert not stream.is_open
        stream.write(loud(1))  # what still comes is let go


async def test_an_interim_that_fails_ends_the_stream(model: LevelModel) -> None:
    model.fail = True
    async with streams(model) as start:
        stream = start()
        stream.write(loud(0.7))

        with pytest.raises(ProviderError, match="RuntimeError"):
            await read_until(stream, Transcript)


async def test_a_detector_that_fails_ends_the_stream(
    model: LevelModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: LoudnessDetector, frame: object) -> float:
        raise ZeroDivisionError

    monkeypatch.setattr(LoudnessDetector, "probability", fail)
    async with streams(model) as start:
        stream = start()
        stream.write(loud(1))
        with pytest.raises(ProviderError, match="ZeroDivisionError"):
            await read(stream)


async def test_audio_that_comes_too_fast_ends_the_stream_instead_of_piling_up(
    model: LevelModel,
) -> None:
    async with streams(model) as start:
        stream = start()
        for _ in range(recognition.MAX_BACKLOG_SECONDS + 1):
            stream.write(silence(1))

        with pytest.raises(ProviderError, match="faster than"):
            await read(stream)


async def test_a_burst_within_the_bound_is_heard_whole(model: LevelModel) -> None:
    burst = (loud(0.5) + silence(1.5)) * (recognition.MAX_BACKLOG_SECONDS // 2)
    async with streams(model) as start:
        events = await said(start, burst)

    assert len(finals(events)) == recognition.MAX_BACKLOG_SECONDS // 2


async def test_closing_ends_the_reader_and_drops_the_work(model: LevelModel) -> None:
    async with streams(model) as start:
        model.hold()
        stream = start()
        reading = asyncio.create_task(read(stream))
        stream.write(loud(0.7))
        await asyncio.to_thread(model.started.wait, 20)

        await stream.aclose()
        await stream.aclose()

        assert finals(await reading) == []
        assert not stream.is_open
        assert stream._tasks == set()
