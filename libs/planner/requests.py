"""Understands what a caller says anew: small talk, a request for a tool, or neither. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from planner import replies
from planner.conversation import Decision, Message, Pending, Tool
from planner.intents import FLOOR, MARGIN, SURE, Scored
from planner.schema import Kind, Slot, slots_of
from planner.slots import fill
from planner.smalltalk import SmallTalk, by_rule
from planner.toolbox import Toolbox, required_spoken
from planner.words import STOP_WORDS, stem, words

EVIDENCE = 0.25
"""Added to a tool whose required name and digits are in the words: they are there for it."""

_TELLING = (Kind.PERSON, Kind.DIGITS)
_CHEERFUL = {
    SmallTalk.THANKS: replies.THANKED,
    SmallTalk.WAIT: replies.WAITING,
    SmallTalk.HEARING: replies.HEARD,
}


def understand(
    toolbox: Toolbox, text: str, before: Sequence[Message], known: Mapping[str, Any]
) -> Decision:
    """What to do on words that answer no question of the planner's own."""
    if toolbox.forced is not None:
        return toolbox.toward(toolbox.forced, fill(slots_of(toolbox.forced), text, known))
    talk = by_rule(text)
    if talk is not None and not toolbox.must_call:
        return small_talk(toolbox, talk, before)
    if answered := _answer_to_prompt(toolbox, text, before, known):
        return answered
    ranked = with_evidence(toolbox, text, known)
    return _judge(toolbox, ranked, text, before, known)


def small_talk(toolbox: Toolbox, talk: SmallTalk, before: Sequence[Message]) -> Decision:
    """The answer to what no tool is for; a goodbye calls the tool that ends the call, if any."""
    ending = next((tool for tool in toolbox.tools if tool.ends_call), None)
    refused_more = talk is SmallTalk.NO and "anything else" in heard_last(before).lower()
    if talk is SmallTalk.GOODBYE or refused_more:
        if ending is not None:
            return toolbox.toward(ending, {})
        return Decision(replies.GOODBYE, why="goodbye")
    return Decision(_small_talk_text(toolbox, talk, before), why=f"talk:{talk.value}")


def _small_talk_text(toolbox: Toolbox, talk: SmallTalk, before: Sequence[Message]) -> str:
    if talk is SmallTalk.REPEAT:
        return heard_last(before) or replies.NOTHING_TO_REPEAT
    if talk is SmallTalk.GREETING:
        return f"Hello. {replies.WELCOME_BACK}"
    if talk is SmallTalk.WHO:
        return replies.introduction(system_prompt(before))
    if talk is SmallTalk.OTHER:
        return replies.out_of_scope(toolbox.tools)
    return _CHEERFUL.get(talk) or replies.offer(toolbox.tools)


def heard_last(before: Sequence[Message]) -> str:
    """What the agent said last: neighbouring assistant messages as one text."""
    said: list[str] = []
    for message in reversed(before):
        if message.role != "assistant" or message.tool_calls:
            break
        said.insert(0, message.text)
    return " ".join(said).strip()


def system_prompt(messages: Sequence[Message]) -> str:
    """The first system message."""
    return next((message.text for message in messages if message.role == "system"), "")


def with_evidence(toolbox: Toolbox, text: str, known: Mapping[str, Any]) -> list[Scored]:
    """The ranking, in which a tool gains by finding its required name and digits in the words."""
    ranked = toolbox.rank(text)
    gains = {tool.name: EVIDENCE for tool in toolbox.tools if _evident(tool, text, known)}
    adjusted = [
        Scored(one.label, one.score + gains.get(one.label, 0.0))
        if isinstance(one.label, str)
        else one
        for one in ranked
    ]
    return sorted(adjusted, key=lambda one: -one.score)


def _evident(tool: Tool, text: str, known: Mapping[str, Any]) -> bool:
    """Whether all telling arguments are found, and are telling enough: two, or a known length."""
    telling = [slot for slot in slots_of(tool) if slot.required and slot.kind in _TELLING]
    exact = any(slot.kind is Kind.DIGITS and slot.shortest > 1 for slot in telling)
    if len(telling) < 2 and not exact:
        return False
    return len(fill(telling, text, known)) == len(telling)


def _answer_to_prompt(
    toolbox: Toolbox, text: str, before: Sequence[Message], known: Mapping[str, Any]
) -> Decision | None:
    """Follow a question that was not the planner's own, such as the greeting's "your name, please"."""
    heard = heard_last(before)
    for tool in toolbox.tools:
        asked = _asked_slots(tool, heard)
        found = fill(asked, text, {}, [slot.name for slot in asked])
        if not found:
            continue
        best = toolbox.rank(text)[0]
        whole = len(found) == len(required_spoken(tool))
        if whole or best.label == tool.name or best.score < SURE:
            return toolbox.toward(tool, fill(slots_of(tool), text, known, found))
    return None


def _asked_slots(tool: Tool, heard: str) -> list[Slot]:
    """The required names and digits of a tool that the agent has just asked for."""
    if not _is_request(heard):
        return []
    asked = set(map(stem, words(heard)))
    slots = [slot for slot in slots_of(tool) if slot.required and slot.kind in _TELLING]
    return [slot for slot in slots if _named_in(slot, asked)]


def _named_in(slot: Slot, asked: set[str]) -> bool:
    parts = {stem(part) for part in slot.name.split("_")} - STOP_WORDS
    return bool(parts) and parts <= asked


def _is_request(text: str) -> bool:
    low = text.lower()
    return "?" in text or any(sign in low for sign in ("please", "tell me", "give me", "need your"))


def _judge(
    toolbox: Toolbox,
    ranked: Sequence[Scored],
    text: str,
    before: Sequence[Message],
    known: Mapping[str, Any],
) -> Decision:
    """Act on the best, ask between two, or say that it was not understood."""
    fitting = [tool for one in ranked if (tool := toolbox.tool(str(one.label))) is not None]
    scores = {one.label: one.score for one in ranked}
    best = ranked[0]
    if isinstance(best.label, SmallTalk) and not (toolbox.must_call and fitting):
        if best.score < FLOOR:
            return Decision(replies.not_understood(toolbox.tools), why="unclear")
        return small_talk(toolbox, best.label, before)
    first, *others = fitting
    score = scores[first.name]
    close = [tool for tool in others[:1] if score - scores[tool.name] < MARGIN]
    if toolbox.must_call or score >= SURE or (score >= FLOOR and not close):
        return toolbox.toward(first, fill(slots_of(first), text, known))
    if score < FLOOR:
        return Decision(replies.not_understood(toolbox.tools), why="unclear")
    pending = Pending(choices=(first.name, close[0].name), said=text)
    return Decision(replies.which([first, close[0]]), pending=pending, why="which")
