"""What the streams need of a model that hears or speaks. Models block; workers run them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from speech_pool.engines.pcm import Samples

HEARING_HERTZ = 16_000
"""The rate at which everything that hears works; positions inside the engines count at it."""


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """What one stretch of audio says."""

    text: str
    """Empty: no words."""
    confidence: float
    """0 to 1; 0 where the model cannot tell."""


class HearingModel(Protocol):
    """Turns a stretch of speech into words. Called from several threads at once."""

    name: str
    language_code: str
    """BCP-47 tag of what it hears."""
    gives_interims: bool
    """Whether it is quick enough to be run again and again while an utterance grows."""

    def transcribe(self, samples: Samples) -> Hypothesis:
        """The words of `samples`, at `HEARING_HERTZ`."""
        ...

    def close(self) -> None:
        """Let the model go."""
        ...


class SpeakingModel(Protocol):
    """Turns a phrase into audio. Called from several threads at once."""

    name: str
    sample_rate_hertz: int

    @property
    def voices(self) -> Sequence[str]:
        """Names; the first is the default."""
        ...

    def render(self, phrase: str, voice: str, speed: float) -> Samples:
        """Say `phrase`; `speed` (0.5 to 2) 1.0 is the voice's own. Empty for a phrase without words."""
        ...

    def close(self) -> None:
        """Let the model go."""
        ...
