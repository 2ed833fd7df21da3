"""Models that tests can see through: loudness is speech, and words tell which audio they are of."""

from __future__ import annotations

import threading

import numpy as np

from speech_pool.engines.models import HEARING_HERTZ, Hypothesis
from speech_pool.engines.pcm import Samples, to_pcm


def loud(seconds: float, hertz: int = HEARING_HERTZ, level: float = 0.5) -> bytes:
    """PCM that `LoudnessDetector` takes for speech."""
    return to_pcm(np.full(round(seconds * hertz), level, np.float32))


def silence(seconds: float, hertz: int = HEARING_HERTZ) -> bytes:
    return bytes(2 * round(seconds * hertz))


class LoudnessDetector:
    """Voice activity is the mean level of the frame."""

    def probability(self, frame: Samples) -> float:
        return float(np.abs(frame).mean())


class LevelModel:
    """Hears the levels in the audio, in tenths: `5` for 0.5, `5 7` for 0.5 and later 0.7.

    `hold` keeps every transcription in its worker until `release`; `fail` makes the next ones raise.
    """

    name = "level"
    language_code = "en-US"
    gives_interims = True

    def __init__(self) -> None:
        self.durations: list[float] = []
        self.closed = False
        self.fail = False
        self.started = threading.Event()
        self._gate = threading.Event()
        self._gate.set()

    def hold(self) -> None:
        self.started.clear()
        self._gate.clear()

    def release(self) -> None:
        self._gate.set()

    def transcribe(self, samples: Samples) -> Hypothesis:
        self.started.set()
        assert self._gate.wait(20), "nobody released the model"
        if self.fail:
            raise RuntimeError("secret words")
        self.durations.append(len(samples) / HEARING_HERTZ)
        tenths = np.rint(samples * 10).astype(int)
        heard = tenths[np.flatnonzero(np.diff(tenths, prepend=0))]
        return Hypothesis(" ".join(str(level) for level in heard if level), 0.9)

    def close(self) -> None:
        self.closed = True


class LengthModel:
    """Speaks a phrase as a level, 10 ms a character, between silences of 0.2 s."""

    name = "length"
    voices = ("first", "second")
    sample_rate_hertz = 24_000

    def __init__(self) -> None:
        self.rendered: list[tuple[str, str, float]] = []
        self.closed = False
        self.fail = False

    def render(self, phrase: str, voice: str, speed: float) -> Samples:
        if self.fail:
            raise RuntimeError("secret words")
        self.rendered.append((phrase, voice, speed))
        edge = np.zeros(4800, np.float32)
        return np.concatenate([edge, np.full(240 * len(phrase), 0.5, np.float32), edge])

    def close(self) -> None:
        self.closed = True
