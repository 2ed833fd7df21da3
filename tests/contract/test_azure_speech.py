"""The Azure adapter, with the real SDK, where the service refuses, throttles, breaks or is silent."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio

from speech_pool.engines.azure.provider import AzureProvider
from speech_pool.engines.azure.settings import AzureSettings
from speech_pool.ports import (
    AudioChunk,
    ProviderError,
    Recognition,
    RecognitionEvent,
    RecognitionOptions,
    Recognizer,
    SynthesisEvent,
    Synthesizer,
    Transcript,
    Tuning,
    Voice,
    VoiceNotFound,
    WordBoundary,
)
from tests.support.installed_engines import azure
from tests.support.speech_emulator import KEY, Fault, SpeechEmulator
from tests.support.tonetext import decode, encode
from warmpool import OpenThrottled, WarmPool
from warmpool.factory import ClientFactory

KINDS = ("recognizers", "synthesizers")
ENGLISH = RecognitionOptions(16_000, ("en-US",))


@dataclass(frozen=True, slots=True)
class Service:
    """A loaded provider and the service that it talks to."""

    provider: AzureProvider
    emulator: SpeechEmulator

    def factory(self, kind: str) -> ClientFactory[object]:
        made: ClientFactory[object] = getattr(self.provider, kind)
        return made

    async def recognizer(self) -> Recognizer:
        client = await self.provider.recognizers.open()
        assert await self.provider.recognizers.warm(client)
        return client

    async def synthesizer(self) -> Synthesizer:
        client = await self.provider.synthesizers.open()
        assert await self.provider.synthesizers.warm(client)
        return client


@pytest_asyncio.fixture
async def service() -> AsyncIterator[Service]:
    async with azure(
        connect_seconds=3.0, reason_after_seconds=0.2, answer_seconds=0.5, unheard_seconds=0.2
    ) as (provider, emulator):
        yield Service(provider, emulator)


async def spoken(
    client: Synthesizer, text: str, voice: Voice | None = None
) -> list[SynthesisEvent]:
    return [event async for event in client.speak(text, voice or Voice(), 16_000)]


def words_of(events: list[SynthesisEvent]) -> str:
    return decode(b"".join(event.pcm for event in events if isinstance(event, AudioChunk)), 16_000)


async def read(stream: Recognition) -> list[RecognitionEvent]:
    return [event async for event in stream.events()]


def finals(events: list[RecognitionEvent]) -> list[str]:
    return [event.text for event in events if isinstance(event, Transcript) and event.is_final]


# --------------------------------------------------------------------------- opening


@pytest.mark.parametrize("kind", KINDS)
async def test_a_refused_key_is_said_once(
    service: Service, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    service.emulator.misbehave(Fault(status=401), connections=20)
    factory = service.factory(kind)

    with caplog.at_level(logging.INFO):
        for _ in range(3):
            client = await factory.open()
            with pytest.raises(ProviderError, match="refused the key or token"):
                await factory.warm(client)
            await factory.close(client)

    assert len([r for r in caplog.records if "service refused us" in r.getMessage()]) == 1
    assert KEY not in caplog.text


@pytest.mark.parametrize("kind", KINDS)
async def test_throttling_is_told_to_the_pool_with_a_hint(service: Service, kind: str) -> None:
    service.emulator.misbehave(Fault(status=429, retry_after="3"), connections=20)
    factory = service.factory(kind)
    client = await factory.open()

    with pytest.raises(OpenThrottled) as caught:
        await factory.warm(client)

    assert caught.value.retry_after_seconds == service.provider.settings.throttle_seconds
    assert service.emulator.handshakes <= 5
    await factory.close(client)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_service_that_is_away_is_an_error_of_the_provider(
    service: Service, kind: str
) -> None:
    factory = service.factory(kind)
    await service.emulator.__aexit__()
    client = await factory.open()

    with pytest.raises(ProviderError, match=r"was lost|did not accept a connection"):
        await factory.warm(client)

    assert not await factory.check(client)
    await factory.close(client)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_service_that_accepts_and_says_nothing_is_given_up(kind: str) -> None:
    released = asyncio.Event()

    async def keep_silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await released.wait()
        writer.close()

    server = await asyncio.start_server(keep_silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with azure(
        endpoint=f"http://127.0.0.1:{port}", connect_seconds=0.4, reason_after_seconds=0.2
    ) as (provider, _):
        factory: ClientFactory[object] = getattr(provider, kind)
        client = await factory.open()

        with pytest.raises(ProviderError, match=r"did not accept a connection within 0\.4 s"):
            await factory.warm(client)

        released.set()
        await factory.close(client)
    server.close()


async def test_a_token_of_entra_opens_too() -> None:
    class Credential:
        def get_token(self, *_: object, **__: object) -> object:
            return type("AccessToken", (), {"token": "a-token", "expires_on": 4_000_000_000})()

    async with azure() as (_, emulator):
        emulator.bearer = "a-token"
        provider = AzureProvider(AzureSettings(endpoint=emulator.endpoint), Credential())
        await provider.load()
        client = await provider.synthesizers.open()

        assert await provider.synthesizers.warm(client)
        assert words_of(await spoken(client, "By token.")) == "By token."
        await provider.aclose()


# --------------------------------------------------------------------------- the warm set


@pytest.mark.parametrize("kind", KINDS)
async def test_a_check_asks_nobody_and_knows_a_dead_socket(service: Service, kind: str) -> None:
    factory = service.factory(kind)
    client = await factory.open()
    await factory.warm(client)
    service.emulator.mute()

    assert await factory.check(client)

    service.emulator.drop()
    async with asyncio.timeout(5):
        while await factory.check(client):
            await asyncio.sleep(0)
    assert service.emulator.handshakes == 1
    await factory.close(client)


async def test_a_dead_connection_in_the_warm_set_is_replaced_unnoticed(service: Service) -> None:
    pool = WarmPool(service.provider.synthesizers, name="voices", warm_target=2, max_size=4)
    assert await pool.prepare() == 0
    await service.emulator.until_open(2)
    dead = list(service.emulator.open)

    service.emulator.drop()
    await service.emulator.until_open(0)
    lease = await pool.allocate("a session")
    async with pool.stream(lease.lease_id, session="a session") as client:
        events = await spoken(client, "Nothing happened.")

    assert words_of(events) == "Nothing happened."
    assert service.emulator.open
    assert not any(connection in dead for connection in service.emulator.open)
    await pool.close()
    assert service.provider.sdk_threads == 0


async def test_native_threads_are_counted_bounded_and_ended() -> None:
    def threads() -> int:
        return len(os.listdir("/proc/self/task"))

    async with azure(max_threads=10) as (provider, emulator):
        before = threads()
        clients = [await provider.synthesizers.open() for _ in range(2)]
        for client in clients:
            assert await provider.synthesizers.warm(client)
            await spoken(client, "Hello.")

        assert provider.sdk_threads == 10
        assert threads() - before <= provider.sdk_threads + STARTING
        with pytest.raises(OpenThrottled, match="10 of 10 SDK threads are taken"):
            await provider.recognizers.open()

        for client in clients:
            await provider.synthesizers.close(client)
        assert provider.sdk_threads == 0
        await emulator.until_open(0)


STARTING = 6
"""Worker threads of the adapter itself."""


def test_a_process_that_ends_with_open_sessions_is_not_aborted() -> None:
    pytest.importorskip("azure.cognitiveservices.speech")
    program = """
        import asyncio
        from speech_pool.ports import RecognitionOptions
        from tests.support.installed_engines import azure
        kept = []
        async def main():
            context = azure()
            provider, emulator = await context.__aenter__()
            kept.extend([context, provider])
            for factory in (provider.recognizers, provider.synthesizers):
                kept.append(await factory.open())
                await factory.warm(kept[-1])
            kept.append(kept[2].start(RecognitionOptions(16_000)))
            await emulator.until_turns(0)
        asyncio.run(main())
        print("left")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "left" in done.stdout
    assert done.returncode == 0, done.stderr


