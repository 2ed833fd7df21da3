"""A speech engine without models, for tests: what is said to it in tones it hears exactly.

`recognise(synthesise(x)) == x` (see `tonetext`). It has the ports of a real engine, costs a few
microseconds a frame, and fails on command. Started by a service as
`tests.support.scripted_engine:ScriptedProvider`; its script then comes from the environment.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Generic, TypeVar

from speech_pool.ports import (
    AudioChunk,
    ProviderError,
    ProviderUnavailable,
    RecognitionEvent,
    RecognitionOptions,
    Recognizer,
    SpeechBegan,
    SpeechEnded,
    SynthesisEvent,
    Synthesizer,
    Transcript,
    Tuning,
    Voice,
    VoiceNotFound,
    WordBoundary,
)
from tests.support.tonetext import (
    BYTE_SECONDS,
    TextBegan,
    TextEnded,
    TextGrew,
    ToneDecoder,
    ToneEvent,
    byte_samples,
    encode,
)
from warmpool.factory import ClientFactory, Reuse

ENVIRONMENT_PREFIX = "VOICEMESH_SCRIPTED_"
MAX_UNREAD_EVENTS = 4096
SAMPLE_RATES_HERTZ = (8_000, 16_000, 24_000)


@dataclass(frozen=True, slots=True)
class Script:
    """How the engine is to behave. The default: at once and without fault."""

    open_delay_seconds: float = 0.0
    """How long `open` takes: what a COLD allocation waits."""
    warm_delay_seconds: float = 0.0
    """How long `warm` takes."""
    fail_opens: tuple[int, ...] = ()
    """Which openings fail, counted from 1 for each kind of client."""
    unavailable: bool = False
    """`load` fails, as with a missing model."""
    final_delay_seconds: float = 0.0
    """Time from the end of a text to its final result."""
    first_audio_delay_seconds: float = 0.0
    """Time from the request to the first audio."""
    silence_seconds: float = 0.06
    """Silence that ends a text without an end mark, where the stream asks for no other."""
    die_after_seconds: float = 0.0
    """A stream fails when this much audio went through it. 0: never."""
    hang_after_seconds: float = 0.0
    """A stream falls silent, without an error, after this much audio. 0: never."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Script:
        """Fields by name, such as `VOICEMESH_SCRIPTED_OPEN_DELAY_SECONDS`; `FAIL_OPENS=2,5`.

        Raises ValueError for a value that does not parse, naming the variable.
        """
        values: dict[str, Any] = {
            field.name: _parsed(name, environment[name], field.default)
            for field in fields(cls)
            if (name := ENVIRONMENT_PREFIX + field.name.upper()) in environment
        }
        return cls(**values)


def _parsed(name: str, text: str, default: object) -> object:
    try:
        match default:
            case bool():
                return {"0": False, "false": False, "1": True, "true": True}[text.lower()]
            case tuple():
                return tuple(int(part) for part in text.split(",") if part.strip())
            case _:
                return float(text)
    except (ValueError, KeyError):
        raise ValueError(f"{name} cannot be read: {text!r}") from None


class ScriptedProvider:
    """The engine, a `SpeechProvider`."""

    name = "scripted"

    def __init__(
        self, script: Script | None = None, voices: Sequence[str] = ("tone", "second")
    ) -> None:
        """`script`: None reads it from the environment of the process."""
        self.script = Script.from_environment(os.environ) if script is None else script
        self.voices: Sequence[str] = tuple(voices)
        self.recognizers: ClientFactory[Recognizer] = ScriptedFactory[Recognizer](
            self.script, lambda: ScriptedRecognizer(self.script)
        )
        self.synthesizers: ClientFactory[Synthesizer] = ScriptedFactory[Synthesizer](
            self.script, lambda: ScriptedSynthesizer(self.script, self.voices)
        )

    async def load(self) -> None:
        """Nothing to load. Raises ProviderUnavailable if the script says so."""
        if self.script.unavailable:
            raise ProviderUnavailable("the scripted engine is told to be unavailable")

    async def aclose(self) -> None:
        """Nothing to let go of."""


