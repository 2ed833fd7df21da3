"""Goes on after tools have answered: speaks their message, or takes the next step. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from planner import replies
from planner.conversation import Decision, Message, Pending, PlannedCall, Tool, ToolCall
from planner.digits import without_label
from planner.intents import CLEAR, MIN_SENTENCE_WORDS
from planner.numerals import NUMBER_WORDS
from planner.requests import system_prompt
from planner.results import OUTCOME_UNKNOWN, YES_NEEDED, ToolResult, read_result
from planner.schema import slots_of
from planner.slots import fill
from planner.smalltalk import by_rule
from planner.toolbox import Toolbox, required_spoken
from planner.words import words

MAX_TURNS_BACK = 4
MAX_ROUNDS = 4
"""Tool rounds without the caller's words in between; then the planner only speaks."""

_CLAUSE = re.compile(rf"[.?!;,]\s+|\s+and\s+|\b(?:\d+|{'|'.join(NUMBER_WORDS)})\b", re.I)
"""Numbers part clauses too: "last four one two three four what is my balance"."""
HANDOFF = "handoff_"


@dataclass(frozen=True, slots=True)
class Answered:
    """A call with its result."""

    call: ToolCall
    result: ToolResult


def after_results(
    toolbox: Toolbox, messages: Sequence[Message], known: Mapping[str, Any]
) -> Decision:
    """What to say or do once tool results are the last messages."""
    answered = calls_with_results(messages)
    latest = _latest(messages, answered)
    said = " ".join(one.result.message for one in latest if one.result.message)
    failed = next((one for one in latest if not one.result.ok), None)
    if failed is not None:
        return _after_failure(toolbox, failed, said)
    if _rounds(messages) < MAX_ROUNDS:
        if any(_verifies(toolbox, one.call) for one in latest):
            return _verified(toolbox, messages, answered, said, known)
        if any(one.call.name.startswith(HANDOFF) for one in latest):
            return _handed_over(toolbox, messages, said, known)
    return Decision(said or replies.DONE, why="result")


def calls_with_results(messages: Sequence[Message]) -> list[Answered]:
    """Every call of the conversation that has a result, in order."""
    calls = {call.id: call for message in messages for call in message.tool_calls}
    return [
        Answered(calls[message.tool_call_id], read_result(message.text))
        for message in messages
        if message.role == "tool" and message.tool_call_id in calls
    ]


def _latest(messages: Sequence[Message], answered: Sequence[Answered]) -> list[Answered]:
    """The results since the assistant last spoke or called."""
    trailing = 0
    for message in reversed(messages):
        if message.role != "tool":
            break
        trailing += 1
    return list(answered[-trailing:]) if trailing else []


def _rounds(messages: Sequence[Message]) -> int:
    """How many tool rounds there were since the caller last spoke."""
    rounds = 0
    for message in reversed(messages):
        if message.role == "user":
            break
        rounds += bool(message.tool_calls)
    return rounds


def _verifies(toolbox: Toolbox, call: ToolCall) -> bool:
    tool = toolbox.tool(call.name) or Tool(call.name)
    return tool.verifies


def _after_failure(toolbox: Toolbox, failed: Answered, said: str) -> Decision:
    """Say why; where a proof of identity is wanted, wait for it."""
    verifier = toolbox.verifier
    unverified = failed.result.unverified
    if failed.result.reason == OUTCOME_UNKNOWN:
        return Decision(said or replies.UNKNOWN_OUTCOME, why="outcome-unknown")
    if failed.result.reason in YES_NEEDED:
        # Said word for word and alone: the executor runs it only if the caller heard just this.
        asking = Pending(failed.call.name, _arguments(failed.call))
        return Decision(failed.result.message, pending=asking, why="yes-needed")
    if failed.result.technical:
        return _misdirected(toolbox, failed)
    tried_again = verifier is not None and verifier.name == failed.call.name
    if verifier is None or not (unverified or (tried_again and not failed.result.reason)):
        return Decision(said or replies.FAILED, why="failed")
    wanted = required_spoken(verifier)
    given = {} if unverified else _arguments(failed.call)
    text = said or (replies.NOT_VERIFIED if unverified else replies.FAILED)
    if not _asks(text):
        text = f"{text} {replies.ask_for(verifier, wanted)}"
    goal = _planned(failed.call) if unverified else None
    pending = Pending(verifier.name, given, wanted, goal=goal)
    return Decision(text, pending=pending, why="verify" if unverified else "verify-again")