# --------------------------------------------------------------------------- hearing


async def test_a_socket_dropped_in_an_utterance_ends_the_stream(service: Service) -> None:
    service.emulator.misbehave(Fault(drop_after_bytes=32_000))
    client = await service.recognizer()
    stream = client.start(ENGLISH)
    stream.write(encode("this will not be heard to its end", end=False))

    with pytest.raises(ProviderError, match="lost"):
        await read(stream)

    assert not await service.provider.recognizers.check(client)
    await service.provider.recognizers.close(client)


async def test_silence_of_the_service_after_the_last_audio_is_noticed(service: Service) -> None:
    service.emulator.misbehave(Fault(silent=True))
    client = await service.recognizer()
    stream = client.start(ENGLISH)
    stream.write(encode("hello"))
    stream.finish()

    with pytest.raises(ProviderError, match=r"did not finish its answer within 0\.5 s"):
        await read(stream)
    await stream.aclose()
    service.emulator.drop()
    await service.provider.recognizers.close(client)


async def test_silence_of_the_service_in_a_call_is_noticed(service: Service) -> None:
    service.emulator.misbehave(Fault(silent=True))
    client = await service.recognizer()
    stream = client.start(ENGLISH)
    reading = asyncio.create_task(read(stream))
    async with asyncio.timeout(5):
        while not reading.done():
            stream.write(encode("x", end=False)[:640])
            await asyncio.sleep(0.02)  # the pace of a call

    with pytest.raises(ProviderError, match=r"did not answer to sound within 0\.2 s"):
        await reading
    await stream.aclose()
    service.emulator.drop()
    await service.emulator.until_open(0)
    await service.provider.recognizers.close(client)


