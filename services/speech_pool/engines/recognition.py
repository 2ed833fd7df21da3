"""The recognition stream over any hearing model: audio in, what was heard out, in order.

A stream has one task that takes what was written, lets a worker listen to it, and acts on the
decisions. Recognition itself runs beside that task, so that listening never waits for words; a
final keeps its place among the events until its words are there.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Coroutine
from functools import partial
from typing import Any, TypeVar

from speech_pool.engines.ear import Ear, Heard, Work
from speech_pool.engines.endpointing import (
    Hypothesise,
    Span,
    UtteranceBegan,
    UtteranceEnded,
    check_silence,
)
from speech_pool.engines.models import HEARING_HERTZ, HearingModel, Hypothesis
from speech_pool.engines.outbox import Outbox
from speech_pool.engines.pcm import SAMPLE_BYTES, Samples, check_whole
from speech_pool.engines.workers import Priority, Workers, WorkersBusy
from speech_pool.ports import (
    ProviderError,
    RecognitionEvent,
    RecognitionOptions,
    SpeechBegan,
    SpeechEnded,
    Transcript,
    Tuning,
)

T = TypeVar("T")

MAX_BACKLOG_SECONDS = 60
"""Audio written and not yet listened to; more means that the engine cannot keep up."""
_JOB_SECONDS = 2
"""Audio that one worker job listens to, so that a replayed burst does not hold a thread."""


class SegmentedRecognition:
    """One stream. `start` of the recogniser makes it; `aclose` or the end of `events` ends it."""

    def __init__(
        self,
        options: RecognitionOptions,
        ear: Ear,
        model: HearingModel,
        workers: Workers,
    ) -> None:
        self._options = options
        self._ear = ear
        self._model = model
        self._workers = workers
        self._written: deque[bytes | Work] = deque()
        self._backlog_bytes = 0
        self._wake = asyncio.Event()
        self._outbox = Outbox()
        self._finished = False
        self._speech_start = 0
        self._utterance = 0
        self._interim: asyncio.Task[None] | None = None
        self._speculation: tuple[Span, asyncio.Task[Hypothesis]] | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self.tune(options.tuning)
        self._own(self._listen())

    # ------------------------------------------------------------------ the port

    @property
    def is_open(self) -> bool:
        """Whether the stream still holds work or may still give events."""
        return not self._outbox.is_closed

    def write(self, pcm: bytes) -> None:
        """Take the next audio: whole samples. Raises ValueError for half a sample."""
        check_whole(pcm)
        self._refuse_after_finish()
        if not self.is_open:
            return
        self._backlog_bytes += len(pcm)
        if self._backlog_bytes > MAX_BACKLOG_SECONDS * self._bytes_per_second:
            self._outbox.fail(ProviderError("audio came faster than the engine could listen"))
            self._drop_work()
            return
        self._put(pcm)

    def tune(self, tuning: Tuning) -> None:
        """Change the silence that ends an utterance; phrases cannot help these models."""
        silence = tuning.endpointing_silence_seconds
        if silence is not None:
            check_silence(silence)
            self._put(partial(self._ear.listen_for, silence))

    def flush(self) -> None:
        """End the utterance now, without waiting for silence."""
        self._refuse_after_finish()
        self._put(self._ear.flush)

    def finish(self) -> None:
        """No more audio follows. Idempotent."""
        if not self._finished:
            self._finished = True
            self._put(self._ear.finish)

    def events(self) -> AsyncIterator[RecognitionEvent]:
        """What is heard, in order; raises ProviderError when the engine fails. One reader."""
        return self._outbox

    async def aclose(self) -> None:
        """Drop the stream at once. Idempotent."""
        self._outbox.close()
        tasks = self._drop_work()
        await asyncio.gather(*tasks, return_exceptions=True)

    # ------------------------------------------------------------------ listening

    @property
    def _bytes_per_second(self) -> int:
        return self._options.sample_rate_hertz * SAMPLE_BYTES

    def _refuse_after_finish(self) -> None:
        if self._finished:
            raise RuntimeError("the stream was finished: nothing may be written after that")

    def _put(self, item: bytes | Work) -> None:
        if self.is_open:
            self._written.append(item)
            self._wake.set()

    async def _listen(self) -> None:
        try:
            while not (self._finished and not self._written):
                await self._wake.wait()
                self._wake.clear()
                await self._work_off()
            self._outbox.end()
        except Exception as error:  # whatever a model raises ends the stream, not the pod
            self._outbox.fail(_as_provider_error(error))

    async def _work_off(self) -> None:
        while self._written:
            for heard in await self._workers.run(self._next_work(), Priority.LISTEN):
                self._act(heard)

    def _next_work(self) -> Work:
        """The next thing to do in a worker: what was written up to the next command."""
        first = self._written.popleft()
        if not isinstance(first, bytes):
            return first
        parts, size = [first], len(first)
        while self._written and size < _JOB_SECONDS * self._bytes_per_second:
            part = self._written[0]
            if not isinstance(part, bytes):
                break
            self._written.popleft()
            parts.append(part)
            size += len(part)
        self._backlog_bytes -= size
        return partial(self._ear.hear, b"".join(parts))

    # ------------------------------------------------------------------ acting

    def _act(self, heard: Heard) -> None:
        match heard:
            case Heard(UtteranceBegan(sample=sample)):
                self._begin(sample)
            case Heard(Hypothesise(clip=clip, speculative=True), audio) if audio is not None:
                self._speculate(clip, audio)
            case Heard(Hypothesise(clip=clip), audio) if audio is not None:
                self._hypothesise(clip, audio)
            case Heard(UtteranceEnded() as ended, audio) if audio is not None:
                self._end(ended, audio)

    def _begin(self, sample: int) -> None:
        self._utterance += 1
        self._speech_start = sample
        self._outbox.put(SpeechBegan(self._position(sample)))

    def _speculate(self, clip: Span, audio: Samples) -> None:
        self._drop_speculation()
        words = self._own(self._transcribe(audio, Priority.ANSWER))
        self._speculation = (clip, words)
        if self._options.interim_results:
            words.add_done_callback(partial(self._show_speculation, self._utterance, clip))

    def _show_speculation(
        self, utterance: int, clip: Span, words: asyncio.Task[Hypothesis]
    ) -> None:
        if not words.cancelled() and words.exception() is None:
            self._show_interim(utterance, clip, words.result())

    def _drop_speculation(self) -> None:
        if self._speculation:
            self._speculation[1].cancel()
            self._speculation = None

    def _hypothesise(self, clip: Span, audio: Samples) -> None:
        self._drop_speculation()  # the caller went on speaking
        busy = self._interim is not None and not self._interim.done()
        wanted = self._options.interim_results and self._model.gives_interims
        if wanted and not busy:
            self._interim = self._own(self._make_interim(self._utterance, clip, audio))

    async def _make_interim(self, utterance: int, clip: Span, audio: Samples) -> None:
        try:
            words = await self._transcribe(audio, Priority.INTERIM)
        except WorkersBusy:
            return
        except Exception as error:
            self._outbox.fail(_as_provider_error(error))
            return
        self._show_interim(utterance, clip, words)

    def _show_interim(self, utterance: int, clip: Span, words: Hypothesis) -> None:
        if utterance == self._utterance and words.text:
            self._outbox.put_interim(self._transcript(words, Span(self._speech_start, clip.end)))

    def _end(self, ended: UtteranceEnded, audio: Samples) -> None:
        self._outbox.put(SpeechEnded(self._position(ended.speech.end)))
        words = self._words_of(ended.clip, audio)
        self._utterance += 1  # an interim that a worker is busy with is of the past
        if self._interim is not None:
            self._interim.cancel()
        self._outbox.put_later(self._own(self._make_final(words, ended.speech)))

    def _words_of(self, clip: Span, audio: Samples) -> asyncio.Task[Hypothesis]:
        speculation, self._speculation = self._speculation, None
        if speculation:
            if speculation[0] == clip:
                return speculation[1]
            speculation[1].cancel()
        return self._own(self._transcribe(audio, Priority.ANSWER))

    async def _make_final(self, words: asyncio.Task[Hypothesis], speech: Span) -> Transcript | None:
        try:
            hypothesis = await words
        except Exception as error:
            raise _as_provider_error(error) from error
        return self._transcript(hypothesis, speech, is_final=True) if hypothesis.text else None

    # ------------------------------------------------------------------ tasks

    def _own(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._disown)
        return task

    def _disown(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # seen; whoever needed the result has it too

    def _drop_work(self) -> list[asyncio.Task[Any]]:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        self._written.clear()
        self._backlog_bytes = 0
        return tasks

    # ------------------------------------------------------------------ words

    async def _transcribe(self, audio: Samples, priority: Priority) -> Hypothesis:
        return await self._workers.run(partial(self._model.transcribe, audio), priority)

    def _transcript(self, words: Hypothesis, span: Span, *, is_final: bool = False) -> Transcript:
        return Transcript(
            text=words.text,
            is_final=is_final,
            start_sample=self._position(span.start),
            end_sample=self._position(span.end),
            confidence=words.confidence if is_final else 0.0,
            language_code=self._model.language_code,
        )

    def _position(self, sample: int) -> int:
        """A position at the engines' rate as the caller counts it."""
        at = sample * self._options.sample_rate_hertz // HEARING_HERTZ
        return self._options.first_sample + at


def _as_provider_error(error: Exception) -> ProviderError:
    """`error` as the port knows it. Of a foreign error only its type is told: its message may
    quote what was said."""
    if isinstance(error, ProviderError):
        return error
    wrapped = ProviderError(f"recognition failed with {type(error).__name__}")
    wrapped.__cause__ = error
    return wrapped
