"""One recognition stream: the caller's audio into a session, its signals out as events.

A turn of the service goes on through all utterances. It is ended and begun anew only to listen
differently, and only between utterances; the SDK keeps what is written meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

import numpy as np

from speech_pool.engines.azure.failures import in_use
from speech_pool.engines.azure.service import Link, SpeechResource, lost
from speech_pool.engines.azure.signals import (
    Disconnected,
    Failed,
    Hypothesis,
    Phrase,
    Signal,
    SpeechStarted,
    Trouble,
    TurnEnded,
)
from speech_pool.engines.azure.timeline import Timeline
from speech_pool.engines.endpointing import check_silence
from speech_pool.engines.outbox import Outbox
from speech_pool.engines.pcm import SAMPLE_BYTES, Samples, check_whole, to_pcm, to_samples
from speech_pool.engines.resample import Resampler
from speech_pool.ports import (
    ProviderError,
    RecognitionEvent,
    RecognitionOptions,
    SpeechBegan,
    SpeechEnded,
    Transcript,
    Tuning,
)

if TYPE_CHECKING:
    from speech_pool.engines.azure.sdk import RecognizerSession

HERTZ = 16_000
"""Rate of the audio that is sent."""
DEFAULT_SILENCE_SECONDS = 1.0
"""More than the service waits for where it is told nothing."""
FLUSH_MARGIN_SECONDS = 0.2
"""Silence put in on `flush`, beyond what ends an utterance."""
AUDIBLE = 0.01
"""Mean amplitude above which audio may be speech: 40 dB below full scale."""


class AzureRecognition:
    """One stream. `start` of the recogniser makes it; `aclose` or the end of `events` ends it."""

    def __init__(
        self,
        options: RecognitionOptions,
        session: RecognizerSession,
        resource: SpeechResource,
        link: Link,
    ) -> None:
        self._options = options
        self._session = session
        self._settings = resource.settings
        self._calls = resource.calls
        self._link = link
        self._outbox = Outbox()
        self._resampler = Resampler(options.sample_rate_hertz, HERTZ)
        self._timeline = Timeline(HERTZ, options.sample_rate_hertz, options.first_sample)
        self._tuning = _checked(options.tuning)
        self._applied: Tuning | None = None
        self._speaking = False
        self._finished = False
        self._turn_ended = asyncio.Event()
        self._wanted = asyncio.Event()
        self._unheard_seconds = 0.0
        self._heard_at = asyncio.get_running_loop().time()
        self._driving = asyncio.create_task(self._drive())

    # ------------------------------------------------------------------ the port

    def write(self, pcm: bytes) -> None:
        """Take the next audio. Raises ValueError for half a sample, RuntimeError after `finish`."""
        check_whole(pcm)
        if self._finished:
            raise RuntimeError("the stream was finished: nothing may be written after that")
        if self._outbox.is_closed:
            return
        samples = to_samples(pcm)
        self._send(self._resampler.push(samples))
        self._watch(samples)

    def tune(self, tuning: Tuning) -> None:
        """Listen differently from the next utterance on. Raises ValueError for a silence that the
        service cannot wait for."""
        self._tuning = _checked(tuning)
        self._wanted.set()

    def flush(self) -> None:
        """End the utterance now: the silence that ends it is sent faster than it would pass."""
        wait = self._tuning.endpointing_silence_seconds or DEFAULT_SILENCE_SECONDS
        silence = round((wait + FLUSH_MARGIN_SECONDS) * HERTZ)
        self._timeline.insert(silence)
        self._session.write(bytes(SAMPLE_BYTES * silence))

    def finish(self) -> None:
        """No more audio follows."""
        if not self._finished:
            self._send(self._resampler.flush())
            self._finished = True
            self._wanted.set()

    def events(self) -> AsyncIterator[RecognitionEvent]:
        """What is heard. Raises ProviderError when the service fails."""
        return self._outbox

    async def aclose(self) -> None:
        """Drop the stream. Idempotent. The session is left to whoever closes the client."""
        self._outbox.close()
        self._finished = True
        self._driving.cancel()
        await asyncio.wait([self._driving])

    # ------------------------------------------------------------------ signals

    def take(self, signal: Signal) -> None:
        """Act on a signal of the session."""
        self._heard_at = asyncio.get_running_loop().time()
        self._unheard_seconds = 0.0
        match signal:
            case SpeechStarted(tick):
                self._begin_utterance(tick)
            case Hypothesis(text) if text:
                self._hypothesise(signal)
            case Phrase():
                self._end_utterance(signal)
            case TurnEnded():
                self._turn_ended.set()
            case Failed(trouble):
                self._fail(ProviderError(str(in_use(trouble))))
            case Disconnected() if not self._turn_ended.is_set():
                # The SDK would connect again and replay, and sometimes hang; the caller's side
                # opens a stream on a fresh client sooner.
                self._fail(ProviderError(str(in_use(Trouble.LOST))))

    def _begin_utterance(self, tick: int) -> None:
        if not self._speaking:
            self._speaking = True
            self._outbox.put(SpeechBegan(self._timeline.sample(tick)))

    def _hypothesise(self, heard: Hypothesis) -> None:
        self._begin_utterance(heard.tick)
        if self._options.interim_results:
            self._outbox.put_interim(self._transcript(heard))

    def _end_utterance(self, heard: Phrase) -> None:
        if heard.text:
            self._begin_utterance(heard.tick)
        if self._speaking:
            self._outbox.put(SpeechEnded(self._timeline.sample(heard.tick + heard.ticks)))
        if heard.text:
            self._outbox.put(self._transcript(heard))
        self._speaking = False
        self._wanted.set()

    def _transcript(self, heard: Hypothesis | Phrase) -> Transcript:
        final = isinstance(heard, Phrase)
        languages = self._options.language_codes or self._settings.languages
        return Transcript(
            text=heard.text,
            is_final=final,
            start_sample=self._timeline.sample(heard.tick),
            end_sample=self._timeline.sample(heard.tick + heard.ticks),
            confidence=heard.confidence if isinstance(heard, Phrase) else 0.0,
            language_code=heard.language or languages[0],
        )

    # ------------------------------------------------------------------ turns

    async def _drive(self) -> None:
        try:
            await self._begin_turn()
            await self._until_connected()
            while not self._finished:
                self._wanted.clear()
                await self._wanted.wait()
                if self._tuning != self._applied and not self._speaking and not self._finished:
                    await self._turn_over()
            self._turn_ended.clear()
            self._session.end_audio()
            await self._until_turn_ended()
            self._outbox.end()
        except ProviderError as error:
            self._fail(error)
        except Exception as error:  # the SDK may raise anything; its message may quote the text
            self._fail(ProviderError(f"the Speech SDK failed with {type(error).__name__}"))

    async def _begin_turn(self) -> None:
        if self._options.language_codes and self._applied is None:
            self._session.set_languages(self._options.language_codes)
        self._applied = self._tuning
        self._session.set_phrases(self._tuning.phrases)
        if self._tuning.endpointing_silence_seconds is not None:
            self._session.set_silence(self._tuning.endpointing_silence_seconds)
        self._turn_ended.clear()
        await self._blocking(self._session.begin_turn)

    async def _turn_over(self) -> None:
        self._session.end_turn()
        await self._until_turn_ended()
        await self._blocking(self._session.forget_turn)
        await self._begin_turn()

    async def _until_connected(self) -> None:
        seconds = self._settings.connect_seconds
        if not await self._link.until_up(seconds):
            raise lost("accept a connection", seconds)

    async def _until_turn_ended(self) -> None:
        seconds = self._settings.answer_seconds
        try:
            async with asyncio.timeout(seconds):
                await self._turn_ended.wait()
        except TimeoutError:
            raise lost("finish its answer", seconds) from None

    async def _blocking(self, call: Callable[[], None]) -> None:
        seconds = self._settings.connect_seconds
        try:
            await self._calls.run(call, seconds)
        except TimeoutError:
            raise lost("begin to listen", seconds) from None

    # ------------------------------------------------------------------ audio

    def _send(self, samples: Samples) -> None:
        if len(samples):
            self._timeline.send(len(samples))
            self._session.write(to_pcm(samples))

    def _watch(self, samples: Samples) -> None:
        """Notice a socket on which nothing comes back, although there is something to hear."""
        if not len(samples) or float(np.abs(samples).mean()) < AUDIBLE:
            return
        self._unheard_seconds += len(samples) / self._options.sample_rate_hertz
        limit = self._settings.unheard_seconds
        silent_for = asyncio.get_running_loop().time() - self._heard_at
        if self._unheard_seconds >= limit and silent_for >= limit:
            self._fail(lost("answer to sound", limit))

    def _fail(self, error: ProviderError) -> None:
        self._outbox.fail(error)
        self._finished = True
        self._wanted.set()


def _checked(tuning: Tuning) -> Tuning:
    if tuning.endpointing_silence_seconds is not None:
        check_silence(tuning.endpointing_silence_seconds)
    return tuning