async def test_a_quiet_caller_is_not_taken_for_a_dead_socket(service: Service) -> None:
    client = await service.recognizer()
    stream = client.start(ENGLISH)
    stream.write(bytes(2 * 16_000 * 3))
    stream.write(encode("still here"))
    stream.finish()

    assert finals(await read(stream)) == ["still here"]
    await service.provider.recognizers.close(client)


async def test_throttling_in_a_stream_is_an_error_of_the_provider(service: Service) -> None:
    service.emulator.misbehave(Fault(close_code=4429), connections=10)
    client = await service.recognizer()
    stream = client.start(ENGLISH)
    stream.write(encode("hello"))

    with pytest.raises(ProviderError):
        await read(stream)
    await service.provider.recognizers.close(client)


async def test_what_a_stream_asks_for_reaches_the_service(service: Service) -> None:
    client = await service.recognizer()
    tuning = Tuning(phrases=("Contoso", "Fabrikam"), endpointing_silence_seconds=0.3)
    stream = client.start(RecognitionOptions(16_000, ("fr-FR",), tuning=tuning))
    stream.write(encode("bonjour"))
    stream.finish()
    events = await read(stream)

    (turn,) = service.emulator.turns
    assert turn.language == "fr-FR"
    assert turn.phrases == ["Contoso", "Fabrikam"]
    assert turn.silence_seconds == 0.3
    assert {e.language_code for e in events if isinstance(e, Transcript)} == {"fr-FR"}
    assert service.emulator.handshakes == 1
    await service.provider.recognizers.close(client)


async def test_the_language_that_the_service_finds_is_told(service: Service) -> None:
    service.emulator.detects = "de-DE"
    client = await service.recognizer()
    stream = client.start(RecognitionOptions(16_000, ("en-US", "de-DE")))
    stream.write(encode("guten Tag"))
    stream.finish()
    final = (await read(stream))[-1]

    assert service.emulator.turns[0].languages == ["en-US", "de-DE"]
    assert isinstance(final, Transcript)
    assert final.language_code == "de-DE"
    await service.provider.recognizers.close(client)


