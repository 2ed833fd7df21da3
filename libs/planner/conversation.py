"""What the wire hands to the rules: messages, tools, and the decision that goes back. Data only."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

EFFECT_KEY = "x-effect"
EFFECTFUL = "effectful"
CONFIRMED = "confirmed"
"""Of a tool that acts and asks the caller for a yes by itself."""
EFFECT_SENTENCE = "needs the caller's yes"
"""The other way to mark a tool: a description that contains this, in any case."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that the assistant made earlier in the conversation."""

    id: str
    name: str
    arguments: str
    """JSON text, as the wire carries it."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the conversation."""

    role: str
    """`system`, `user`, `assistant` or `tool`."""
    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool that the request offers."""

    name: str
    description: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """JSON Schema of an object."""

    @property
    def effectful(self) -> bool:
        """Whether the caller is asked for a yes before it is called."""
        marked = self.parameters.get(EFFECT_KEY) == EFFECTFUL
        return marked or EFFECT_SENTENCE in self.description.lower()

    @property
    def acts(self) -> bool:
        """Whether it changes something, whoever asks for the yes."""
        return self.effectful or self.parameters.get(EFFECT_KEY) == CONFIRMED

    @property
    def verifies(self) -> bool:
        """Whether it proves who the caller is, judged by its name and description."""
        return bool(_VERIFIES.search(self._own_words))

    @property
    def ends_call(self) -> bool:
        """Whether it hangs up, judged by its name and description."""
        return bool(_ENDS_CALL.search(self._own_words))

    @property
    def _own_words(self) -> str:
        first = self.description.split(".", 1)[0]
        return f"{self.name.replace('_', ' ')}. {first}".lower()


_VERIFIES = re.compile(
    r"\b(verify|verifies|authenticate|identify|confirm)\b"
    r"(?: \w+){0,3}? (identity|client|caller|customer)\b"
)
_ENDS_CALL = re.compile(r"\b(end|ends|hang up|hangs up|finish) (the )?call\b|\bhang up\b")


@dataclass(frozen=True, slots=True)
class PlannedCall:
    """A call that the planner wants made."""

    tool: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Pending:
    """What a question of the planner waits for. Found again by replaying the history."""

    tool: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    """Arguments the question asks for; empty when it asks for a yes."""
    choices: tuple[str, ...] = ()
    """The tools the question offers, when it asks which."""
    said: str = ""
    """The caller's words that led to the question, when it asks which."""
    goal: PlannedCall | None = None
    """What to go on with after `tool`, which only clears the way for it."""
    tries: int = 0
    """How often the same thing was asked before."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do now: words, calls, or words and then calls."""

    text: str = ""
    calls: tuple[PlannedCall, ...] = ()
    pending: Pending | None = None
    why: str = ""
    """For logs: names the rule; holds nothing of what was said."""