T = TypeVar("T")


class ScriptedFactory(Generic[T]):
    """Opens clients as the script says and counts what the pool does with them."""

    reuse = Reuse.RESET

    def __init__(self, script: Script, make: Callable[[], T]) -> None:
        self._script = script
        self._make = make
        self.opened = 0
        self.closed = 0
        self.resets = 0

    async def open(self) -> T:
        self.opened += 1
        turn = self.opened
        await asyncio.sleep(self._script.open_delay_seconds)
        if turn in self._script.fail_opens:
            raise ProviderError(f"opening {turn} is told to fail")
        return self._make()

    async def warm(self, client: T) -> bool:
        await asyncio.sleep(self._script.warm_delay_seconds)
        return await self.check(client)

    def is_fit(self, client: T) -> bool:
        return isinstance(client, ScriptedRecognizer | ScriptedSynthesizer) and client.fit

    async def check(self, client: T) -> bool:
        return self.is_fit(client)

    async def reset(self, client: T) -> bool:
        self.resets += 1
        if isinstance(client, ScriptedRecognizer):
            await client.end_stream()
        return await self.check(client)

    async def close(self, client: T) -> None:
        self.closed += 1
        if isinstance(client, ScriptedRecognizer):
            await client.end_stream()


class ScriptedRecognizer:
    """Hears tones."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._stream: ScriptedRecognition | None = None
        self.fit = True

    def start(self, options: RecognitionOptions) -> ScriptedRecognition:
        if options.sample_rate_hertz not in SAMPLE_RATES_HERTZ:
            raise ValueError(f"sample rate must be one of {SAMPLE_RATES_HERTZ}")
        if self._stream is not None and self._stream.is_open:
            raise RuntimeError("this client hears a stream already")
        self._stream = ScriptedRecognition(options, self._script, self._die)
        return self._stream

    async def end_stream(self) -> None:
        """Drop the stream that the last session left open."""
        if self._stream is not None:
            await self._stream.aclose()

    def _die(self) -> None:
        self.fit = False


class ScriptedRecognition:
    """One stream. Decodes within `write`: there is nothing slow in it."""

    def __init__(
        self, options: RecognitionOptions, script: Script, die: Callable[[], None]
    ) -> None:
        self._options = options
        self._script = script
        self._die = die
        self._decoder = ToneDecoder(options.sample_rate_hertz, script.silence_seconds)
        self._unread = deque[tuple[float, RecognitionEvent | ProviderError | None]]()
        self._changed = asyncio.Event()
        self._heard_samples = 0
        self._text_start = 0
        self._finished = False
        self.is_open = True
        self.tune(options.tuning)

    def write(self, pcm: bytes) -> None:
        if len(pcm) % 2:
            raise ValueError(f"audio must be whole 16-bit samples, got {len(pcm)} bytes")
        if self._finished:
            raise RuntimeError("the stream was finished: nothing may be written after that")
        if not self.is_open:
            return
        self._heard_samples += len(pcm) // 2
        if self._went_past(self._script.die_after_seconds):
            self._put(ProviderError("the scripted engine is told to die"))
            self._die()
            self.is_open = False
        elif not self._hangs:
            self._tell(self._decoder.push(pcm))

    def tune(self, tuning: Tuning) -> None:
        silence = tuning.endpointing_silence_seconds
        if silence is not None:
            if silence <= 0:
                raise ValueError(f"endpointing silence must be above 0, got {silence}")
            self._decoder.silence_seconds = silence

    def flush(self) -> None:
        if not self._hangs:
            self._tell(self._decoder.flush())

    def finish(self) -> None:
        if not self._finished:
            self._finished = True
            self.flush()
            if self.is_open and not self._hangs:
                self._put(None)

    def events(self) -> AsyncIterator[RecognitionEvent]:
        return self

    def __aiter__(self) -> AsyncIterator[RecognitionEvent]:
        return self

    async def __anext__(self) -> RecognitionEvent:
        # Taken only when it is due: a reader that gives up waiting finds it again.
        while not self._unread or (wait := self._unread[0][0] - _now()) > 0:
            self._changed.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), wait if self._unread else None)
        event = self._unread[0][1]
        if event is None:
            self.is_open = False
            raise StopAsyncIteration
        self._unread.popleft()
        if isinstance(event, ProviderError):
            self._put(None)
            raise event
        return event

    async def aclose(self) -> None:
        self.is_open = False
        self._unread.clear()
        self._put(None)

    @property
    def _hangs(self) -> bool:
        return self._went_past(self._script.hang_after_seconds)

    def _went_past(self, seconds: float) -> bool:
        return 0 < seconds * self._options.sample_rate_hertz <= self._heard_samples

    def _put(
        self, event: RecognitionEvent | ProviderError | None, delay_seconds: float = 0.0
    ) -> None:
        assert len(self._unread) < MAX_UNREAD_EVENTS, "nobody reads the events of this stream"
        self._unread.append((_now() + delay_seconds, event))
        self._changed.set()

    def _tell(self, heard: list[ToneEvent]) -> None:
        for event in heard:
            match event:
                case TextBegan(sample):
                    self._text_start = sample
                    self._put(SpeechBegan(self._position(sample)))
                case TextGrew(text, sample) if self._options.interim_results and text.strip():
                    self._put(self._transcript(text.rstrip(), sample))
                case TextEnded(text, _, end):
                    self._put(SpeechEnded(self._position(end)))
                    final = self._transcript(text, end, is_final=True)
                    self._put(final, self._script.final_delay_seconds)

    def _transcript(self, text: str, end: int, *, is_final: bool = False) -> Transcript:
        return Transcript(
            text=text,
            is_final=is_final,
            start_sample=self._position(self._text_start),
            end_sample=self._position(end),
            confidence=1.0 if is_final else 0.0,
            language_code="en-US",
        )

    def _position(self, sample: int) -> int:
        return self._options.first_sample + sample


def _now() -> float:
    return asyncio.get_running_loop().time()


class ScriptedSynthesizer:
    """Speaks in tones, a word at a time; the word boundaries are exact."""

    def __init__(self, script: Script, voices: Sequence[str]) -> None:
        self._script = script
        self._voices = voices
        self.fit = True

    async def speak(
        self, text: str, voice: Voice, sample_rate_hertz: int, start_offset: int = 0
    ) -> AsyncIterator[SynthesisEvent]:
        self._check(voice, sample_rate_hertz, start_offset)
        await asyncio.sleep(self._script.first_audio_delay_seconds)
        place = 0
        for match in _WORD.finditer(text, start_offset):
            await self._fail_on_command(place * BYTE_SECONDS)
            word = match.group()
            if spoken := word.strip():
                start = place * byte_samples(sample_rate_hertz)
                yield WordBoundary(match.start(), len(spoken), start)
            last = match.end() == len(text)
            yield AudioChunk(encode(word, sample_rate_hertz, end=last, place=place))
            place += len(word.encode())

    def _check(self, voice: Voice, sample_rate_hertz: int, start_offset: int) -> None:
        if voice.rate and not voice.rate.endswith("%"):
            raise ValueError(f"voice rate must look like -4%, got {voice.rate!r}")
        if voice.name and voice.name not in self._voices:
            raise VoiceNotFound(f"there is no voice {voice.name!r}")
        if sample_rate_hertz not in SAMPLE_RATES_HERTZ:
            raise ValueError(f"sample rate must be one of {SAMPLE_RATES_HERTZ}")
        if start_offset < 0:
            raise ValueError(f"start offset must not be negative, got {start_offset}")

    async def _fail_on_command(self, spoken_seconds: float) -> None:
        if 0 < self._script.hang_after_seconds <= spoken_seconds:
            await asyncio.Event().wait()
        if 0 < self._script.die_after_seconds <= spoken_seconds:
            self.fit = False
            raise ProviderError("the scripted engine is told to die")


_WORD = re.compile(r"\S+\s*|\s+")
"""A word with the white space after it: together they are the whole text."""
