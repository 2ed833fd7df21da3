"""Who has the floor, and what a sound from the caller means for the agent's speech. Pure.

A sound while the agent has the floor holds the agent's speech at once. Words, or a sound that lasts
`confirm_seconds`, make it a barge-in: the turn is cut. A short noise without words does not count:
`resume_seconds` after it ended the agent goes on where it stopped.

The agent has the floor from the start of a turn until its last segment was played, so a caller who
goes on talking while the agent still thinks takes the floor back as well.
Times are seconds of one monotonic clock.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Decision(enum.Enum):
    """What to do with the agent's speech."""

    NOTHING = "nothing"
    HOLD = "hold"
    """Stop playing, keep what was not heard."""
    RESUME = "resume"
    """Go on where it was held."""
    CUT = "cut"
    """The turn is over."""


class _Caller(enum.Enum):
    SILENT = "silent"
    SOUNDING = "sounding"
    """A sound began; no words yet."""
    TRAILING = "trailing"
    """The sound ended; words may still come."""
    SPEAKING = "speaking"
    """Words were heard, or the sound lasted long."""


@dataclass(frozen=True, slots=True)
class BargeIn:
    """How the caller may interrupt."""

    enabled: bool = True
    """False: the agent always says its turn to the end."""
    confirm_seconds: float = 0.5
    """A sound this long counts without words."""
    resume_seconds: float = 0.8
    """After a shorter sound, how long words may still come."""


class TurnTaking:
    """The floor of one call."""

    def __init__(self, barge_in: BargeIn) -> None:
        self._rules = barge_in
        self._agent = False
        self._held = False
        self._caller = _Caller.SILENT
        self._since = 0.0

    @property
    def agent_has_floor(self) -> bool:
        """Whether an agent turn is under way."""
        return self._agent

    @property
    def wake_at(self) -> float | None:
        """When `due` must be asked; None: not without another event."""
        if self._caller is _Caller.SOUNDING:
            return self._since + self._rules.confirm_seconds
        if self._caller is _Caller.TRAILING:
            return self._since + self._rules.resume_seconds
        return None

    def turn_began(self) -> Decision:
        """The agent takes the floor."""
        self._agent = True
        self._held = False
        return Decision.NOTHING if self._caller is _Caller.SILENT else self._hold()

    def turn_over(self) -> None:
        """The agent has said everything, or gave the turn up."""
        self._agent = False
        self._held = False

    def speech_began(self, now: float) -> Decision:
        """The recogniser hears a voice."""
        if self._caller is not _Caller.SPEAKING:
            self._caller, self._since = _Caller.SOUNDING, now
        return self._hold()

    def speech_ended(self, now: float) -> Decision:
        """The recogniser hears no voice any more."""
        if self._caller is _Caller.SOUNDING:
            self._caller, self._since = _Caller.TRAILING, now
        elif self._caller is _Caller.SPEAKING:
            self._caller = _Caller.SILENT
            return self._resume()
        return Decision.NOTHING

    def words(self, *, final: bool) -> Decision:
        """The recogniser has words (not an empty result). A final one ends the utterance."""
        self._caller = _Caller.SILENT if final else _Caller.SPEAKING
        return self._cut()

    def no_words(self) -> Decision:
        """The recogniser's final result is empty: it was a noise."""
        self._caller = _Caller.SILENT
        return self._resume()

    def keyed(self) -> Decision:
        """The caller pressed a key, which is as good as words."""
        return self._cut()

    def due(self, now: float) -> Decision:
        """Time has passed; `wake_at` says when to ask."""
        if self.wake_at is None or now < self.wake_at:
            return Decision.NOTHING
        if self._caller is _Caller.SOUNDING:
            self._caller = _Caller.SPEAKING
            return self._cut()
        self._caller = _Caller.SILENT
        return self._resume()

    def _hold(self) -> Decision:
        if not self._agent or self._held or not self._rules.enabled:
            return Decision.NOTHING
        self._held = True
        return Decision.HOLD

    def _resume(self) -> Decision:
        if not self._held:
            return Decision.NOTHING
        self._held = False
        return Decision.RESUME

    def _cut(self) -> Decision:
        if not self._agent or not self._rules.enabled:
            return Decision.NOTHING
        self.turn_over()
        return Decision.CUT
