"""How far a call is, from its events: whose turn it is, and whether the agent has answered. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class CallProgress:
    """Takes events one by one."""

    open_turns: set[str] = field(default_factory=set)
    finished: list[dict[str, Any]] = field(default_factory=list)
    """The `turn_finished` events."""
    transcripts: list[tuple[str, str]] = field(default_factory=list)
    """(`caller` or `agent`, words), finals and segments in order."""
    tools: list[str] = field(default_factory=list)
    end_reason: str = ""
    error: str = ""
    _answered: int = 0

    def take(self, event: dict[str, Any]) -> None:
        """An event came. Unknown kinds are passed over."""
        match event.get("kind"):
            case "turn_started":
                self.open_turns.add(event["turn"])
            case "turn_finished":
                self.open_turns.discard(event["turn"])
                self.finished.append(event)
            case "transcript" if event["final"]:
                self.transcripts.append(("caller", event["text"]))
            case "segment":
                self.transcripts.append(("agent", event["text"]))
            case "tool_call":
                self.tools.append(event["tool"])
            case "error":
                self.error = f"{event['reason']}: {event['message']}"
            case "call_ended":
                self.end_reason = event["reason"]

    def line_begins(self) -> None:
        """The caller begins to speak: only turns that finish from now on answer this line."""
        self._answered = len(self.finished)

    @property
    def answered(self) -> bool:
        """Whether the agent has answered what was said since `line_begins`, and is silent again."""
        return len(self.finished) > self._answered and not self.open_turns

    @property
    def ended(self) -> bool:
        """Whether the call is over."""
        return bool(self.end_reason)

    @property
    def failed_turns(self) -> list[dict[str, Any]]:
        """Turns that were given up."""
        return [turn for turn in self.finished if turn["outcome"] == "failed"]
