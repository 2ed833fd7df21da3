"""When the parts of a turn happened, counted from the moment the caller stopped speaking. Pure.

A turn that no utterance caused has no such moment; the greeting counts from the connecting of the
media, any other from its own start. Times are seconds of one monotonic clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

MARKS = {
    "final": "end_of_speech_to_final_ms",
    "first_token": "to_first_token_ms",
    "first_segment": "to_first_segment_ms",
    "first_audio": "to_first_audio_ms",
    "first_frame": "to_first_frame_ms",
}
"""The moments between mouth and ear, in their order, and where a row has each."""


@dataclass(frozen=True, slots=True)
class UtteranceTimes:
    """When an utterance ended, and when it was known."""

    end_of_speech: float
    """When the last sample of it reached the gateway."""
    accepted: float
    """When its final text came; it goes to the orchestrator at once."""


@dataclass(slots=True)
class TurnTimes:
    """The moments of one turn; None for what did not happen."""

    origin: float
    final: float | None = None
    sent: float | None = None
    """When the utterance went to the orchestrator."""
    first_token_seconds: float | None = None
    """After `sent`, as the orchestrator measured it."""
    first_segment: float | None = None
    first_audio: float | None = None
    first_frame: float | None = None
    last_heard: float | None = None
    """When the newest audio of it ended that the caller heard, whole or cut."""

    def as_milliseconds(self) -> dict[str, float | None]:
        """The row of the timeline table, each from the origin."""
        token = None
        if self.first_token_seconds is not None and self.sent is not None:
            token = self.sent + self.first_token_seconds
        return {
            "end_of_speech_to_final_ms": self._since(self.final),
            "to_first_token_ms": self._since(token),
            "to_first_segment_ms": self._since(self.first_segment),
            "to_first_audio_ms": self._since(self.first_audio),
            "to_first_frame_ms": self._since(self.first_frame),
            "to_last_heard_ms": self._since(self.last_heard),
        }

    def _since(self, moment: float | None) -> float | None:
        return None if moment is None else round((moment - self.origin) * 1000, 2)


def after_utterance(times: UtteranceTimes) -> TurnTimes:
    """The times of a turn that an utterance caused."""
    return TurnTimes(times.end_of_speech, final=times.accepted, sent=times.accepted)


@dataclass(frozen=True, slots=True)
class Part:
    """What a turn waited for, named by the moment that ended the wait; milliseconds."""

    name: str
    begin_ms: float
    """From the turn's origin."""
    ms: float


def parts(row: Mapping[str, float | None]) -> list[Part]:
    """The parts of a row's way from mouth to ear, without gaps or overlap.

    A moment that did not happen has no part: its time is in the next one. A moment that lies after
    a later one counts as that one, since the first token is of another machine's clock.
    """
    known = [(name, value) for name, key in MARKS.items() if (value := row.get(key)) is not None]
    least, ends = float("inf"), []
    for name, value in reversed(known):
        least = min(least, value)
        ends.append((name, max(0.0, least)))
    made, begin = [], 0.0
    for name, end in reversed(ends):
        made.append(Part(name, begin, round(end - begin, 2)))
        begin = end
    return made


def mouth_to_ear_ms(row: Mapping[str, float | None]) -> float | None:
    """From the turn's origin to its first frame; None if none left."""
    return row.get("to_first_frame_ms")
