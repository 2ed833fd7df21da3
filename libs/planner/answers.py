"""Takes what the caller says as the answer to a question that the planner asked. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from planner import replies
from planner.conversation import Decision, Message, Pending, Tool
from planner.digits import digits_heard
from planner.intents import CLEAR, FLOOR, SURE
from planner.requests import heard_last, small_talk
from planner.schema import Kind, Slot, slots_of
from planner.slots import fill
from planner.smalltalk import SmallTalk, by_rule, yes_or_no
from planner.toolbox import Toolbox

MAX_TRIES = 2
"""How often a question is asked again before the planner lets it be."""

_PASSING = (SmallTalk.WAIT, SmallTalk.REPEAT, SmallTalk.HEARING)
_LEAVE = re.compile(
    r"\b(never ?mind|forget it|cancel|skip (it|that)|leave it|i don't want to)\b", re.I
)
_FIRST = re.compile(r"\b(first|former|one)\b", re.I)
_SECOND = re.compile(r"\b(second|latter|other|two)\b", re.I)


def answer(
    toolbox: Toolbox,
    pending: Pending,
    text: str,
    before: Sequence[Message],
    known: Mapping[str, Any],
) -> Decision | None:
    """The decision, if the words answer the question; None if they are about something else."""
    talk = by_rule(text) or _clear_talk(toolbox, text)
    if talk is not None and talk in _PASSING:
        said = _in_passing(talk, heard_last(before))
        return Decision(said, pending=pending, why=f"talk:{talk.value}")
    if talk is SmallTalk.GOODBYE:
        return small_talk(toolbox, talk, before)
    if pending.choices:
        return _chosen(toolbox, pending, text, known)
    tool = toolbox.tool(pending.tool)
    if tool is None:
        return None
    if pending.missing:
        return _given(toolbox, tool, pending, text, known)
    return _confirmed(toolbox, tool, pending, text, known)


def _in_passing(talk: SmallTalk, question: str) -> str:
    """What is said while a question stays open."""
    if talk is SmallTalk.HEARING:
        return f"{replies.I_HEAR_YOU} {question}"
    return question if talk is SmallTalk.REPEAT else replies.WAITING


def _clear_talk(toolbox: Toolbox, text: str) -> SmallTalk | None:
    best = toolbox.rank(text)[0]
    return best.label if isinstance(best.label, SmallTalk) and best.score >= SURE else None


def _given(
    toolbox: Toolbox, tool: Tool, pending: Pending, text: str, known: Mapping[str, Any]
) -> Decision | None:
    """Words after "please tell me ..."."""
    slots = slots_of(tool)
    found = fill(_unambiguous(slots, pending), text, known, pending.missing)
    wanted = {name: found[name] for name in pending.missing if name in found}
    mere_words = _only_words(slots, wanted)
    if wanted and not (mere_words and _another_request(toolbox, tool, text, CLEAR)):
        merged = {**found, **pending.arguments, **wanted}
        heard = digits_heard(text)
        return toolbox.toward(tool, merged, goal=pending.goal, heard_digits=heard)
    if _LEAVE.search(text) or by_rule(text) is SmallTalk.NO:
        return Decision(replies.LEFT, why=f"left:{tool.name}")
    if _another_request(toolbox, tool, text):
        return None
    return _again(toolbox, tool, pending, text)


def _unambiguous(slots: Sequence[Slot], pending: Pending) -> list[Slot]:
    """What an answer may fill: what was asked, and what cannot be mistaken for it."""
    asked_kinds = {slot.kind for slot in slots if slot.name in pending.missing}
    return [
        slot
        for slot in slots
        if slot.name in pending.missing
        or (slot.kind not in asked_kinds and slot.kind is not Kind.SENTENCE)
    ]


def _only_words(slots: Sequence[Slot], wanted: Mapping[str, Any]) -> bool:
    """Whether what was found is mere words, which any sentence has."""
    firm = (Kind.DIGITS, Kind.CHOICE, Kind.MONEY, Kind.COUNT, Kind.FLAG)
    return not any(slot.name in wanted and slot.kind in firm for slot in slots)


def _another_request(toolbox: Toolbox, tool: Tool, text: str, least: float = SURE) -> bool:
    """Whether the words ask for another tool, at a score of `least`."""
    best = toolbox.rank(text)[0]
    return best.score >= least and best.label != tool.name and isinstance(best.label, str)


def _again(toolbox: Toolbox, tool: Tool, pending: Pending, text: str) -> Decision:
    if pending.tries >= MAX_TRIES:
        return Decision(replies.LEFT, why=f"left:{tool.name}")
    heard = digits_heard(text)
    asked = replies.ask_for(tool, pending.missing, heard)
    opening = "" if heard else f"{replies.NOT_CAUGHT} "
    return Decision(
        opening + asked,
        pending=replace(pending, tries=pending.tries + 1),
        why=f"ask-again:{tool.name}",
    )


def _confirmed(
    toolbox: Toolbox, tool: Tool, pending: Pending, text: str, known: Mapping[str, Any]
) -> Decision | None:
    """Words after "shall I go ahead"."""
    changed = _changed(tool, pending, text, known)
    agreed = yes_or_no(text)
    if changed:
        return toolbox.toward(tool, {**pending.arguments, **changed})
    if agreed:
        return toolbox.act(tool, pending.arguments)
    if agreed is False or _LEAVE.search(text):
        return Decision(replies.NOT_DONE, why=f"refused:{tool.name}")
    if _another_request(toolbox, tool, text) or pending.tries >= MAX_TRIES:
        return None
    return Decision(
        f"{replies.NOT_CAUGHT} {replies.confirm(tool, pending.arguments)}",
        pending=replace(pending, tries=pending.tries + 1),
        why=f"confirm-again:{tool.name}",
    )


def _changed(tool: Tool, pending: Pending, text: str, known: Mapping[str, Any]) -> dict[str, Any]:
    """New values in a correction, such as "no, three hundred"."""
    spoken = [slot for slot in slots_of(tool) if slot.spoken and slot.kind is not Kind.SENTENCE]
    found = fill(spoken, text, known)
    return {name: value for name, value in found.items() if pending.arguments.get(name) != value}


def _chosen(
    toolbox: Toolbox, pending: Pending, text: str, known: Mapping[str, Any]
) -> Decision | None:
    """Words after "shall I do this, or that"."""
    offered = [tool for name in pending.choices if (tool := toolbox.tool(name)) is not None]
    if len(offered) < 2:
        return None
    if yes_or_no(text) is False:
        return Decision(replies.LEFT, why="left:which")
    picked = _picked(toolbox, offered, text)
    if picked is None:
        return None
    arguments = fill(slots_of(picked), f"{pending.said}. {text}", known)
    return toolbox.toward(picked, arguments)


def _picked(toolbox: Toolbox, offered: Sequence[Tool], text: str) -> Tool | None:
    if _SECOND.search(text):  # before the other: "the second one" has a one in it
        return offered[1]
    if _FIRST.search(text):
        return offered[0]
    best = next(one for one in toolbox.rank(text) if isinstance(one.label, str))
    fitting = next((tool for tool in offered if tool.name == best.label), None)
    return fitting if best.score >= FLOOR else None
