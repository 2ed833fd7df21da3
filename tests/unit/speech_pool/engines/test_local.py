"""The local provider: engines chosen by name, clients kept as the pool expects, one closing."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Mapping

import pytest

from speech_pool.engines import local, selection
from speech_pool.engines.local import LocalProvider, LocalSettings
from speech_pool.engines.models import HearingModel, SpeakingModel
from speech_pool.engines.recognizer import SegmentedRecognizer
from speech_pool.ports import (
    AudioChunk,
    ProviderError,
    ProviderUnavailable,
    RecognitionOptions,
    SpeechProvider,
    Tuning,
    Voice,
)
from tests.support.speech_models import LengthModel, LevelModel, LoudnessDetector, loud
from warmpool.factory import Reuse


class _Activity:
    """In the place of Silero."""

    @staticmethod
    def load() -> _Activity:
        return _Activity()

    def stream(self) -> LoudnessDetector:
        return LoudnessDetector()


def missing() -> HearingModel:
    raise ProviderUnavailable("first/model is missing: install it")


@pytest.fixture
def hearing(monkeypatch: pytest.MonkeyPatch) -> LevelModel:
    model = LevelModel()
    engines: Mapping[str, Callable[[], HearingModel]] = {"first": missing, "level": lambda: model}
    monkeypatch.setattr(selection, "HEARING", engines)
    monkeypatch.setattr(local, "SileroModel", _Activity)
    return model


@pytest.fixture
def speaking(monkeypatch: pytest.MonkeyPatch) -> LengthModel:
    model = LengthModel()
    engines: Mapping[str, Callable[[], SpeakingModel]] = {"length": lambda: model}
    monkeypatch.setattr(selection, "SPEAKING", engines)
    return model


@pytest.fixture
async def provider(hearing: LevelModel, speaking: LengthModel) -> AsyncIterator[LocalProvider]:
    provider = LocalProvider()
    await provider.load()
    yield provider
    hearing.release()
    await provider.aclose()


async def test_it_is_a_speech_provider(provider: LocalProvider) -> None:
    port: SpeechProvider = provider

    assert port.name == "local"
    assert port.recognizers.reuse is port.synthesizers.reuse is Reuse.RESET
    assert list(port.voices) == ["first", "second"]


async def test_auto_takes_the_first_that_is_there_and_says_which(
    hearing: LevelModel, speaking: LengthModel, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="speech_pool.engines"):
        assert selection.load_hearing("auto") is hearing

    told = {record.getMessage(): record.__dict__ for record in caplog.records}
    assert told["speech engine not available"]["why"] == "first/model is missing: install it"
    assert told["speech engine chosen"]["engine"] == "level"


async def test_a_named_engine_that_is_missing_is_not_replaced(
    hearing: LevelModel, speaking: LengthModel
) -> None:
    provider = LocalProvider(LocalSettings(recognizer_engine="first"))

    with pytest.raises(ProviderUnavailable, match="first/model is missing: install it"):
        await provider.load()
    await provider.aclose()


def test_when_none_is_there_the_preferred_one_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(selection, "HEARING", {"first": missing, "second": missing})

    with pytest.raises(ProviderUnavailable, match=r"recognizer_engine: first/model is missing"):
        selection.load_hearing("auto")


@pytest.mark.parametrize("load", [selection.load_hearing, selection.load_speaking])
def test_an_engine_that_does_not_exist_is_refused_with_those_that_do(
    load: Callable[[str], object],
) -> None:
    with pytest.raises(ValueError, match=r"must be auto or one of \w+, \w+, \w+, got 'other'"):
        load("other")


async def test_before_loading_no_client_is_given(
    hearing: LevelModel, speaking: LengthModel
) -> None:
    provider = LocalProvider()

    with pytest.raises(ProviderUnavailable, match="load"):
        await provider.recognizers.open()
    with pytest.raises(ProviderUnavailable, match="load"):
        await provider.synthesizers.open()
    await provider.aclose()


async def test_all_clients_share_one_model(provider: LocalProvider, speaking: LengthModel) -> None:
    await provider.load()
    for _ in range(2):
        client = await provider.synthesizers.open()
        assert [event async for event in client.speak("Hi.", Voice(), 16_000)]

    assert len(speaking.rendered) == 2


async def test_a_client_goes_through_its_life_in_the_pool(provider: LocalProvider) -> None:
    factory = provider.recognizers
    client = await factory.open()

    assert await factory.warm(client)
    stream = client.start(RecognitionOptions(16_000))
    with pytest.raises(RuntimeError, match="one at a time"):
        client.start(RecognitionOptions(16_000))
    assert await factory.reset(client)
    assert [event async for event in stream.events()] == []
    assert await factory.check(client)
    client.start(RecognitionOptions(16_000))

    await factory.close(client)
    await factory.close(client)

    assert not await factory.check(client)
    assert not await factory.reset(client)
    with pytest.raises(RuntimeError, match="closed"):
        client.start(RecognitionOptions(16_000))


async def test_a_foreign_client_is_no_good(provider: LocalProvider) -> None:
    foreign = object()

    assert not await provider.recognizers.check(foreign)  # type: ignore[arg-type]
    assert not await provider.recognizers.reset(foreign)  # type: ignore[arg-type]
    await provider.recognizers.close(foreign)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (RecognitionOptions(44_100), r"one of \(8000, 16000, 24000\), got 44100"),
        (RecognitionOptions(16_000, language_codes=("de-DE", "fr-FR")), "asked for de-DE, fr-FR"),
        (
            RecognitionOptions(16_000, tuning=Tuning(endpointing_silence_seconds=60)),
            "0.1 to 10 seconds",
        ),
    ],
)
async def test_options_that_cannot_be_served_are_refused_and_the_client_stays_free(
    provider: LocalProvider, options: RecognitionOptions, message: str
) -> None:
    client = await provider.recognizers.open()

    with pytest.raises(ValueError, match=message):
        client.start(options)

    assert isinstance(client, SegmentedRecognizer)
    client.start(RecognitionOptions(16_000, language_codes=("de-DE", "en-GB")))
    await client.aclose()


async def test_closing_lets_the_models_go_and_ends_what_still_runs(
    provider: LocalProvider, hearing: LevelModel, speaking: LengthModel
) -> None:
    recognizer = await provider.recognizers.open()
    stream = recognizer.start(RecognitionOptions(16_000))

    await provider.aclose()
    await provider.aclose()

    assert hearing.closed
    assert speaking.closed
    stream.write(loud(1))
    with pytest.raises(ProviderError, match="closed"):
        await anext(stream.events())
    await provider.recognizers.close(recognizer)


async def test_audio_is_chunks_of_pcm(provider: LocalProvider) -> None:
    client = await provider.synthesizers.open()

    events = [event async for event in client.speak("Hello there.", Voice(), 16_000)]

    assert all(isinstance(event, AudioChunk) and len(event.pcm) % 2 == 0 for event in events)
