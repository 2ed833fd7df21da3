"""The scripted engine: at once by default, late or faulty on command."""

from __future__ import annotations

import asyncio
import time

import pytest

from speech_pool.ports import (
    AudioChunk,
    ProviderError,
    ProviderUnavailable,
    Recognition,
    RecognitionEvent,
    RecognitionOptions,
    SpeechProvider,
    SynthesisEvent,
    Transcript,
    Voice,
    WordBoundary,
)
from tests.support.scripted_engine import Script, ScriptedFactory, ScriptedProvider
from tests.support.tonetext import byte_samples, encode

HERTZ = 16_000
OPTIONS = RecognitionOptions(HERTZ)


async def speak(provider: ScriptedProvider, text: str, start: int = 0) -> list[SynthesisEvent]:
    client = await provider.synthesizers.open()
    return [event async for event in client.speak(text, Voice(), HERTZ, start)]


async def start(provider: ScriptedProvider) -> Recognition:
    return (await provider.recognizers.open()).start(OPTIONS)


def finals(events: list[RecognitionEvent]) -> list[str]:
    return [e.text for e in events if isinstance(e, Transcript) and e.is_final]


def write(stream: Recognition, pcm: bytes) -> None:
    for at in range(0, len(pcm), 640):
        stream.write(pcm[at : at + 640])


async def test_it_hears_what_it_says() -> None:
    provider: SpeechProvider = ScriptedProvider(Script())
    assert isinstance(provider, ScriptedProvider)
    events = await speak(provider, "Hello there, Müller!")
    stream = await start(provider)

    write(stream, b"".join(e.pcm for e in events if isinstance(e, AudioChunk)))
    stream.finish()

    assert finals([event async for event in stream.events()]) == ["Hello there, Müller!"]


async def test_word_boundaries_lie_exactly_and_come_before_their_audio() -> None:
    text = "  Grüße an alle"
    events = await speak(ScriptedProvider(Script()), text, 1)

    spoken, audio = 0, b""
    for event in events:
        if isinstance(event, AudioChunk):
            audio += event.pcm
            continue
        assert isinstance(event, WordBoundary)
        assert event.sample * 2 == len(audio)
        word = text[event.text_offset :][: event.text_length]
        before = len(text[1 : event.text_offset].encode())
        assert (word, event.sample) == (text.split()[spoken], before * byte_samples(HERTZ))
        spoken += 1
    assert spoken == 3
    assert audio == encode(text[1:], HERTZ)


async def test_opening_fails_when_told_to() -> None:
    provider = ScriptedProvider(Script(fail_opens=(2,)))

    await provider.recognizers.open()
    with pytest.raises(ProviderError, match="opening 2"):
        await provider.recognizers.open()
    await provider.recognizers.open()

    assert isinstance(provider.recognizers, ScriptedFactory)
    assert provider.recognizers.opened == 3


@pytest.mark.parametrize(
    ("script", "act"),
    [
        (Script(open_delay_seconds=60), "open"),
        (Script(warm_delay_seconds=60), "warm"),
        (Script(first_audio_delay_seconds=60), "speak"),
        (Script(final_delay_seconds=60), "hear"),
        (Script(hang_after_seconds=0.1), "hear"),
        (Script(hang_after_seconds=0.1), "speak to the end"),
    ],
)
async def test_delays_and_hangs_keep_the_caller_waiting(script: Script, act: str) -> None:
    provider = ScriptedProvider(script)

    async def acting() -> None:
        if act == "speak":
            await speak(provider, "now")
            return
        client = await provider.synthesizers.open()
        await provider.synthesizers.warm(client)
        if act == "speak to the end":
            assert await anext(client.speak("Hello there", Voice(), HERTZ))
            await speak(provider, "Hello there")
        if act == "hear":
            stream = await start(provider)
            write(stream, encode("now"))
            stream.finish()
            assert not finals([event async for event in stream.events()])

    task = asyncio.create_task(acting())
    done, _ = await asyncio.wait([task], timeout=0.05)

    assert not done
    task.cancel()


async def test_a_recogniser_dies_in_the_middle_and_is_no_good_after_that() -> None:
    provider = ScriptedProvider(Script(die_after_seconds=0.3))
    client = await provider.recognizers.open()
    stream = client.start(OPTIONS)
    write(stream, encode("a long text that is not heard to its end"))

    with pytest.raises(ProviderError, match="told to die"):
        _ = [event async for event in stream.events()]
    assert not await provider.recognizers.check(client)
    assert not await provider.recognizers.reset(client)


async def test_a_synthesiser_dies_in_the_middle() -> None:
    provider = ScriptedProvider(Script(die_after_seconds=0.3))
    client = await provider.synthesizers.open()
    heard = list[SynthesisEvent]()

    with pytest.raises(ProviderError, match="told to die"):
        async for event in client.speak("Hello there again", Voice(), HERTZ):
            heard.append(event)
    assert heard
    assert not await provider.synthesizers.check(client)


async def test_it_can_be_missing() -> None:
    with pytest.raises(ProviderUnavailable):
        await ScriptedProvider(Script(unavailable=True)).load()
    await ScriptedProvider(Script()).load()


async def test_a_reader_that_gives_up_waiting_misses_nothing() -> None:
    stream = await start(ScriptedProvider(Script()))
    events = stream.events()

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(events), 0.001)
    write(stream, encode("now"))
    stream.finish()

    assert finals([event async for event in events]) == ["now"]


def test_the_script_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOICEMESH_SCRIPTED_OPEN_DELAY_SECONDS", "0.5")
    monkeypatch.setenv("VOICEMESH_SCRIPTED_FAIL_OPENS", "2, 5")
    monkeypatch.setenv("VOICEMESH_SCRIPTED_UNAVAILABLE", "true")

    assert ScriptedProvider().script == Script(
        open_delay_seconds=0.5, fail_opens=(2, 5), unavailable=True
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [("OPEN_DELAY_SECONDS", "soon"), ("FAIL_OPENS", "1;2"), ("UNAVAILABLE", "maybe")],
)
def test_a_script_that_cannot_be_read_is_named(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=f"VOICEMESH_SCRIPTED_{name} cannot be read: '{value}'"):
        Script.from_environment({f"VOICEMESH_SCRIPTED_{name}": value})


async def test_ten_calls_in_real_time_need_little_of_a_core() -> None:
    """Ten calls make 500 frames a second; they are to cost a twentieth of a core at most."""
    provider = ScriptedProvider(Script())
    streams = [await start(provider) for _ in range(10)]
    pcm = encode("What is my balance today, please? " * 3, HERTZ)
    frames = [pcm[at : at + 640] for at in range(0, len(pcm), 640)]

    before = time.process_time()
    for frame in frames:
        for stream in streams:
            stream.write(frame)
    spent = time.process_time() - before

    assert spent < 0.05 * len(frames) * 0.02
