"""Listens to one stream: bytes in, endpointing decisions with their audio out.

Everything of a stream that is computed rather than awaited: rate conversion, voice activity,
endpointing and the audio kept for recognition. Blocking, so that it runs in a worker; one job at a
time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from speech_pool.engines.endpointing import (
    FRAME_SAMPLES,
    Decision,
    Endpointer,
    Endpointing,
    Hypothesise,
    Span,
    UtteranceBegan,
    UtteranceEnded,
)
from speech_pool.engines.models import HEARING_HERTZ
from speech_pool.engines.pcm import Samples, to_samples
from speech_pool.engines.resample import Resampler


class SpeechDetector(Protocol):
    """Voice activity of one stream."""

    def probability(self, frame: Samples) -> float:
        """Likelihood of speech in the next frame of `FRAME_SAMPLES`."""
        ...


@dataclass(frozen=True, slots=True)
class Heard:
    """A decision, and the audio that it is about."""

    decision: Decision
    audio: Samples | None = None


class Ear:
    """The state of one stream."""

    def __init__(self, hertz: int, detector: SpeechDetector, endpointing: Endpointing) -> None:
        """`hertz`: rate of the audio that `hear` takes."""
        self._resampler = Resampler(hertz, HEARING_HERTZ)
        self._detector = detector
        self._endpointer = Endpointer(endpointing)
        self._kept = np.zeros(0, np.float32)
        self._kept_from = 0
        self._framed = 0

    def hear(self, pcm: bytes) -> list[Heard]:
        """Take the next audio."""
        self._keep(self._resampler.push(to_samples(pcm)))
        return self._frames()

    def listen_for(self, silence_seconds: float) -> list[Heard]:
        """End utterances after this much silence from now on."""
        self._endpointer.listen_for(silence_seconds)
        return []

    def flush(self) -> list[Heard]:
        """End the utterance now."""
        return self._attach(self._endpointer.flush(self._end))

    def finish(self) -> list[Heard]:
        """No more follows: the rest of the audio, then the end of the utterance."""
        self._keep(self._resampler.flush())
        missing = -(self._end - self._framed) % FRAME_SAMPLES
        end = self._end
        self._keep(np.zeros(missing, np.float32))
        heard = self._frames()
        return heard + self._attach(self._endpointer.flush(end))

    @property
    def _end(self) -> int:
        return self._kept_from + len(self._kept)

    def _keep(self, samples: Samples) -> None:
        self._kept = np.concatenate([self._kept, samples])

    def _frames(self) -> list[Heard]:
        heard: list[Heard] = []
        while self._framed + FRAME_SAMPLES <= self._end:
            frame = self._audio(Span(self._framed, self._framed + FRAME_SAMPLES))
            self._framed += FRAME_SAMPLES
            heard += self._attach(self._endpointer.feed(self._detector.probability(frame)))
        self._forget()
        return heard

    def _attach(self, decisions: list[Decision]) -> list[Heard]:
        return [Heard(decision, self._audio_of(decision)) for decision in decisions]

    def _audio_of(self, decision: Decision) -> Samples | None:
        match decision:
            case Hypothesise(clip=clip) | UtteranceEnded(clip=clip):
                return self._audio(clip).copy()
            case UtteranceBegan():
                return None

    def _audio(self, span: Span) -> Samples:
        return self._kept[span.start - self._kept_from : span.end - self._kept_from]

    def _forget(self) -> None:
        spent = min(self._endpointer.oldest_needed, self._framed) - self._kept_from
        if spent > 0:
            self._kept = self._kept[spent:]
            self._kept_from += spent


Work = Callable[[], list[Heard]]
"""A call of an `Ear`'s method, to be run in a worker."""
