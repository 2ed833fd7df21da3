"""The synthesis stream: phrases in order, trimmed, at the wanted rate, and stopped when closed."""

from __future__ import annotations

from collections.abc import AsyncIterator

import numpy as np
import pytest

from speech_pool.engines.pcm import to_samples
from speech_pool.engines.synthesis import (
    CHUNK_SECONDS,
    CLAUSE_PAUSE_SECONDS,
    LEAD_SECONDS,
    SENTENCE_PAUSE_SECONDS,
    PhrasedSynthesizer,
    chunks,
    pause_after,
    speed_of,
    trimmed,
)
from speech_pool.engines.workers import Workers
from speech_pool.ports import AudioChunk, ProviderError, SynthesisEvent, Voice, VoiceNotFound
from tests.support.speech_models import LengthModel

TEXT = "Of course, it is done. Anything else?"


@pytest.fixture
def model() -> LengthModel:
    return LengthModel()


@pytest.fixture
async def client(model: LengthModel) -> AsyncIterator[PhrasedSynthesizer]:
    workers = Workers(2, 10)
    client = PhrasedSynthesizer(model, workers)
    yield client
    await client.aclose()
    await workers.aclose()


async def audio_of(events: AsyncIterator[SynthesisEvent]) -> list[bytes]:
    return [event.pcm async for event in events if isinstance(event, AudioChunk)]


async def test_phrases_are_rendered_in_order_with_the_default_voice(
    model: LengthModel, client: PhrasedSynthesizer
) -> None:
    await audio_of(client.speak(TEXT, Voice(), 16_000))

    assert model.rendered == [
        ("Of course,", "first", 1.0),
        ("it is done.", "first", 1.0),
        ("Anything else?", "first", 1.0),
    ]


@pytest.mark.parametrize("hertz", [8_000, 16_000, 24_000])
async def test_the_audio_is_as_long_as_the_phrases_with_their_pauses(
    client: PhrasedSynthesizer, hertz: int
) -> None:
    pcm = b"".join(await audio_of(client.speak(TEXT, Voice(), hertz)))

    spoken = 0.01 * len("Of course," + "it is done." + "Anything else?")
    pauses = 3 * LEAD_SECONDS + CLAUSE_PAUSE_SECONDS + SENTENCE_PAUSE_SECONDS
    end = min(SENTENCE_PAUSE_SECONDS, 0.2)  # the model leaves 0.2 s
    middle = min(SENTENCE_PAUSE_SECONDS, 0.2)
    expected = spoken + pauses - SENTENCE_PAUSE_SECONDS + middle + end
    assert len(pcm) / 2 / hertz == pytest.approx(expected, abs=0.002)


async def test_there_is_no_click_where_phrases_and_chunks_join(
    client: PhrasedSynthesizer,
) -> None:
    whole = await audio_of(client.speak(TEXT, Voice(), 24_000))
    converted = await audio_of(client.speak(TEXT, Voice(), 16_000))

    direct, low = (to_samples(b"".join(parts)) for parts in (whole, converted))
    same_places = np.interp(np.arange(len(low)) * 1.5, np.arange(len(direct)), direct)
    flat = np.abs(np.gradient(same_places, 1)) < 1e-6
    flat = np.convolve(flat, np.ones(81), "same") == 81  # away from the edges of the phrases
    assert np.abs(low - same_places)[flat].max() < 0.01


async def test_speech_starts_at_the_offset(model: LengthModel, client: PhrasedSynthesizer) -> None:
    await audio_of(client.speak(TEXT, Voice(), 16_000, TEXT.index("Anything")))

    assert [phrase for phrase, _, _ in model.rendered] == ["Anything else?"]


async def test_voice_and_rate_reach_the_model(
    model: LengthModel, client: PhrasedSynthesizer
) -> None:
    await audio_of(client.speak("Hello.", Voice("second", rate="-4%"), 16_000))

    assert model.rendered == [("Hello.", "second", 0.96)]


async def test_nothing_to_say_is_no_event(model: LengthModel, client: PhrasedSynthesizer) -> None:
    assert await audio_of(client.speak(" ", Voice(), 16_000)) == []
    assert await audio_of(client.speak("text", Voice(), 16_000, 4)) == []
    assert model.rendered == []


