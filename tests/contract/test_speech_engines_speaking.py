"""What every synthesiser must do, run over each one that is installed. See test_speech_engines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import pytest
import pytest_asyncio

from speech_pool.engines.local import LocalSettings
from speech_pool.engines.moonshine import MoonshineModel
from speech_pool.engines.pcm import to_samples
from speech_pool.ports import (
    AudioChunk,
    SpeechProvider,
    SynthesisEvent,
    Synthesizer,
    Voice,
    VoiceNotFound,
    WordBoundary,
)
from tests.support.installed_engines import azure, loaded
from tests.support.scripted_engine import Script, ScriptedProvider
from tests.support.speech_emulator import VOICES
from tests.support.spoken_clips import word_error_rate
from tests.support.tonetext import decode

pytestmark = pytest.mark.asyncio(loop_scope="module")

TEXT = "Thank you for calling, Your balance is ready. Can I help with anything else?"


@dataclass(frozen=True, slots=True)
class Speaking:
    """A provider that speaks, and who listens to it."""

    provider: SpeechProvider
    listen: Callable[[bytes], str]
    error_rate: float
    """Of its listener, with this voice."""


@pytest_asyncio.fixture(
    scope="module",
    loop_scope="module",
    params=[("scripted", 0.0), ("azure", 0.0), ("hibari", 0.2), ("piper", 0.3), ("espeak", 0.6)],
    ids=lambda param: param[0],
)
async def speaking(request: pytest.FixtureRequest) -> AsyncIterator[Speaking]:
    name, error_rate = request.param
    if name == "scripted":
        yield Speaking(ScriptedProvider(Script()), lambda pcm: decode(pcm, 16_000), error_rate)
        return
    if name == "azure":
        async with azure(voices=VOICES) as (emulated, _):
            yield Speaking(emulated, lambda pcm: decode(pcm, 16_000), error_rate)
        return
    provider = await loaded(LocalSettings(synthesizer_engine=name))
    ear = MoonshineModel.load()
    yield Speaking(provider, lambda pcm: ear.transcribe(to_samples(pcm)).text, error_rate)
    await provider.aclose()


@pytest_asyncio.fixture(loop_scope="module")
async def synthesizer(speaking: Speaking) -> AsyncIterator[Synthesizer]:
    client = await speaking.provider.synthesizers.open()
    assert await speaking.provider.synthesizers.warm(client)
    yield client
    await speaking.provider.synthesizers.close(client)


async def speak(
    client: Synthesizer, text: str, hertz: int = 16_000, start: int = 0, voice: str = ""
) -> list[SynthesisEvent]:
    return [event async for event in client.speak(text, Voice(voice), hertz, start)]


def audio(events: list[SynthesisEvent]) -> bytes:
    return b"".join(event.pcm for event in events if isinstance(event, AudioChunk))


async def test_what_is_spoken_is_understood(speaking: Speaking, synthesizer: Synthesizer) -> None:
    events = await speak(synthesizer, TEXT)

    assert word_error_rate([(TEXT, speaking.listen(audio(events)))]) <= speaking.error_rate
    assert all(len(e.pcm) % 2 == 0 and e.pcm for e in events if isinstance(e, AudioChunk))


async def test_audio_comes_in_parts_the_first_long_before_the_end(
    synthesizer: Synthesizer,
) -> None:
    parts = [
        len(event.pcm) for event in await speak(synthesizer, TEXT) if isinstance(event, AudioChunk)
    ]

    assert len(parts) >= 3
    assert parts[0] < sum(parts) / 2


async def test_every_rate_makes_the_same_speech(synthesizer: Synthesizer) -> None:
    seconds = [
        len(audio(await speak(synthesizer, TEXT, hertz))) / 2 / hertz
        for hertz in (8_000, 16_000, 24_000)
    ]

    assert seconds[0] == pytest.approx(seconds[1], rel=0.15)
    assert seconds[2] == pytest.approx(seconds[1], rel=0.15)
    assert 2 < seconds[1] < 12


async def test_every_voice_speaks(speaking: Speaking, synthesizer: Synthesizer) -> None:
    assert speaking.provider.voices
    for voice in speaking.provider.voices:
        assert len(audio(await speak(synthesizer, "Hello there.", voice=voice))) > 8_000


async def test_an_unknown_voice_is_refused_and_the_client_stays_fit(
    synthesizer: Synthesizer,
) -> None:
    with pytest.raises(VoiceNotFound, match="no-such-voice"):
        await speak(synthesizer, TEXT, voice="no-such-voice")

    assert audio(await speak(synthesizer, "Hello."))


@pytest.mark.parametrize(("text", "start"), [("", 0), ("Hello.", 6)])
async def test_no_text_is_no_audio(synthesizer: Synthesizer, text: str, start: int) -> None:
    assert await speak(synthesizer, text, start=start) == []


async def test_speech_begins_at_the_offset(speaking: Speaking, synthesizer: Synthesizer) -> None:
    offset = TEXT.index("Can I")

    rest = audio(await speak(synthesizer, TEXT, start=offset))

    assert len(rest) < len(audio(await speak(synthesizer, TEXT))) / 1.5
    said = TEXT[offset:]
    assert word_error_rate([(said, speaking.listen(rest))]) <= speaking.error_rate


async def test_word_boundaries_if_any_are_those_of_the_words(synthesizer: Synthesizer) -> None:
    offset, sent = TEXT.index("balance"), 0
    for event in await speak(synthesizer, TEXT, start=offset):
        if isinstance(event, AudioChunk):
            sent += len(event.pcm) // 2
            continue
        assert isinstance(event, WordBoundary)
        assert event.text_offset >= offset
        assert TEXT[event.text_offset :][: event.text_length] in TEXT.split()
        assert event.sample >= sent  # sent no later than its audio


async def test_speech_that_is_cancelled_leaves_the_client_fit(
    speaking: Speaking, synthesizer: Synthesizer
) -> None:
    started = asyncio.Event()

    async def talk() -> None:
        async for _ in synthesizer.speak(TEXT * 50, Voice(), 16_000):
            started.set()
            await asyncio.sleep(0)

    talking = asyncio.create_task(talk())
    await started.wait()
    talking.cancel()
    await asyncio.gather(talking, return_exceptions=True)
    assert talking.cancelled()

    assert await speaking.provider.synthesizers.reset(synthesizer)
    spoken = audio(await speak(synthesizer, "Can I help with anything else?"))
    listened = speaking.listen(spoken)
    assert word_error_rate([("Can I help with anything else?", listened)]) <= speaking.error_rate


async def test_two_voices_at_once_do_not_mix(speaking: Speaking, synthesizer: Synthesizer) -> None:
    other = await speaking.provider.synthesizers.open()

    one, two = await asyncio.gather(
        speak(synthesizer, TEXT), speak(other, "Your card is blocked. A new one is on its way.")
    )

    listened = [(TEXT, speaking.listen(audio(one)))]
    listened += [("Your card is blocked. A new one is on its way.", speaking.listen(audio(two)))]
    assert word_error_rate(listened) <= speaking.error_rate
    await speaking.provider.synthesizers.close(other)