async def test_tuning_takes_effect_between_utterances_and_loses_no_audio(
    service: Service,
) -> None:
    client = await service.recognizer()
    stream = client.start(RecognitionOptions(16_000, ("en-US",), interim_results=False))
    events = stream.events()
    first = encode("before")
    stream.write(first)
    heard = [await anext(events) for _ in range(3)]

    stream.tune(Tuning(phrases=("after",), endpointing_silence_seconds=0.2))
    pause = 0
    async with asyncio.timeout(10):
        while len(service.emulator.turns) < 2:
            stream.write(bytes(640))
            pause += 320
            await asyncio.sleep(0.02)  # the pace of a call: a burst would be held back by the SDK
    stream.write(encode("after"))
    stream.finish()
    heard += [event async for event in events]

    assert finals(heard) == ["before", "after"]
    assert service.emulator.turns[1].phrases == ["after"]
    assert service.emulator.turns[1].silence_seconds == 0.2
    last = heard[-1]
    assert isinstance(last, Transcript)
    assert last.start_sample == pytest.approx(len(first) // 2 + pause, abs=1600)
    assert service.emulator.handshakes == 1
    await service.provider.recognizers.close(client)


# --------------------------------------------------------------------------- speaking


async def test_markup_in_a_text_is_spoken_and_not_obeyed(service: Service) -> None:
    client = await service.synthesizer()
    text = """</voice><break time="9s"/> Smith & Sons' "best" <b>offer</b> &amp; ]]> more"""

    events = await spoken(client, text)

    assert words_of(events) == text
    for event in events:
        if isinstance(event, WordBoundary):
            assert text[event.text_offset :][: event.text_length] in text.split()
    await service.provider.synthesizers.close(client)


async def test_how_to_speak_reaches_the_service(service: Service) -> None:
    client = await service.synthesizer()
    voice = Voice("en-US-AndrewMultilingualNeural", style="cheerful", rate="-4%", pitch="+2st")

    await spoken(client, "Hello.", voice)

    (asked,) = service.emulator.asked
    assert (asked.voice, asked.style, asked.rate, asked.pitch) == (
        voice.name,
        voice.style,
        voice.rate,
        voice.pitch,
    )
    await service.provider.synthesizers.close(client)


async def test_a_voice_that_the_service_does_not_know_is_not_found(service: Service) -> None:
    client = await service.synthesizer()

    with pytest.raises(VoiceNotFound, match="en-US-NobodyNeural"):
        await spoken(client, "Hello.", Voice("en-US-NobodyNeural"))

    assert words_of(await spoken(client, "Hello again.")) == "Hello again."
    await service.provider.synthesizers.close(client)


async def test_a_barge_in_keeps_the_socket(service: Service) -> None:
    client = await service.synthesizer()
    events = client.speak("A long sentence that nobody wants to hear. " * 20, Voice(), 16_000)
    while not isinstance(await anext(events), AudioChunk):
        pass

    await events.aclose()  # type: ignore[attr-defined]
    assert await service.provider.synthesizers.reset(client)

    assert words_of(await spoken(client, "Yes?")) == "Yes?"
    assert service.emulator.handshakes == 1
    await service.provider.synthesizers.close(client)


async def test_a_slow_first_byte_is_waited_for_within_the_deadline(service: Service) -> None:
    service.emulator.misbehave(Fault(first_byte_seconds=0.2))
    client = await service.synthesizer()

    assert words_of(await spoken(client, "At last.")) == "At last."
    await service.provider.synthesizers.close(client)


@pytest.mark.parametrize("fault", [Fault(silent=True), Fault(first_byte_seconds=30.0)])
async def test_audio_that_does_not_come_is_given_up(service: Service, fault: Fault) -> None:
    service.emulator.misbehave(fault)
    client = await service.synthesizer()

    with pytest.raises(ProviderError, match=r"did not go on speaking within 0\.5 s"):
        await spoken(client, "Hello?")

    assert not await service.provider.synthesizers.check(client)
    service.emulator.drop()
    await service.provider.synthesizers.close(client)


async def test_a_socket_dropped_in_the_audio_ends_the_utterance(service: Service) -> None:
    service.emulator.misbehave(Fault(drop_after_bytes=60_000), connections=5)
    client = await service.synthesizer()
    came: list[SynthesisEvent] = []

    with pytest.raises(ProviderError):
        async for event in client.speak("This goes on for quite a while. " * 4, Voice(), 16_000):
            came.append(event)

    assert any(isinstance(event, AudioChunk) for event in came)
    await service.provider.synthesizers.close(client)


async def test_a_socket_dropped_before_the_audio_is_made_up_for(service: Service) -> None:
    service.emulator.misbehave(Fault(close_code=1011))
    client = await service.synthesizer()

    assert words_of(await spoken(client, "Here I am.")) == "Here I am."
    assert words_of(await spoken(client, "And here.")) == "And here."
    assert service.emulator.handshakes == 2
    await service.provider.synthesizers.close(client)


async def test_failures_quote_nothing_that_was_said(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    service.emulator.misbehave(Fault(close_code=1011), connections=10)
    client = await service.synthesizer()

    with caplog.at_level(logging.DEBUG), pytest.raises(ProviderError) as caught:
        await spoken(client, "My secret is swordfish.")

    assert "swordfish" not in caplog.text + str(caught.value)
    await service.provider.synthesizers.close(client)


async def test_a_lease_goes_on_with_a_fresh_recogniser_after_a_drop(service: Service) -> None:
    pool = WarmPool(
        service.provider.recognizers,
        name="ears",
        warm_target=1,
        max_size=4,
        discard_on=(ProviderError,),
    )
    await pool.prepare()
    lease = await pool.allocate("a session")
    async with pool.stream(lease.lease_id) as client:
        stream = client.start(ENGLISH)
        stream.write(encode("half of a sen", end=False))
        service.emulator.drop()
        with pytest.raises(ProviderError, match="lost"):
            await read(stream)
        await stream.aclose()

    async with pool.stream(lease.lease_id) as client:
        stream = client.start(ENGLISH)
        stream.write(encode("again from the start"))
        stream.finish()
        assert finals(await read(stream)) == ["again from the start"]
        await stream.aclose()

    await pool.close()
    assert service.provider.sdk_threads == 0
