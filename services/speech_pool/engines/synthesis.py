"""The synthesis stream over any speaking model: phrase by phrase, trimmed, at the wanted rate."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from functools import partial

import numpy as np

from speech_pool.engines.clients import LocalClient
from speech_pool.engines.models import SpeakingModel
from speech_pool.engines.pcm import SAMPLE_BYTES, Samples, to_pcm
from speech_pool.engines.phrasing import Phrase, phrases
from speech_pool.engines.resample import Resampler
from speech_pool.engines.workers import Priority, Workers
from speech_pool.ports import AudioChunk, ProviderError, SynthesisEvent, Voice, VoiceNotFound

CHUNK_SECONDS = 1.0
"""Longest piece of audio in one event."""
LEAD_SECONDS = 0.02
"""Silence kept before a phrase. Voices make a quarter of a second, which a caller would wait."""
SENTENCE_PAUSE_SECONDS = 0.3
CLAUSE_PAUSE_SECONDS = 0.12
AUDIBLE = 0.004
"""Amplitude above which audio counts as sound: 48 dB below full scale."""
SLOWEST, FASTEST = 0.5, 2.0
"""Factors of a voice's own pace at which it is still understood."""
MIN_HERTZ, MAX_HERTZ = 8_000, 48_000

_RATE = re.compile(r"([+-]\d{1,3}(?:\.\d+)?)%")


class PhrasedSynthesizer(LocalClient):
    """A pooled client that speaks. Word boundaries are not known to these models, so none come."""

    def __init__(self, model: SpeakingModel, workers: Workers) -> None:
        super().__init__()
        self._model = model
        self._workers = workers
        self._stream = 0
        self._speaking = False

    async def speak(
        self, text: str, voice: Voice, sample_rate_hertz: int, start_offset: int = 0
    ) -> AsyncIterator[SynthesisEvent]:
        """Speak `text` from code point `start_offset` on, the first clause first.

        Style and pitch of the voice are not in these models and are left aside. With the first
        step raises VoiceNotFound for an unknown voice, ValueError for a rate, offset or sample rate
        that makes no sense; ProviderError when the model fails.
        """
        name = self._voice_name(voice)
        speed = speed_of(voice.rate)
        _check(sample_rate_hertz, start_offset)
        stream = self._begin()
        resampler = Resampler(self._model.sample_rate_hertz, sample_rate_hertz)
        try:
            async for audio in self._render(text, start_offset, name, speed, stream):
                for chunk in chunks(resampler.push(audio), sample_rate_hertz):
                    yield chunk
            if self._stream == stream:
                for chunk in chunks(resampler.flush(), sample_rate_hertz):
                    yield chunk
        finally:
            if self._stream == stream:
                self._speaking = False

    async def reset(self) -> None:
        """End a stream that is still open and forget it."""
        self._stream += 1
        self._speaking = False

    async def _render(
        self, text: str, start_offset: int, voice: str, speed: float, stream: int
    ) -> AsyncIterator[Samples]:
        priority = Priority.ANSWER
        for phrase in phrases(text, start_offset):
            job = partial(self._render_phrase, phrase, voice, speed)
            audio = await self._run(job, priority)
            if self._stream != stream:
                return
            yield audio
            priority = Priority.CONTINUE

    async def _run(self, job: partial[Samples], priority: Priority) -> Samples:
        try:
            return await self._workers.run(job, priority)
        except ProviderError:
            raise
        except Exception as error:  # a model may raise anything; its message may quote the text
            raise ProviderError(f"{self._model.name} failed with {type(error).__name__}") from error

    def _render_phrase(self, phrase: Phrase, voice: str, speed: float) -> Samples:
        audio = self._model.render(phrase.text, voice, speed)
        return trimmed(audio, self._model.sample_rate_hertz, pause_after(phrase.text))

    def _begin(self) -> int:
        self.check_open()
        if self._speaking:
            raise RuntimeError("this client is speaking already: it serves one stream at a time")
        self._speaking = True
        self._stream += 1
        return self._stream

    def _voice_name(self, voice: Voice) -> str:
        name = voice.name or self._model.voices[0]
        if name not in self._model.voices:
            known = ", ".join(self._model.voices)
            raise VoiceNotFound(f"{self._model.name} has no voice {name!r}; it has: {known}")
        return name


def speed_of(rate: str) -> float:
    """A `Voice.rate` such as `-4%` as a factor, held between 0.5 and 2.

    Raises ValueError for anything else.
    """
    if not rate:
        return 1.0
    match = _RATE.fullmatch(rate)
    if not match:
        raise ValueError(f"voice rate must look like -4% or +10%, got {rate!r}")
    return min(max(1.0 + float(match[1]) / 100, SLOWEST), FASTEST)


def pause_after(phrase: str) -> float:
    """Seconds of silence that belong after `phrase`, going by its last mark."""
    sentence = phrase.rstrip("\"'”’)]").endswith((".", "!", "?", "…"))
    return SENTENCE_PAUSE_SECONDS if sentence else CLAUSE_PAUSE_SECONDS


def trimmed(audio: Samples, hertz: int, pause_seconds: float) -> Samples:
    """`audio` with `LEAD_SECONDS` of its silence before it and at most a pause after it."""
    loud = np.flatnonzero(np.abs(audio) > AUDIBLE)
    if not len(loud):
        return audio[:0]
    start = max(0, int(loud[0]) - int(LEAD_SECONDS * hertz))
    return audio[start : int(loud[-1]) + 1 + int(pause_seconds * hertz)]


def chunks(audio: Samples, hertz: int) -> Iterator[AudioChunk]:
    """`audio` in events of at most `CHUNK_SECONDS`."""
    pcm, size = to_pcm(audio), int(CHUNK_SECONDS * hertz) * SAMPLE_BYTES
    for at in range(0, len(pcm), size):
        yield AudioChunk(pcm[at : at + size])


def _check(sample_rate_hertz: int, start_offset: int) -> None:
    if not MIN_HERTZ <= sample_rate_hertz <= MAX_HERTZ:
        raise ValueError(
            f"sample rate must be {MIN_HERTZ} to {MAX_HERTZ} Hz, got {sample_rate_hertz}"
        )
    if start_offset < 0:
        raise ValueError(f"start offset must not be negative, got {start_offset}")
