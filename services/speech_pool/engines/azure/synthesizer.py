"""The pooled client that speaks, over a socket that outlives utterances and barge-ins.

One utterance at a time: the next begins when the SDK has said that the last one ended, so that no
late audio of one is heard in another.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator

from speech_pool.engines.azure import ssml
from speech_pool.engines.azure.clients import AzureClient
from speech_pool.engines.azure.failures import in_use
from speech_pool.engines.azure.sdk import SPEAKING_HERTZ, SynthesizerSession
from speech_pool.engines.azure.service import SYNTHESIZER_THREADS, SpeechResource, lost
from speech_pool.engines.azure.signals import (
    MAX_WAITING_BYTES,
    Failed,
    Signal,
    Trouble,
    UtteranceAudio,
    UtteranceEnded,
    UtteranceStarted,
    UtteranceWord,
)
from speech_pool.engines.azure.timeline import TICKS_PER_SECOND
from speech_pool.engines.azure.words import WordFinder
from speech_pool.engines.pcm import SAMPLE_BYTES, Samples, to_pcm, to_samples
from speech_pool.engines.resample import Resampler
from speech_pool.ports import (
    AudioChunk,
    ProviderError,
    SynthesisEvent,
    Voice,
    VoiceNotFound,
    WordBoundary,
)

MIN_HERTZ, MAX_HERTZ = 8_000, 48_000


class _Utterance:
    """What has come of an utterance and was not read yet, and whether it is over."""

    def __init__(self, before: _Utterance | None = None) -> None:
        """`before`: the last one of the session; what still comes of it is not this one's."""
        self.ids: set[str] = set()
        """What the SDK calls it: a new name each time it starts over on a new socket."""
        self.ended = asyncio.Event()
        self.trouble: Trouble | None = None
        self.stopped = False
        self._strangers = frozenset(before.ids) if before else frozenset()
        # The SDK tells words and audio by different threads; a word is to go before its audio.
        self._words: deque[UtteranceWord] = deque()
        self._audio: deque[UtteranceAudio] = deque()
        self._bytes = 0
        self._changed = asyncio.Event()

    def take(self, signal: Signal) -> None:
        """Follow the signals of the session."""
        match signal:
            case UtteranceStarted(id):
                self._is_mine(id)
            case UtteranceAudio(id) if self._is_mine(id) and self._has_room(len(signal.pcm)):
                self._audio.append(signal)
                self._changed.set()
            case UtteranceWord(id) if self._is_mine(id) and self._has_room(len(signal.text)):
                self._words.append(signal)
                self._changed.set()
            case UtteranceEnded(id, stopped) if self._is_mine(id):
                self.stopped = stopped
                self._end()
            case Failed(trouble, id) if self._is_mine(id):
                self._end(trouble)

    def _is_mine(self, id: str) -> bool:
        if id in self._strangers:
            return False
        self.ids.add(id)
        return True

    async def next(self, seconds: float) -> UtteranceAudio | UtteranceWord | None:
        """The next part; None after the last. Raises TimeoutError, or what the trouble is."""
        async with asyncio.timeout(seconds):
            while not (self._words or self._audio or self.ended.is_set()):
                self._changed.clear()
                await self._changed.wait()
        if self._words:
            word = self._words.popleft()
            self._bytes -= len(word.text)
            return word
        if self._audio:
            audio = self._audio.popleft()
            self._bytes -= len(audio.pcm)
            return audio
        if self.trouble is not None:
            raise in_use(self.trouble)
        return None

    def _has_room(self, size: int) -> bool:
        """Whether `size` more may wait to be read; if not, the utterance ends with an error."""
        if not self.ended.is_set() and self._bytes + size > MAX_WAITING_BYTES:
            self._end(Trouble.FAILED)
        if self.ended.is_set():
            return False
        self._bytes += size
        return True

    def _end(self, trouble: Trouble | None = None) -> None:
        self.trouble = self.trouble or trouble
        self.ended.set()
        self._changed.set()


