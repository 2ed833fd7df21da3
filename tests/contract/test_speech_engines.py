"""What every recogniser must do, run over each one that is installed.

`scripted` is the double of the other suites, so that what they build on it holds for real engines.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import numpy as np
import pytest
import pytest_asyncio

from speech_pool.engines.local import LocalSettings
from speech_pool.engines.pcm import to_pcm
from speech_pool.engines.resample import resample
from speech_pool.ports import (
    Recognition,
    RecognitionEvent,
    RecognitionOptions,
    Recognizer,
    SpeechBegan,
    SpeechEnded,
    SpeechProvider,
    Transcript,
)
from tests.support.installed_engines import azure, loaded
from tests.support.scripted_engine import Script, ScriptedProvider
from tests.support.spoken_clips import FOLDER, read_wav, word_error_rate
from tests.support.tonetext import encode
from warmpool.factory import Reuse

pytestmark = pytest.mark.asyncio(loop_scope="module")

FRAME_SECONDS = 0.02
FIRST, SECOND = "he might even have been made amiable himself", "five five"
_RECORDED = {FIRST: "librivox_0930.wav", SECOND: "cards_004.wav"}


@dataclass(frozen=True, slots=True)
class Hearing:
    """A provider that hears, what to say to it, and what may be expected of it."""

    provider: SpeechProvider
    say: Callable[[str, int], bytes]
    error_rate: float
    gives_interims: bool = True


def recorded(words: str, hertz: int) -> bytes:
    """A person saying the words."""
    samples, rate = read_wav(FOLDER / _RECORDED[words])
    return to_pcm(resample(samples, rate, hertz))


def toned(words: str, hertz: int) -> bytes:
    return encode(words, hertz, end=False)


@pytest_asyncio.fixture(
    scope="module",
    loop_scope="module",
    params=[
        ("scripted", 0.0, True),
        ("azure", 0.0, True),
        ("moonshine", 0.2, True),
        ("whisper", 0.2, False),
        ("pocketsphinx", 0.6, False),
    ],
    ids=lambda param: param[0],
)
async def hearing(request: pytest.FixtureRequest) -> AsyncIterator[Hearing]:
    name, error_rate, gives_interims = request.param
    if name == "scripted":
        yield Hearing(ScriptedProvider(Script()), toned, error_rate)
        return
    if name == "azure":
        async with azure() as (emulated, _):
            yield Hearing(emulated, toned, error_rate)
        return
    provider = await loaded(LocalSettings(recognizer_engine=name))
    yield Hearing(provider, recorded, error_rate, gives_interims)
    await provider.aclose()


@pytest_asyncio.fixture(loop_scope="module")
async def recognizer(hearing: Hearing) -> AsyncIterator[Recognizer]:
    client = await hearing.provider.recognizers.open()
    assert await hearing.provider.recognizers.warm(client)
    yield client
    await hearing.provider.recognizers.close(client)


def silence(seconds: float, hertz: int = 16_000) -> bytes:
    return bytes(2 * round(seconds * hertz))


async def write(stream: Recognition, pcm: bytes, hertz: int = 16_000) -> None:
    size = 2 * round(FRAME_SECONDS * hertz)
    for at in range(0, len(pcm), size):
        stream.write(pcm[at : at + size])
        await asyncio.sleep(0)


async def read(stream: Recognition) -> list[RecognitionEvent]:
    return [event async for event in stream.events()]


async def hear(
    client: Recognizer, pcm: bytes, options: RecognitionOptions | None = None
) -> list[RecognitionEvent]:
    options = options or RecognitionOptions(16_000)
    stream = client.start(options)
    await write(stream, pcm, options.sample_rate_hertz)
    stream.finish()
    events = await read(stream)
    await stream.aclose()
    return events


def transcripts(events: list[RecognitionEvent], *, final: bool) -> list[Transcript]:
    return [e for e in events if isinstance(e, Transcript) and e.is_final is final]


def heard(events: list[RecognitionEvent]) -> str:
    return " ".join(final.text for final in transcripts(events, final=True))


def assert_heard(hearing: Hearing, events: list[RecognitionEvent], words: str) -> None:
    assert word_error_rate([(words, heard(events))]) <= hearing.error_rate


async def test_events_come_in_order(hearing: Hearing, recognizer: Recognizer) -> None:
    pcm = silence(1) + hearing.say(FIRST, 16_000) + silence(1)

    events = await hear(recognizer, pcm)

    kinds = [type(event) for event in events]
    assert kinds[0] is SpeechBegan
    assert kinds[-2:] == [SpeechEnded, Transcript]
    assert set(kinds[1:-2]) <= {Transcript}
    assert [final.is_final for final in transcripts(events, final=True)] == [True]
    assert_heard(hearing, events, FIRST)
    assert 0 <= transcripts(events, final=True)[0].confidence <= 1


@pytest.mark.parametrize("hertz", [8_000, 16_000, 24_000])
async def test_positions_are_those_of_the_audio(
    hearing: Hearing, recognizer: Recognizer, hertz: int
) -> None:
    speech = hearing.say(FIRST, hertz)
    options = RecognitionOptions(hertz, first_sample=700_000)

    events = await hear(recognizer, silence(1, hertz) + speech + silence(1, hertz), options)

    (final,) = transcripts(events, final=True)
    start, end = 700_000 + hertz, 700_000 + hertz + len(speech) // 2
    assert final.start_sample == pytest.approx(start, abs=0.5 * hertz)
    assert final.end_sample == pytest.approx(end, abs=0.5 * hertz)
    assert final.end_sample <= end + hertz
    places = [event.sample for event in events if isinstance(event, SpeechBegan | SpeechEnded)]
    assert places == [final.start_sample, final.end_sample]
    assert_heard(hearing, events, FIRST)


async def test_interims_come_before_the_final_where_the_engine_has_them(
    hearing: Hearing, recognizer: Recognizer
) -> None:
    if not hearing.gives_interims:
        pytest.skip("too slow to be run again and again; its only interim is made in pauses")
    stream = recognizer.start(RecognitionOptions(16_000))
    pcm = hearing.say(FIRST, 16_000)[: 2 * 2 * 16_000]  # in the middle of a word
    await write(stream, pcm)

    events = stream.events()
    async with asyncio.timeout(20):
        while not isinstance(interim := await anext(events), Transcript):
            pass

    assert not interim.is_final
    assert interim.text
    assert interim.start_sample < interim.end_sample <= len(pcm) // 2
    await stream.aclose()


async def test_interims_that_are_not_wanted_do_not_come(
    hearing: Hearing, recognizer: Recognizer
) -> None:
    options = RecognitionOptions(16_000, interim_results=False)

    events = await hear(recognizer, hearing.say(FIRST, 16_000) + silence(1), options)

    assert transcripts(events, final=False) == []
    assert_heard(hearing, events, FIRST)


async def test_finish_in_the_middle_of_speech_gives_the_final(
    hearing: Hearing, recognizer: Recognizer
) -> None:
    events = await hear(recognizer, hearing.say(FIRST, 16_000))

    assert_heard(hearing, events, FIRST)


async def test_flush_gives_the_final_without_silence_and_the_stream_goes_on(
    hearing: Hearing, recognizer: Recognizer
) -> None:
    stream = recognizer.start(RecognitionOptions(16_000))
    await write(stream, hearing.say(FIRST, 16_000))
    stream.flush()

    before = list[RecognitionEvent]()
    async for event in stream.events():
        before.append(event)
        if isinstance(event, Transcript) and event.is_final:
            break
    await write(stream, silence(1) + hearing.say(SECOND, 16_000))
    stream.finish()

    assert_heard(hearing, before, FIRST)
    assert_heard(hearing, await read(stream), SECOND)
    await stream.aclose()


async def test_utterances_are_told_apart(hearing: Hearing, recognizer: Recognizer) -> None:
    pause = silence(1.5)
    pcm = hearing.say(FIRST, 16_000) + pause + hearing.say(SECOND, 16_000) + pause

    events = await hear(recognizer, pcm)

    first, second = transcripts(events, final=True)
    assert first.end_sample < second.start_sample
    assert word_error_rate([(FIRST, first.text), (SECOND, second.text)]) <= hearing.error_rate


@pytest.mark.parametrize("kind", ["silence", "noise", "hum"])
async def test_what_is_no_speech_has_no_transcript(recognizer: Recognizer, kind: str) -> None:
    count = 3 * 16_000
    sound = {
        "silence": np.zeros(count),
        "noise": np.random.default_rng(1).normal(0, 0.1, count),
        "hum": 0.3 * np.sin(2 * np.pi * 50 * np.arange(count) / 16_000),
    }[kind]

    events = await hear(recognizer, to_pcm(sound.astype(np.float32)))

    assert events == []


async def test_a_stream_without_audio_ends(recognizer: Recognizer) -> None:
    assert await hear(recognizer, b"") == []


async def test_closing_in_the_middle_of_speech_ends_the_events(
    hearing: Hearing, recognizer: Recognizer
) -> None:
    stream = recognizer.start(RecognitionOptions(16_000))
    reading = asyncio.create_task(read(stream))
    await write(stream, hearing.say(FIRST, 16_000)[:32_000])

    await stream.aclose()
    await stream.aclose()

    assert transcripts(await reading, final=True) == []


async def test_a_client_that_was_reset_or_took_its_place_remembers_nothing(
    hearing: Hearing, recognizer: Recognizer
) -> None:
    factory = hearing.provider.recognizers
    left_open = recognizer.start(RecognitionOptions(16_000, first_sample=5_000_000))
    await write(left_open, hearing.say(FIRST, 16_000))

    if retires := factory.reuse is Reuse.RETIRE:
        assert not await factory.reset(recognizer)
        recognizer = await factory.open()
    else:
        assert await factory.reset(recognizer)

    events = await hear(recognizer, silence(1) + hearing.say(SECOND, 16_000) + silence(1))
    assert_heard(hearing, events, SECOND)
    (final,) = transcripts(events, final=True)
    assert final.end_sample < 5_000_000
    if retires:
        await factory.close(recognizer)


async def test_two_streams_at_once_do_not_mix(hearing: Hearing, recognizer: Recognizer) -> None:
    other = await hearing.provider.recognizers.open()

    first, second = await asyncio.gather(
        hear(recognizer, hearing.say(FIRST, 16_000) + silence(1)),
        hear(other, silence(0.5) + hearing.say(SECOND, 16_000) + silence(1)),
    )

    assert_heard(hearing, first, FIRST)
    assert_heard(hearing, second, SECOND)
    await hearing.provider.recognizers.close(other)


async def test_a_client_hears_one_stream_at_a_time(
    hearing: Hearing, recognizer: Recognizer
) -> None:
    stream = recognizer.start(RecognitionOptions(16_000))

    with pytest.raises(RuntimeError, match="stream already"):
        recognizer.start(RecognitionOptions(16_000))

    await stream.aclose()
    if hearing.provider.recognizers.reuse is Reuse.RESET:
        await recognizer.start(RecognitionOptions(16_000)).aclose()


async def test_half_a_sample_is_refused(recognizer: Recognizer) -> None:
    stream = recognizer.start(RecognitionOptions(16_000))

    with pytest.raises(ValueError, match="whole 16-bit samples"):
        stream.write(b"abc")
    await stream.aclose()


async def test_nothing_can_be_written_after_finish(recognizer: Recognizer) -> None:
    stream = recognizer.start(RecognitionOptions(16_000))
    stream.finish()

    with pytest.raises(RuntimeError, match="finished"):
        stream.write(silence(0.1))
    await stream.aclose()


async def test_a_sample_rate_that_cannot_be_served_is_refused(recognizer: Recognizer) -> None:
    with pytest.raises(ValueError, match="sample rate must be one of"):
        recognizer.start(RecognitionOptions(44_100))