def _misdirected(toolbox: Toolbox, failed: Answered) -> Decision:
    """The arguments were not accepted: what the tool says of them is not for the ear."""
    tool = toolbox.tool(failed.call.name)
    wanted = required_spoken(tool) if tool else ()
    if tool is None or not wanted:
        return Decision(replies.FAILED, why="misdirected")
    text = f"{replies.NOT_CAUGHT} {replies.ask_for(tool, wanted)}"
    pending = Pending(tool.name, _arguments(failed.call), wanted)
    return Decision(text, pending=pending, why="misdirected")


def _asks(text: str) -> bool:
    return "?" in text or bool(re.search(r"\b(please|tell me|give me)\b", text, re.I))


def _verified(
    toolbox: Toolbox,
    messages: Sequence[Message],
    answered: Sequence[Answered],
    said: str,
    known: Mapping[str, Any],
) -> Decision:
    """Identity is proved: go on with what the caller wanted before, if that is clear."""
    others = [one for one in answered if not _verifies(toolbox, one.call)]
    refused = others[-1] if others and others[-1].result.unverified else None
    goal = _planned(refused.call) if refused else _wanted_before(toolbox, messages, known)
    tool = toolbox.tool(goal.tool) if goal else None
    if goal is None or tool is None:
        text = said if said.endswith("?") else f"{said} {replies.WELCOME_BACK}".strip()
        return Decision(text, why="verified")
    proved = fill([slot for slot in slots_of(tool) if slot.from_results], "", known)
    step = toolbox.toward(tool, {**goal.arguments, **proved})
    text = f"{replies.thanks_only(said)} {step.text}".strip()
    return replace(step, text=text, why=f"goal:{step.why}")


def _wanted_before(
    toolbox: Toolbox, messages: Sequence[Message], known: Mapping[str, Any]
) -> PlannedCall | None:
    """The latest clear request that no tool has served yet."""
    others = [tool for tool in toolbox.tools if not tool.verifies and not tool.ends_call]
    if not others:
        return None
    for text in _unserved(toolbox, messages):
        if (found := _request_in(toolbox, others, text)) is not None:
            return PlannedCall(found.name, fill(slots_of(found), text, known))
    return None


def _unserved(toolbox: Toolbox, messages: Sequence[Message]) -> list[str]:
    """What the caller said since a tool last served them, the latest first."""
    said: list[str] = []
    for message in reversed(messages):
        if any(not _verifies(toolbox, call) for call in message.tool_calls):
            break
        if message.role == "user":
            said.append(message.text)
    return said[:MAX_TURNS_BACK]


def _request_in(toolbox: Toolbox, tools: Sequence[Tool], text: str) -> Tool | None:
    """The tool that a clause of the text clearly asks for."""
    clauses = [part for part in _CLAUSE.split(without_label(text)) if part]
    for clause in (text, *clauses):
        if by_rule(clause) is not None or len(words(clause)) < MIN_SENTENCE_WORDS:
            continue
        best = toolbox.rank(clause)[0]
        tool = next((tool for tool in tools if tool.name == best.label), None)
        if tool is not None and best.score >= CLEAR:
            return tool
    return None


def _handed_over(
    toolbox: Toolbox, messages: Sequence[Message], said: str, known: Mapping[str, Any]
) -> Decision:
    """Another agent has taken over: serve what the caller asked for, with its tools."""
    others = [tool for tool in toolbox.tools if not tool.name.startswith(HANDOFF)]
    asked = next((m.text for m in reversed(messages) if m.role == "user"), "")
    tool = _request_in(toolbox, others, asked) if asked else None
    if tool is None:
        return Decision(said or replies.greeting(system_prompt(messages)), why="handed-over")
    return toolbox.toward(tool, fill(slots_of(tool), asked, known))


def _planned(call: ToolCall) -> PlannedCall:
    return PlannedCall(call.name, _arguments(call))


def _arguments(call: ToolCall) -> dict[str, Any]:
    try:
        value = json.loads(call.arguments or "{}")
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
