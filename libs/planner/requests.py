"""Understands what a caller says anew: small talk, a request for a tool, or neither. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from planner import replies
from planner.conversation import Decision, Message, Pending, Tool
from planner.intents import CLEAR, FLOOR, MARGIN, SURE, Scored
from planner.schema import Kind, Slot, slots_of
from planner.slots import fill
from planner.smalltalk import SmallTalk, by_rule
from planner.toolbox import Toolbox, required_spoken
from planner.words import stems

EVIDENCE = 0.25
"""Added to a tool whose required name and digits are in the words: they are there for it."""
SUPPORT = 0.06
"""Added to a tool if two or more required arguments, and all of them, are in the words."""
OFF_TOPIC = 0.6
"""From this score on, words that resemble what is out of scope are not looked up either."""

_QUESTION = re.compile(
    r"(?:\W*(?:and|so|but|okay|ok|well|then)\b)*\W*"
    r"(?:what|why|how|when|where|which|who|do|does|did|can|could|is|are|will|would|may)\b",
    re.I,
)
_INFORMATION = re.compile(
    r"(?:\W*(?:and|so|but|okay|ok|well|then|tell me)\b)*\W*"
    r"(?:what|what's|why|how|when|where|which|who|do|does|did|is|are|was|were)\b",
    re.I,
)
"""A question for what is, and not for something to be done ("can you", "would you")."""
_YOUR_NAME = re.compile(r"\byour (?:\w+ ){0,4}name\b", re.I)
_TELLING = (Kind.PERSON, Kind.DIGITS)
_CHEERFUL = {
    SmallTalk.NO: replies.ALL_RIGHT,
    SmallTalk.THANKS: replies.THANKED,
    SmallTalk.WAIT: replies.WAITING,
    SmallTalk.HEARING: replies.HEARD,
}


def understand(
    toolbox: Toolbox, text: str, before: Sequence[Message], known: Mapping[str, Any]
) -> Decision:
    """What to do on words that answer no question of the planner's own."""
    if toolbox.forced is not None:
        return _request(toolbox, toolbox.forced, text, known)
    talk = by_rule(text)
    if talk is not None and not toolbox.must_call:
        return small_talk(toolbox, talk, before)
    if answered := _answer_to_prompt(toolbox, text, before, known):
        return answered
    ranked = with_evidence(toolbox, text)
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


def with_evidence(toolbox: Toolbox, text: str) -> list[Scored]:
    """The ranking, in which a tool gains by finding its required arguments in the words."""
    ranked = toolbox.rank(text)
    gains = {tool.name: _gain(tool, text) for tool in toolbox.tools}
    adjusted = [
        Scored(one.label, one.score + gains.get(one.label, 0.0))
        if isinstance(one.label, str)
        else one
        for one in ranked
    ]
    return sorted(adjusted, key=lambda one: -one.score)


def _gain(tool: Tool, text: str) -> float:
    needed = [s for s in slots_of(tool) if s.required and s.spoken and s.kind is not Kind.SENTENCE]
    telling = [slot for slot in needed if slot.kind in _TELLING]
    exact = any(slot.kind is Kind.DIGITS and slot.shortest > 1 for slot in telling)
    if (len(telling) > 1 or exact) and _all_found(telling, text):
        return EVIDENCE
    return SUPPORT if len(needed) > 1 and _all_found(needed, text) else 0.0


def _all_found(slots: Sequence[Slot], text: str) -> bool:
    return len(fill(slots, text, {})) == len(slots)


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
        if whole or best.label == tool.name or best.score < CLEAR:
            return toolbox.toward(tool, fill(slots_of(tool), text, known, found))
    return None


def _asked_slots(tool: Tool, heard: str) -> list[Slot]:
    """The required names and digits of a tool that the agent has just asked for."""
    if not _is_request(heard):
        return []
    slots = [slot for slot in slots_of(tool) if slot.required and slot.kind in _TELLING]
    return [slot for slot in slots if _named_in(slot, heard)]


def _named_in(slot: Slot, heard: str) -> bool:
    """Whether a question asks for an argument: for a name, or for half of what describes it."""
    if slot.kind is Kind.PERSON:
        return bool(_YOUR_NAME.search(heard))
    wanted = stems(replies.wanted(slot))
    return 2 * len(wanted & stems(heard)) >= len(wanted) > 0


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
    best = ranked[0]
    fitting = [(tool, one) for one in ranked if (tool := toolbox.tool(str(one.label)))]
    if toolbox.must_call and fitting:
        return _request(toolbox, fitting[0][0], text, known)
    if (searching := _searching(toolbox, best, text)) is not None:
        return _request(toolbox, searching, text, known)
    if best.score < FLOOR:
        return Decision(replies.not_understood(toolbox.tools), why="unclear")
    if isinstance(best.label, SmallTalk):
        return small_talk(toolbox, best.label, before)
    if (looking_up := _informing(toolbox, fitting, text)) is not None:
        return _request(toolbox, looking_up, text, known)
    first = fitting[0][0]
    close = [tool for tool, one in fitting[1:2] if best.score - one.score < MARGIN]
    if close and best.score < SURE:
        return _which(first, close[0], text)
    return _request(toolbox, first, text, known)


def _request(toolbox: Toolbox, tool: Tool, text: str, known: Mapping[str, Any]) -> Decision:
    slots = slots_of(tool)
    arguments = fill(slots, text, known)
    if any(slot.kind is Kind.DIGITS and slot.name in arguments for slot in slots):
        # Whoever says the digits says the name with them, and may say it bare.
        names = [slot.name for slot in slots if slot.kind is Kind.PERSON]
        arguments = fill(slots, text, known, names)
    return toolbox.toward(tool, arguments)


def _which(first: Tool, second: Tool, text: str) -> Decision:
    pending = Pending(choices=(first.name, second.name), said=text)
    return Decision(replies.which([first, second]), pending=pending, why="which")


def _searching(toolbox: Toolbox, best: Scored, text: str) -> Tool | None:
    """The tool that looks things up, for a question that fits no tool and is not off the topic."""
    off_topic = best.label is SmallTalk.OTHER and best.score < OFF_TOPIC
    if not (off_topic or best.score < FLOOR) or not _QUESTION.match(text):
        return None
    return next((tool for tool in toolbox.tools if _searches(tool)), None)


def _informing(toolbox: Toolbox, fitting: Sequence[tuple[Tool, Scored]], text: str) -> Tool | None:
    """The tool that looks things up, where a mere question would lead to one that acts."""
    if not fitting[0][0].acts or not _INFORMATION.match(text):
        return None
    return next((tool for tool, one in fitting if _searches(tool) and one.score >= FLOOR), None)


def _searches(tool: Tool) -> bool:
    """Whether all that a tool needs is the question itself."""
    return [slot.kind for slot in slots_of(tool) if slot.required] == [Kind.SENTENCE]
