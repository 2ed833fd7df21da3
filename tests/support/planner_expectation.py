"""What an utterance should make the planner do; shared by the development and held-out sets."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Expectation:
    """One utterance, on its own."""

    text: str
    tool: str | None
    """The tool to choose; None for small talk and what no tool can do."""
    slots: dict[str, Any] = field(default_factory=dict)
    """Arguments that must come out of the words."""