class AzureSynthesizer(AzureClient):
    """Speaks one utterance after another."""

    threads = SYNTHESIZER_THREADS

    def __init__(self, resource: SpeechResource) -> None:
        super().__init__(resource)
        self._synthesizer = SynthesizerSession(resource.config, self._signals.post)
        self._last = _Utterance()
        self._last.ended.set()
        self._unforgotten = False
        self._speaking = False

    @property
    def _session(self) -> SynthesizerSession:
        return self._synthesizer

    async def warm(self) -> bool:
        """Connect. Raises OpenThrottled and ProviderError."""
        settings = self._resource.settings
        self._synthesizer.connect()
        try:
            async with asyncio.timeout(settings.connect_seconds):
                if not await self._link.until_up(settings.reason_after_seconds):
                    await self._ask_for_reason()
        except TimeoutError:
            raise lost("accept a connection", settings.connect_seconds) from None
        if self._link.trouble is not None:
            raise self._resource.opening_error(self._link.trouble)
        self._resource.note_opened()
        return self._link.is_up

    async def _ask_for_reason(self) -> None:
        """A failed connect tells nothing; an utterance without words that needs it, does."""
        pause = ssml.utterance("", Voice(), self._resource.settings.voice)
        await self._utter(pause).ended.wait()

    async def speak(
        self, text: str, voice: Voice, sample_rate_hertz: int, start_offset: int = 0
    ) -> AsyncIterator[SynthesisEvent]:
        """Speak `text` from code point `start_offset` on.

        With the first step raises VoiceNotFound for an unknown voice, ValueError for a style,
        rate, pitch, offset or sample rate that makes no sense; ProviderError when the service fails
        or leaves a gap of `answer_seconds`.
        """
        _check(sample_rate_hertz, start_offset)
        self._check_voice(voice)
        document = ssml.utterance(text[start_offset:], voice, self._resource.settings.voice)
        if not text[start_offset:].strip():
            return
        self._begin()
        try:
            await self._settle()
            spoken = _Spoken(WordFinder(text, start_offset), sample_rate_hertz)
            async for part in self._parts(document, voice):
                for event in spoken.events(part):
                    yield event
            for event in spoken.rest():
                yield event
            await self._settle()
        finally:
            self._leave()

    async def reset(self) -> bool:
        """Wait until a cancelled utterance is over."""
        self._leave()
        try:
            await self._settle()
        except ProviderError:
            return False
        return self.is_fit

    def _hear(self, signal: Signal) -> None:
        self._last.take(signal)

    def _utter(self, document: str) -> _Utterance:
        self._last = _Utterance(self._last)
        self._unforgotten = True
        self._synthesizer.speak(document)
        return self._last

    def _begin(self) -> None:
        self.check_open()
        if self._speaking:
            raise RuntimeError("this client is speaking already: it serves one stream at a time")
        self._speaking = True

    def _leave(self) -> None:
        """Stop what is still spoken; the signal that it ended is waited for later."""
        self._speaking = False
        if self._is_open and not self._last.ended.is_set():
            self._synthesizer.stop()

    async def _settle(self) -> None:
        """Wait for the end of the last utterance. Raises ProviderError where it does not come."""
        seconds = self._resource.settings.answer_seconds
        if not self._unforgotten:
            return
        try:
            async with asyncio.timeout(seconds):
                await self._last.ended.wait()
                self._unforgotten = False
                await self._resource.calls.run(self._synthesizer.forget, seconds)
        except TimeoutError:
            self._link.trouble = Trouble.LOST
            raise lost("stop speaking", seconds) from None

    async def _parts(
        self, document: str, voice: Voice
    ) -> AsyncIterator[UtteranceAudio | UtteranceWord]:
        seconds = self._resource.settings.answer_seconds
        try:
            utterance = self._utter(document)
            first = await utterance.next(seconds)
            if first is None and utterance.stopped:
                # A stop sometimes reaches the utterance after the one that it was meant for.
                await self._settle()
                utterance = self._utter(document)
                first = await utterance.next(seconds)
            part = first
            while part is not None:
                yield part
                part = await utterance.next(seconds)
            if utterance.stopped:
                raise ProviderError("the Speech service stopped speaking unasked")
        except TimeoutError:
            self._link.trouble = Trouble.LOST
            raise lost("go on speaking", seconds) from None
        except VoiceNotFound:
            self._link.trouble = None  # the voice was wrong, not the client
            raise VoiceNotFound(f"the Speech service has no voice {voice.name!r}") from None

    def _check_voice(self, voice: Voice) -> None:
        known = self._resource.settings.voices
        if voice.name and known and voice.name not in known:
            raise VoiceNotFound(f"there is no voice {voice.name!r}; there are: {', '.join(known)}")


class _Spoken:
    """The parts of an utterance as events at the caller's rate."""

    def __init__(self, words: WordFinder, hertz: int) -> None:
        self._words = words
        self._hertz = hertz
        self._resampler = Resampler(SPEAKING_HERTZ, hertz)
        self._odd = b""
        self._sent = 0

    def events(self, part: UtteranceAudio | UtteranceWord) -> list[SynthesisEvent]:
        """What `part` is to the caller; nothing where a word is not found in the text."""
        if isinstance(part, UtteranceAudio):
            return self._audio(self._resampler.push(self._samples(part.pcm)))
        at = self._words.find(part.text)
        if at is None:
            return []
        sample = part.tick * self._hertz // TICKS_PER_SECOND
        return [WordBoundary(at, len(part.text), max(sample, self._sent))]

    def rest(self) -> list[SynthesisEvent]:
        """The last of the audio."""
        return self._audio(self._resampler.flush())

    def _samples(self, pcm: bytes) -> Samples:
        whole = self._odd + pcm
        cut = len(whole) - len(whole) % SAMPLE_BYTES
        self._odd = whole[cut:]
        return to_samples(whole[:cut])

    def _audio(self, samples: Samples) -> list[SynthesisEvent]:
        self._sent += len(samples)
        return [AudioChunk(to_pcm(samples))] if len(samples) else []


def _check(sample_rate_hertz: int, start_offset: int) -> None:
    if not MIN_HERTZ <= sample_rate_hertz <= MAX_HERTZ:
        raise ValueError(
            f"sample rate must be {MIN_HERTZ} to {MAX_HERTZ} Hz, got {sample_rate_hertz}"
        )
    if start_offset < 0:
        raise ValueError(f"start offset must not be negative, got {start_offset}")
