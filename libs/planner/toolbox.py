"""The tools of one request, and the way to calling one: ask, confirm, then act. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from planner import replies
from planner.conversation import Decision, Pending, PlannedCall, Tool
from planner.intents import Embedder, Scored, phrases, rank
from planner.schema import Slot, slots_of
from planner.slots import missing

AUTO, REQUIRED, NONE = "auto", "required", "none"


class Toolbox:
    """What the planner may do in this request."""

    def __init__(self, tools: Sequence[Tool], embedder: Embedder, choice: str = AUTO) -> None:
        """`choice`: `auto`, `none`, `required`, or the name of the one tool to call."""
        self.tools = () if choice == NONE else tuple(tools)
        self.forced = next((tool for tool in self.tools if tool.name == choice), None)
        self.must_call = choice == REQUIRED
        self._embedder = embedder

    def tool(self, name: str) -> Tool | None:
        """The tool of that name, if this request offers it."""
        return next((tool for tool in self.tools if tool.name == name), None)

    @property
    def verifier(self) -> Tool | None:
        """The tool that proves who the caller is, if there is one."""
        return next((tool for tool in self.tools if tool.verifies), None)

    def learn(self) -> None:
        """Embed the tools' phrases, so that the caller's first words need not wait for it."""
        for tool in self.tools:
            for phrase in phrases(tool):
                self._embedder.phrase(phrase)

    def rank(self, text: str) -> list[Scored]:
        """How well each tool and each kind of small talk fits the words."""
        return rank(text, self.tools, self._embedder)

    def toward(
        self,
        tool: Tool,
        arguments: Mapping[str, Any],
        *,
        goal: PlannedCall | None = None,
        tries: int = 0,
        heard_digits: int = 0,
    ) -> Decision:
        """The next step to calling a tool with what is known: ask, confirm, or call it."""
        slots = slots_of(tool)
        open_slots = missing(slots, arguments)
        if open_slots and self.forced is not tool:
            if self._needs_identity(tool, slots, open_slots):
                return self._verify_first(PlannedCall(tool.name, arguments))
            text = replies.ask_for(tool, open_slots, heard_digits)
            pending = Pending(tool.name, arguments, open_slots, goal=goal, tries=tries)
            return Decision(text, pending=pending, why=f"ask:{tool.name}")
        if tool.effectful and self.forced is not tool:
            pending = Pending(tool.name, arguments, tries=tries)
            text = replies.confirm(tool, arguments)
            return Decision(text, pending=pending, why=f"confirm:{tool.name}")
        return self.act(tool, arguments)

    @staticmethod
    def act(tool: Tool, arguments: Mapping[str, Any]) -> Decision:
        """Call a tool now."""
        return Decision(calls=(PlannedCall(tool.name, arguments),), why=f"call:{tool.name}")

    def _needs_identity(self, tool: Tool, slots: Sequence[Slot], names: Sequence[str]) -> bool:
        """Whether what is missing comes from the tool that proves who the caller is."""
        unspoken = any(slot.name in names and slot.from_results for slot in slots)
        return unspoken and self.verifier is not None and self.verifier is not tool

    def _verify_first(self, goal: PlannedCall) -> Decision:
        assert self.verifier is not None
        wanted = required_spoken(self.verifier)
        text = f"{replies.NOT_VERIFIED} {replies.ask_for(self.verifier, wanted)}"
        pending = Pending(self.verifier.name, {}, wanted, goal=goal)
        return Decision(text, pending=pending, why=f"verify-before:{goal.tool}")


def required_spoken(tool: Tool) -> tuple[str, ...]:
    """The required arguments of a tool that the caller can give."""
    return tuple(slot.name for slot in slots_of(tool) if slot.required and slot.spoken)
