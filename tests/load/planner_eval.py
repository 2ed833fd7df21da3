"""How often the planner understands: development and held-out utterances, apart.

`python -m tests.load.planner_eval [--misses]`. **The held-out column is the one to believe**, and
nothing may be tuned on it: `--misses` prints those of the development sets only. The planner is
not a language model; a real one would be asked the same way.
"""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from planner.conversation import Decision, Message, Tool
from planner.dialogue import decide
from planner.inference import RequestEmbedder
from planner.intents import Embedder
from planner.minilm import MiniLM
from tests.support import planner_development, planner_heldout
from tests.support.planner_expectation import Expectation
from tests.support.planner_tools import BANK, DEMO, shipped

OPENING = (
    Message("system", "You are Ava, the concierge of Contoso Bank."),
    Message("assistant", "Hello, this is Ava at Contoso Bank. How can I help you?"),
)
REFUND = next(tool for tool in shipped() if tool.name == "refund_fee")


@dataclass(frozen=True, slots=True)
class Verdict:
    """How one utterance came out."""

    expected: Expectation
    decision: Decision
    chosen: str | None

    @property
    def right(self) -> bool:
        """The tool is the expected one, or none where none is."""
        return self.chosen == self.expected.tool and not self.asked_back

    @property
    def asked_back(self) -> bool:
        """It asked which tool, or to say it again, where a tool was expected: no harm done."""
        unclear = self.decision.why in ("which", "unclear") or self.chosen is None
        return self.expected.tool is not None and unclear

    @property
    def slots_right(self) -> int:
        """How many of the expected arguments have the expected value."""
        given = arguments_of(self.decision)
        return sum(_same(given.get(k), v) for k, v in self.expected.slots.items())


def judge(expected: Expectation, tools: Sequence[Tool], embedder: Embedder) -> Verdict:
    """Say the utterance as the caller's first words."""
    decision = decide((*OPENING, Message("user", expected.text)), tools, embedder)
    return Verdict(expected, decision, tool_of(decision))


def tool_of(decision: Decision) -> str | None:
    """The tool that a decision calls, or asks or confirms for."""
    if decision.calls:
        return decision.calls[0].tool
    pending = decision.pending
    if pending is None:
        return None
    return (pending.goal.tool if pending.goal else pending.tool) or None


def arguments_of(decision: Decision) -> dict[str, Any]:
    """The arguments so far."""
    if decision.calls:
        return dict(decision.calls[0].arguments)
    return dict(decision.pending.arguments) if decision.pending else {}


def _same(given: Any, wanted: Any) -> bool:
    if isinstance(wanted, int | float):
        return isinstance(given, int | float) and float(given) == float(wanted)
    return _plain(str(wanted)) == _plain(str(given))


def _plain(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower().removeprefix("the "))


def score(name: str, verdicts: Sequence[Verdict]) -> str:
    """One line of the table."""
    total = len(verdicts)
    right = sum(one.right for one in verdicts)
    asked = sum(one.asked_back for one in verdicts)
    slots = sum(len(one.expected.slots) for one in verdicts)
    filled = sum(one.slots_right for one in verdicts)
    wrong = total - right - asked
    return (
        f"{name:24} {right:3}/{total} right ({100 * right / total:.0f} %), {asked} asked back,"
        f" {wrong} wrong; arguments {filled}/{slots}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--misses", action="store_true", help="print development misses")
    options = parser.parse_args()
    encode = MiniLM().encode
    embedder = RequestEmbedder(lru_cache(8192)(encode), encode)
    began = time.process_time()
    print("the planner is not a language model; believe the held-out lines")
    for name, utterances, tools in (
        ("development, 15 tools", planner_development.BANK, BANK),
        ("development, demo tools", planner_development.DEMO, DEMO),
        ("development, fees", planner_development.FEES, shipped()),
        ("held-out, 15 tools", planner_heldout.BANK, BANK),
        ("held-out, demo tools", planner_heldout.DEMO, DEMO),
        ("the same and refund_fee", planner_heldout.DEMO, (*DEMO, REFUND)),
    ):
        verdicts = [judge(one, tools, embedder) for one in utterances]
        print(score(name, verdicts))
        if options.misses and name.startswith("development"):
            _print_misses(verdicts)
    print(f"{time.process_time() - began:.1f} s of CPU")


def _print_misses(verdicts: Sequence[Verdict]) -> None:
    for one in verdicts:
        if not one.right or one.slots_right < len(one.expected.slots):
            got = f"{one.chosen} {arguments_of(one.decision)} [{one.decision.why}]"
            print(f"    {one.expected.text!r}: wanted {one.expected.tool}, got {got}")


if __name__ == "__main__":
    main()
