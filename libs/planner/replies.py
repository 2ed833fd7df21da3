"""Every sentence that the planner speaks of its own: templates, filled from tools and prompt. Pure.

Sentences are short, because they are heard and not read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from planner.conversation import Tool
from planner.intents import purpose
from planner.schema import Kind, Slot, slots_of

WELCOME_BACK = "How can I help you?"
ANYTHING_ELSE = "Is there anything else I can do for you?"
GOODBYE = "Thank you for calling. Goodbye."
ALL_RIGHT = f"All right. {ANYTHING_ELSE}"
THANKED = f"You are welcome. {ANYTHING_ELSE}"
WAITING = "Of course, take your time."
I_HEAR_YOU = "Yes, I can hear you."
HEARD = f"{I_HEAR_YOU} {WELCOME_BACK}"
NOTHING_TO_REPEAT = "I have not said anything yet. How can I help you?"
NOT_DONE = f"All right, I will not do that. {ANYTHING_ELSE}"
LEFT = f"Let us leave that for now. {ANYTHING_ELSE}"
NOT_CAUGHT = "Sorry, I did not catch that."
FAILED = "I am sorry, that did not work."
UNKNOWN_OUTCOME = (
    "I could not confirm whether that was done, so I will not try it again."
    " Please check with us later."
)
DONE = "That is done."
NOT_VERIFIED = "Before I can do that, I need to check who you are."
STILL_THERE = "Are you still there?"
MAX_OFFERED = 3

_AGENT = re.compile(r"\b[Yy]ou are ([A-Z][\w'-]*)\b")
_INSTITUTION = re.compile(
    r"\b(?:at|of|for|from) ((?:[A-Z][\w&'-]*)(?: (?:[A-Z][\w&'-]*|and|of(?= [A-Z])))*)"
)
_ARTICLES = ("your", "which", "how", "what", "who", "the", "a", "an", "whether", "when", "where")


def greeting(system_prompt: str) -> str:
    """The first words of a call, with the names that the prompt states simply."""
    agent, institution = stated_names(system_prompt)
    who = f"this is {agent}" if agent else "welcome"
    where = f" at {institution}" if agent and institution else ""
    where = f" to {institution}" if institution and not agent else where
    return f"Hello, {who}{where}. {WELCOME_BACK}"


def introduction(system_prompt: str) -> str:
    """The answer to "who are you"; it does not pretend to be a person."""
    agent, institution = stated_names(system_prompt)
    name = f"I am {agent}, " if agent else "I am "
    where = f" of {institution}" if institution else ""
    return f"{name}an automated assistant{where}. {WELCOME_BACK}"


def stated_names(system_prompt: str) -> tuple[str, str]:
    """The agent's and the institution's name, each empty if the prompt does not state it."""
    opening = system_prompt[:500]
    agent = _AGENT.search(opening)
    institution = _INSTITUTION.search(opening)
    return (agent[1] if agent else "", institution[1] if institution else "")


def offer(tools: Sequence[Tool]) -> str:
    """What the caller may ask for; never names what only clears the way or ends the call."""
    named = [spoken_purpose(tool) for tool in tools if not (tool.verifies or tool.ends_call)]
    if not named:
        return WELCOME_BACK
    return f"I can {_listed(named[:MAX_OFFERED], 'or')}. What would you like?"


def not_understood(tools: Sequence[Tool]) -> str:
    """The answer to words that fit no tool."""
    return f"Sorry, I did not quite understand. {offer(tools)}"


def out_of_scope(tools: Sequence[Tool]) -> str:
    """The answer to words that were understood, and are nobody's business here."""
    return f"I am afraid I cannot help with that. {offer(tools)}"


def which(tools: Sequence[Tool]) -> str:
    """The question between tools that fit equally."""
    return (
        f"I am not sure I understood. Shall I {_listed([spoken_purpose(t) for t in tools], 'or')}?"
    )


def ask_for(tool: Tool, names: Sequence[str], heard_digits: int = 0) -> str:
    """The question for missing arguments. `heard_digits`: how many were heard, if too few."""
    slots = [slot for slot in slots_of(tool) if slot.name in names]
    opening = ""
    short = next((s for s in slots if s.kind is Kind.DIGITS and s.shortest), None)
    if short is not None and 0 < heard_digits != short.shortest:
        opening = f"I heard {_counted(heard_digits)}, but I need {short.shortest}. "
    return f"{opening}Please tell me {_listed([wanted(slot) for slot in slots], 'and')}."


def confirm(tool: Tool, arguments: Mapping[str, Any]) -> str:
    """The question before a tool that changes something."""
    said = [
        f"{_label(slot)} {_value(arguments[slot.name])}"
        for slot in slots_of(tool)
        if slot.name in arguments and slot.spoken and slot.kind is not Kind.SENTENCE
    ]
    details = f", with {_listed(said, 'and')}" if said else ""
    return f"You would like me to {spoken_purpose(tool)}{details}. Shall I go ahead, yes or no?"


def thanks_only(message: str) -> str:
    """A message without the question it ends with: what follows is the answer to it."""
    kept = [part for part in re.split(r"(?<=[.!?])\s+", message) if not part.endswith("?")]
    return " ".join(kept)


def spoken_purpose(tool: Tool) -> str:
    """A tool's purpose, said to the caller: "Returns the caller's balance" -> "return your balance"."""
    text = purpose(tool)
    for whose in ("caller", "client", "customer", "user"):
        text = re.sub(rf"\b(?:the|a) {whose}['’]s\b", "your", text, flags=re.I)
        text = re.sub(rf"\b(?:the|a) {whose} is\b", "you are", text, flags=re.I)
        text = re.sub(rf"\b(?:the|a) {whose}\b", "you", text, flags=re.I)
    first, _, rest = text.partition(" ")
    return f"{_imperative(first.lower())} {rest}".strip()


def _imperative(verb: str) -> str:
    if verb.endswith(("ches", "shes", "sses")):
        return verb[:-2]
    if verb.endswith("ies"):
        return verb[:-3] + "y"
    return verb[:-1] if verb.endswith("s") and not verb.endswith("ss") else verb


def wanted(slot: Slot) -> str:
    """What a question calls an argument."""
    if slot.kind is Kind.PERSON:
        return (
            "your full name" if "full" in f"{slot.name} {slot.description}".lower() else "your name"
        )
    if slot.kind is Kind.CHOICE:
        choices = _listed([_value(choice) for choice in slot.choices], "or")
        return f"which {_label(slot)}: {choices}"
    described = re.split(r"[.,;:(]", slot.description)[0].strip()
    text = described or _label(slot)
    for whose in ("caller", "client", "customer", "user"):
        text = re.sub(rf"\b(?:the|a) {whose}['’]s\b", "your", text, flags=re.I)
    text = text[:1].lower() + text[1:]
    return text if text.split(" ", 1)[0] in _ARTICLES else f"the {text}"


def _label(slot: Slot) -> str:
    kept = [word for word in slot.name.split("_") if word not in ("type", "to", "name")]
    return " ".join(kept) or slot.name.replace("_", " ")


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value).replace("_", " ")


def _counted(digits: int) -> str:
    return f"{digits} digit" + ("" if digits == 1 else "s")


def _listed(parts: Sequence[str], joint: str) -> str:
    if len(parts) < 2:
        return "".join(parts)
    if len(parts) == 2:
        return f"{parts[0]} {joint} {parts[1]}"
    return f"{', '.join(parts[:-1])}, {joint} {parts[-1]}"
