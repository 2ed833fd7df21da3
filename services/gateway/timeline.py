"""When the parts of a turn happened, counted from the moment the caller stopped speaking. Pure.

A turn that no utterance caused has no such moment; the greeting counts from the connecting of the
media, any other from its own start. Times are seconds of one monotonic clock.
"""

from __future__ import annotations

from dataclasses import dataclass


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
        }

    def _since(self, moment: float | None) -> float | None:
        return None if moment is None else round((moment - self.origin) * 1000, 2)


def after_utterance(times: UtteranceTimes) -> TurnTimes:
    """The times of a turn that an utterance caused."""
    return TurnTimes(times.end_of_speech, final=times.accepted, sent=times.accepted)
