"""Decides where utterances begin and end, from one speech probability per frame. Pure.

    QUIET -- a frame of speech --> STIRRING -- enough of it --> SPEAKING -- silence --> QUIET
                                      |                            |
                                      +-- it was only a noise      +-- too long: cut, go on SPEAKING

Positions are samples at the engines' rate since the first frame. Audio, models, clocks and the
caller's own positions are left to the streams.
"""

from __future__ import annotations

import enum
from collections import deque
from dataclasses import dataclass

FRAME_SAMPLES = 512
"""What one probability speaks for: 32 ms."""
_RATE_HERTZ = 16_000


@dataclass(frozen=True, slots=True)
class Endpointing:
    """How utterances are told apart."""

    silence_seconds: float = 0.5
    """Silence that ends an utterance."""
    speculation_seconds: float = 0.2
    """Silence after which the utterance is recognised in the hope that nothing more comes."""
    min_speech_seconds: float = 0.2
    """Speech that makes an utterance; less is noise and gives nothing."""
    noise_gap_seconds: float = 0.2
    """Silence after which speech too short for an utterance is forgotten."""
    pre_roll_seconds: float = 0.4
    """Audio before the first frame of speech that is recognised with it: soft first sounds."""
    max_utterance_seconds: float = 25.0
    """An utterance longer than this is cut at its quietest place of late."""
    cut_search_seconds: float = 2.0
    """How far back from the limit the quietest place is looked for."""
    interim_seconds: float = 0.5
    """Speech between interim hypotheses."""
    interim_share: float = 0.125
    """Interims also keep this share of the utterance's length between them, as each costs more."""
    speech_probability: float = 0.5
    """A frame this likely begins speech."""
    silence_probability: float = 0.35
    """Speech goes on while frames are this likely; lower than the other, so that it holds."""

    def __post_init__(self) -> None:
        check_silence(self.silence_seconds)
        for name in ("speculation_seconds", "min_speech_seconds", "interim_seconds"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")
        if not 0 < self.silence_probability <= self.speech_probability < 1:
            raise ValueError("need 0 < silence_probability <= speech_probability < 1")
        if self.max_utterance_seconds <= self.cut_search_seconds + self.min_speech_seconds:
            raise ValueError("max_utterance_seconds must exceed the time searched for a cut")


def check_silence(seconds: float) -> None:
    """Raise ValueError unless `seconds` may end an utterance: 0.1 to 10."""
    if not 0.1 <= seconds <= 10:
        raise ValueError(f"endpointing silence must be 0.1 to 10 seconds, got {seconds}")


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of audio: samples `start` to before `end`."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class UtteranceBegan:
    """Speech, not noise: it began at `sample`."""

    sample: int


@dataclass(frozen=True, slots=True)
class Hypothesise:
    """Recognise `clip` now."""

    clip: Span
    speculative: bool
    """Likely the whole utterance: worth keeping for its end. Otherwise only an interim."""


@dataclass(frozen=True, slots=True)
class UtteranceEnded:
    """The utterance is over; its words are those of `clip`."""

    speech: Span
    clip: Span
    """Equals the last speculative clip if no speech came after it."""


Decision = UtteranceBegan | Hypothesise | UtteranceEnded


class _Phase(enum.Enum):
    QUIET = "quiet"
    STIRRING = "stirring"
    SPEAKING = "speaking"


class Endpointer:
    """The state of one stream."""

    def __init__(self, endpointing: Endpointing) -> None:
        self._rules = endpointing
        self._silence_frames = _frames(endpointing.silence_seconds)
        self._recent: deque[float] = deque(maxlen=_frames(endpointing.cut_search_seconds))
        self._position = 0
        self._free_from = 0
        self._be_quiet()

    @property
    def oldest_needed(self) -> int:
        """Samples before this one are not asked for any more."""
        if self._phase is _Phase.QUIET:
            return max(self._free_from, self._position - self._pre_roll)
        return self._clip_start()

    def listen_for(self, silence_seconds: float) -> None:
        """End utterances after this much silence from now on. Raises ValueError outside 0.1-10."""
        check_silence(silence_seconds)
        self._silence_frames = _frames(silence_seconds)

    def feed(self, probability: float) -> list[Decision]:
        """Take the next frame's speech probability."""
        frame_start = self._position
        self._position += FRAME_SAMPLES
        self._recent.append(probability)
        speech = probability >= self._threshold
        if self._phase is _Phase.QUIET:
            if speech:
                self._stir(frame_start)
        elif speech:
            self._hear_speech()
        else:
            self._silent += 1
        return self._decide(speech)

    def flush(self, position: int) -> list[Decision]:
        """End the utterance, if there is one, at `position`; half a frame may be part of it."""
        if self._phase is not _Phase.SPEAKING:
            self._be_quiet()
            return []
        clip = self._speculated or Span(self._clip_start(), position)
        return [self._end(Span(self._start, self._last_speech), clip)]

    # ------------------------------------------------------------------ moves

    def _be_quiet(self) -> None:
        self._phase = _Phase.QUIET
        self._threshold = self._rules.speech_probability
        self._speculated: Span | None = None

    def _stir(self, start: int) -> None:
        self._phase = _Phase.STIRRING
        self._threshold = self._rules.silence_probability
        self._start = start
        self._voiced = 0
        self._hear_speech()

    def _hear_speech(self) -> None:
        self._voiced += 1
        self._silent = 0
        self._last_speech = self._position
        self._speculated = None

    def _decide(self, speech: bool) -> list[Decision]:
        if self._phase is _Phase.STIRRING:
            return self._confirm_or_forget()
        if self._phase is _Phase.SPEAKING:
            return self._go_on() if speech else self._wait_for_more()
        return []

    def _confirm_or_forget(self) -> list[Decision]:
        if self._voiced >= _frames(self._rules.min_speech_seconds):
            self._phase = _Phase.SPEAKING
            self._last_interim = self._start
            return [UtteranceBegan(self._start)]
        if self._silent >= _frames(self._rules.noise_gap_seconds):
            self._be_quiet()
        return []

    def _go_on(self) -> list[Decision]:
        length = self._position - self._start
        if length >= self._rules.max_utterance_seconds * _RATE_HERTZ:
            return self._cut()
        pause = max(self._rules.interim_seconds * _RATE_HERTZ, length * self._rules.interim_share)
        if self._position - self._last_interim < pause:
            return []
        self._last_interim = self._position
        return [Hypothesise(Span(self._clip_start(), self._position), speculative=False)]

    def _wait_for_more(self) -> list[Decision]:
        decisions: list[Decision] = []
        over = self._silent >= self._silence_frames
        if self._speculated is None and (over or self._silent >= self._speculation_frames):
            self._speculated = Span(self._clip_start(), self._position)
            decisions.append(Hypothesise(self._speculated, speculative=True))
        if over and self._speculated:
            decisions.append(self._end(Span(self._start, self._last_speech), self._speculated))
        return decisions

    def _end(self, speech: Span, clip: Span) -> UtteranceEnded:
        self._free_from = max(speech.end, clip.end)
        self._be_quiet()
        return UtteranceEnded(speech, clip)

    def _cut(self) -> list[Decision]:
        """End in the middle of speech; what follows the cut is the next utterance."""
        cut = self._position - FRAME_SAMPLES * self._frames_since_quietest()
        ended = UtteranceEnded(Span(self._start, cut), Span(self._clip_start(), cut))
        self._free_from = cut
        self._start = self._last_interim = cut
        self._recent.clear()
        return [ended, UtteranceBegan(cut)]

    def _frames_since_quietest(self) -> int:
        quietest = min(range(len(self._recent)), key=self._recent.__getitem__)
        return len(self._recent) - 1 - quietest

    # ------------------------------------------------------------------ measures

    @property
    def _pre_roll(self) -> int:
        return int(self._rules.pre_roll_seconds * _RATE_HERTZ)

    @property
    def _speculation_frames(self) -> int:
        return _frames(self._rules.speculation_seconds)

    def _clip_start(self) -> int:
        """Where recognition starts: before the speech, but not in the utterance before it."""
        return max(self._free_from, self._start - self._pre_roll)


def _frames(seconds: float) -> int:
    return max(1, round(seconds * _RATE_HERTZ / FRAME_SAMPLES))
