"""The agent's turns of one call: which segments were planned, played, cut, and how each turn came out.
Pure.

A turn is finished when its last segment was played or cut and the orchestrator said that nothing
more comes (or cannot say it any more). It is finished once.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway.heard import SpokenText
from gateway.timeline import TurnTimes
from meshkit.names import segment_turn


@dataclass(frozen=True, slots=True)
class ModelUse:
    """Tokens of one model."""

    provider: str
    model: str
    input_tokens: int
    cached_input_tokens: int
    """Of the input tokens, those that were kept from before."""
    output_tokens: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the orchestrator says of a turn."""

    name: str
    """`completed`, `interrupted` or `failed`."""
    failure_reason: str = ""
    model_ms: float | None = None
    tool_ms: float | None = None
    model_usage: tuple[ModelUse, ...] = ()
    unmeasured_answers: int = 0
    """Answers of the model of which nobody knows the tokens."""


@dataclass(slots=True)
class Turn:
    """One agent answer."""

    name: str
    cause: str
    agent: str
    times: TurnTimes
    segments: dict[str, SpokenText] = field(default_factory=dict)
    pending: set[str] = field(default_factory=set)
    """Segments that were not played to their end."""
    outcome: Outcome | None = None
    cut: bool = False
    finished: bool = False
    tiers: dict[str, str] = field(default_factory=dict)
    """How its `recognizer` and `synthesizer` were allocated."""

    def as_event(self) -> dict[str, object]:
        """The data of `turn_finished`, which is also the turn's row in the timeline."""
        outcome = self.outcome or Outcome("completed")
        return {
            "turn": self.name,
            "cause": self.cause,
            "outcome": "interrupted" if self.cut else outcome.name,
            "failure_reason": outcome.failure_reason,
            "recognizer_tier": self.tiers.get("recognizer", ""),
            "synthesizer_tier": self.tiers.get("synthesizer", ""),
            "timeline": self.times.as_milliseconds(),
            "model_ms": outcome.model_ms,
            "tool_ms": outcome.tool_ms,
        }


class Turns:
    """All turns of a call by name; `played` are segments that an earlier leg of it has played."""

    def __init__(self, played: frozenset[str] = frozenset()) -> None:
        self._turns: dict[str, Turn] = {}
        self.played_before = played
        self.current: Turn | None = None

    def begin(self, name: str, cause: str, agent: str, times: TurnTimes) -> Turn:
        """The agent takes the floor. A turn that begins again, after a move, goes on."""
        turn = self._turns.get(name)
        if turn is None:
            turn = self._turns[name] = Turn(name, cause, agent, times)
        self.current = turn
        return turn

    def get(self, name: str) -> Turn | None:
        """The turn of that name."""
        return self._turns.get(name)

    def all(self) -> list[Turn]:
        """Every turn, oldest first."""
        return list(self._turns.values())

    def unfinished(self) -> list[Turn]:
        """Turns that are not finished, oldest first."""
        return [turn for turn in self._turns.values() if not turn.finished]

    def plan(self, segment: str, text: str) -> Turn | None:
        """A segment came. Its turn, or None if it must not be said: known, played, cut or unbegun."""
        turn = self._turns.get(segment_turn(segment))
        if turn is None or turn.cut or segment in turn.segments or segment in self.played_before:
            return None
        turn.segments[segment] = SpokenText(text)
        turn.pending.add(segment)
        return turn

    def of_segment(self, segment: str) -> tuple[Turn, SpokenText] | None:
        """The turn of a planned segment, and its text."""
        turn = self._turns.get(segment.partition("/")[0])
        if turn is None or segment not in turn.segments:
            return None
        return turn, turn.segments[segment]

    def finish_if_done(self, turn: Turn, *, anyway: bool = False) -> bool:
        """Whether the turn is finished now, for the first time. `anyway`: no word of it will come."""
        if turn.finished or turn.pending or (turn.outcome is None and not anyway):
            return False
        turn.finished = True
        return True
