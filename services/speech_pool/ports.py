"""The speech ports: what an engine offers, so that engines and transports can change behind them.

An engine is a `SpeechProvider`. It makes pooled clients (`Recognizer`, `Synthesizer`) by factories
that `warmpool` drives. A client serves one stream at a time. Positions in the caller's audio are
samples since media start, positions in text are Unicode code points, as everywhere in the mesh.
All audio here is 16-bit little-endian mono PCM.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from warmpool.factory import ClientFactory

# --------------------------------------------------------------------------- hearing


@dataclass(frozen=True, slots=True)
class Tuning:
    """How to listen. May change during a stream; takes effect from the next utterance at the latest."""

    phrases: tuple[str, ...] = ()
    """Words to expect, where the engine can use them."""
    endpointing_silence_seconds: float | None = None
    """Silence that ends an utterance. None: the engine's default."""


@dataclass(frozen=True, slots=True)
class RecognitionOptions:
    """How one recognition stream is to be run."""

    sample_rate_hertz: int
    """8000, 16000 or 24000; the engine converts to its own rate."""
    language_codes: tuple[str, ...] = ()
    """BCP-47 tags; more than one asks for language identification. Empty: the engine's default."""
    interim_results: bool = True
    """Whether hypotheses that may still change are wanted."""
    tuning: Tuning = field(default_factory=Tuning)
    first_sample: int = 0
    """Position of the first sample that will be written."""


@dataclass(frozen=True, slots=True)
class SpeechBegan:
    """The caller began to speak at `sample`."""

    sample: int


@dataclass(frozen=True, slots=True)
class SpeechEnded:
    """The caller stopped speaking at `sample` (known only after a little silence)."""

    sample: int


@dataclass(frozen=True, slots=True)
class Transcript:
    """A hypothesis for one utterance. A final one is never taken back."""

    text: str
    is_final: bool
    start_sample: int
    end_sample: int
    confidence: float = 0.0
    """0 to 1; meaningful on finals only."""
    language_code: str = ""
    end_of_turn_probability: float = 0.0
    """0 to 1, where the engine can tell."""


RecognitionEvent = SpeechBegan | SpeechEnded | Transcript


class Recognition(Protocol):
    """One stream of caller audio being recognised. Writes never wait for the engine: what it cannot
    take in time is bounded by the engine, which ends `events` with an error rather than grow."""

    def write(self, pcm: bytes) -> None:
        """Take the next audio: whole samples. Raises ValueError for half a sample."""
        ...

    def tune(self, tuning: Tuning) -> None:
        """Listen differently from now on."""
        ...

    def flush(self) -> None:
        """End the utterance now, without waiting for silence."""
        ...

    def finish(self) -> None:
        """No more audio follows; the last final comes, then `events` ends."""
        ...

    def events(self) -> AsyncIterator[RecognitionEvent]:
        """What is heard, in order. Raises ProviderError when the engine fails. One reader."""
        ...

    async def aclose(self) -> None:
        """Drop the stream at once. Idempotent."""
        ...


class Recognizer(Protocol):
    """A pooled client that hears."""

    def start(self, options: RecognitionOptions) -> Recognition:
        """Begin a stream. Raises ValueError for options that the engine cannot serve."""
        ...


# --------------------------------------------------------------------------- speaking


@dataclass(frozen=True, slots=True)
class Voice:
    """A speaking voice. Empty fields: the engine's default."""

    name: str = ""
    style: str = ""
    rate: str = ""
    """Relative, such as `-4%`."""
    pitch: str = ""
    """Relative, such as `+2st`."""


@dataclass(frozen=True, slots=True)
class AudioChunk:
    """The next part of the audio, without gaps."""

    pcm: bytes


@dataclass(frozen=True, slots=True)
class WordBoundary:
    """A word of the text starts at `sample` of the segment's audio. Sent no later than its audio."""

    text_offset: int
    text_length: int
    sample: int


SynthesisEvent = AudioChunk | WordBoundary


class Synthesizer(Protocol):
    """A pooled client that speaks."""

    def speak(
        self, text: str, voice: Voice, sample_rate_hertz: int, start_offset: int = 0
    ) -> AsyncIterator[SynthesisEvent]:
        """Speak plain text from code point `start_offset` on, first audio as early as the engine can.

        Offsets of word boundaries count in the whole `text`. Closing the iterator stops the work.
        Raises VoiceNotFound for an unknown voice, ProviderError when the engine fails.
        """
        ...


# --------------------------------------------------------------------------- providers


class SpeechProvider(Protocol):
    """An engine: what the pod is configured to hear and speak with."""

    name: str
    """Such as `local`, `azure`; for logs and statistics."""
    recognizers: ClientFactory[Recognizer]
    synthesizers: ClientFactory[Synthesizer]
    voices: Sequence[str]
    """Names that `Voice.name` may take; the first is the default. Empty: any name is passed on."""

    async def load(self) -> None:
        """Load models or credentials, once per process. Raises ProviderUnavailable with one sentence
        that says what is missing and what to do."""
        ...

    async def aclose(self) -> None:
        """Let go of everything, after all clients are closed."""
        ...


class ProviderError(Exception):
    """The engine failed; the client is to be discarded. The message names no words that were said."""


class ProviderUnavailable(ProviderError):
    """The engine cannot be used at all: a model file or credential is missing."""


class VoiceNotFound(ValueError):
    """The engine has no such voice."""