async def test_an_unknown_voice_is_named_with_those_that_exist(client: PhrasedSynthesizer) -> None:
    with pytest.raises(VoiceNotFound, match=r"length has no voice 'third'.*first, second"):
        await audio_of(client.speak("Hello.", Voice("third"), 16_000))


@pytest.mark.parametrize(
    ("hertz", "offset", "rate", "message"),
    [
        (4_000, 0, "", "sample rate"),
        (96_000, 0, "", "sample rate"),
        (16_000, -1, "", "offset"),
        (16_000, 0, "fast", "rate must look like"),
    ],
)
async def test_what_makes_no_sense_is_refused(
    client: PhrasedSynthesizer, hertz: int, offset: int, rate: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        await audio_of(client.speak("Hello.", Voice(rate=rate), hertz, offset))
    assert await audio_of(client.speak("Hello.", Voice(), 16_000)) != []


async def test_closing_the_iterator_stops_the_work(
    model: LengthModel, client: PhrasedSynthesizer
) -> None:
    speech = client.speak(TEXT, Voice(), 16_000)
    await anext(speech)

    await speech.aclose()  # type: ignore[attr-defined]  # an async generator

    assert len(model.rendered) == 1
    assert await audio_of(client.speak("Next.", Voice(), 16_000)) != []


async def test_one_stream_at_a_time(client: PhrasedSynthesizer) -> None:
    first = client.speak(TEXT, Voice(), 16_000)
    await anext(first)

    with pytest.raises(RuntimeError, match="one stream at a time"):
        await anext(client.speak(TEXT, Voice(), 16_000))


async def test_reset_ends_the_stream_of_the_last_session(
    model: LengthModel, client: PhrasedSynthesizer
) -> None:
    left_open = client.speak(TEXT, Voice(), 16_000)
    await anext(left_open)

    await client.reset()
    following = client.speak("Next.", Voice(), 16_000)
    await anext(following)

    assert await audio_of(left_open) == []
    with pytest.raises(RuntimeError):  # the old one's end did not free the client of the new one
        await anext(client.speak("Third.", Voice(), 16_000))


async def test_a_closed_client_serves_no_more(client: PhrasedSynthesizer) -> None:
    await client.aclose()
    await client.aclose()

    with pytest.raises(RuntimeError, match="closed"):
        await anext(client.speak("Hello.", Voice(), 16_000))


async def test_a_model_that_fails_is_told_without_the_words(
    model: LengthModel, client: PhrasedSynthesizer
) -> None:
    model.fail = True

    with pytest.raises(ProviderError, match="length failed with RuntimeError") as raised:
        await anext(client.speak("Hello.", Voice(), 16_000))
    assert "secret" not in str(raised.value)


def test_long_audio_comes_in_pieces() -> None:
    pieces = [len(chunk.pcm) / 2 for chunk in chunks(np.zeros(20_000, np.float32), 8_000)]

    assert pieces == [CHUNK_SECONDS * 8_000, CHUNK_SECONDS * 8_000, 4_000]


@pytest.mark.parametrize(
    ("rate", "speed"),
    [("", 1.0), ("-4%", 0.96), ("+12.5%", 1.125), ("-90%", 0.5), ("+300%", 2.0)],
)
def test_rates_are_factors_within_what_is_understood(rate: str, speed: float) -> None:
    assert speed_of(rate) == pytest.approx(speed)


@pytest.mark.parametrize(
    ("phrase", "pause"),
    [
        ("Done.", SENTENCE_PAUSE_SECONDS),
        ('"Done?"', SENTENCE_PAUSE_SECONDS),
        ("Of course,", CLAUSE_PAUSE_SECONDS),
        ("and then", CLAUSE_PAUSE_SECONDS),
        (")", CLAUSE_PAUSE_SECONDS),
    ],
)
def test_the_pause_follows_the_mark(phrase: str, pause: float) -> None:
    assert pause_after(phrase) == pause


def test_silence_around_a_phrase_is_trimmed_and_silence_in_it_is_not() -> None:
    quiet, sound = np.zeros(1_000, np.float32), np.full(500, 0.5, np.float32)

    audio = trimmed(np.concatenate([quiet, sound, quiet, sound, quiet]), 10_000, 0.05)

    assert len(audio) == 200 + 500 + 1_000 + 500 + 500
    assert len(trimmed(quiet, 10_000, 0.05)) == 0
