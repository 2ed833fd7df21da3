"""Fills a tool's arguments from what the caller said and what earlier tools answered. Pure.

A value is given only where a rule finds it; what is not found is left out, and asked for if the
schema requires it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from planner import digits, numerals
from planner.conversation import Message
from planner.names import person_name
from planner.schema import Kind, Slot
from planner.words import singular, without_fillers, words

MAX_SENTENCE = 500
"""Characters of the caller's words that go into a free-text argument."""

_YES = re.compile(r"\b(yes|yeah|yep|sure|correct|right|please do|go ahead)\b", re.I)
_NO = re.compile(r"\b(no|nope|not|don't)\b", re.I)


def fill(
    slots: Sequence[Slot],
    text: str,
    known: Mapping[str, Any],
    asked: Iterable[str] = (),
) -> dict[str, Any]:
    """The arguments that can be given now.

    `known`: values from earlier tool results, by key. `asked`: the arguments for which the agent
    has just asked, whose answers may be bare.
    """
    wanted = set(asked)
    values = {slot.name: _value(slot, text, known, slot.name in wanted) for slot in slots}
    return {name: value for name, value in values.items() if value is not None}


def missing(slots: Sequence[Slot], arguments: Mapping[str, Any]) -> tuple[str, ...]:
    """The required arguments that have no value."""
    return tuple(slot.name for slot in slots if slot.required and slot.name not in arguments)


def known_values(messages: Sequence[Message]) -> dict[str, Any]:
    """Every plain value in the tool results so far, by key; the latest result wins.

    Looks into nested objects, not into lists: one of many transactions is not "the" transaction.
    """
    found: dict[str, Any] = {}
    for message in messages:
        if message.role == "tool":
            try:
                _collect(json.loads(message.text), found)
            except (ValueError, RecursionError):
                continue
    return found


def _collect(value: Any, found: dict[str, Any], depth: int = 4) -> None:
    if not isinstance(value, dict) or not depth:
        return
    for key, inner in value.items():
        if isinstance(inner, str | int | float) and not isinstance(inner, bool):
            found[key] = inner
        else:
            _collect(inner, found, depth - 1)


def _value(slot: Slot, text: str, known: Mapping[str, Any], asked: bool) -> Any:
    if slot.from_results and slot.name in known:
        return known[slot.name]
    return _FROM_TEXT[slot.kind](slot, text, asked)


def _choice(slot: Slot, text: str, asked: bool) -> str | None:
    """The enum value that the words name; of two places, the one that the slot's name means."""
    spoken = [singular(word) for word in words(text)]
    found = [(where, one) for one in slot.choices if (where := _where(one, spoken)) is not None]
    if not found:
        return None
    named = set(slot.name.lower().split("_"))
    for direction, cues in _DIRECTIONS:
        if named & direction:
            cued = [one for where, one in found if set(spoken[max(0, where - 3) : where]) & cues]
            if cued or len(found) > 1:
                return cued[-1] if cued else None
            return found[0][1] if not _cued_otherwise(spoken, found[0][0], cues) else None
    return found[0][1]


_TO, _FROM = frozenset({"to", "into", "in", "on", "onto"}), frozenset({"from", "of"})
_DIRECTIONS = (
    (frozenset({"to", "destination", "target"}), _TO),
    (frozenset({"from", "source"}), _FROM),
)


def _cued_otherwise(spoken: Sequence[str], where: int, cues: frozenset[str]) -> bool:
    others = (_TO | _FROM) - cues
    return bool(set(spoken[max(0, where - 3) : where]) & others)


def _where(choice: str, spoken: Sequence[str]) -> int | None:
    """Where the words of a choice stand among the words, one after another."""
    parts = [singular(word) for word in words(choice.replace("_", " "))]
    for start in range(len(spoken) - len(parts) + 1):
        if parts and list(spoken[start : start + len(parts)]) == parts:
            return start
    return None


def _person(slot: Slot, text: str, asked: bool) -> str | None:
    name = person_name(text, asked)
    if name is None or ("full" in f"{slot.name} {slot.description}".lower() and " " not in name):
        return None
    return name


def _digits(slot: Slot, text: str, asked: bool) -> str | None:
    shortest = slot.shortest or (1 if asked else digits.MIN_DIGITS)
    return digits.digit_string(text, shortest, slot.longest or digits.MAX_DIGITS)


def _money(slot: Slot, text: str, asked: bool) -> float | int | None:
    return _number(slot, numerals.amount(text))


def _count(slot: Slot, text: str, asked: bool) -> float | int | None:
    if asked:
        return _number(slot, numerals.number(text))
    nouns = frozenset(words(slot.description))
    return _number(slot, numerals.count(text, nouns, slot.newest_first))


def _number(slot: Slot, value: float | None) -> float | int | None:
    if value is None:
        return None
    value = max(slot.least, value) if slot.least is not None else value
    value = min(slot.most, value) if slot.most is not None else value
    return int(value) if slot.whole or value == int(value) else value


def _flag(slot: Slot, text: str, asked: bool) -> bool | None:
    if not asked:
        return None
    if _NO.search(text):
        return False
    return True if _YES.search(text) else None


def _identifier(slot: Slot, text: str, asked: bool) -> str | None:
    """Only what is called by its name: "my policy number is 8 1 2"."""
    label = slot.name.split("_")[0].lower()
    match = re.search(rf"\b{re.escape(label)} (?:id|number|reference|token)\b(.+)", text, re.I)
    if match is None and not asked:
        return None
    return digits.digit_string(match[1] if match else text)


def _after(cues: str) -> Callable[[Slot, str, bool], str | None]:
    """The words that follow one of the cues, up to the next break; the whole answer if asked."""
    pattern = re.compile(
        rf"\b(?:{cues})\s+(?:my |the |your |zip code |zip )?([\w'&.-]+(?: [\w'&.-]+){{0,4}}?)"
        r"(?=\s+(?:that|which|on|and|for|every|next|please|i|is|was|because|\d+|\$)\b|[,.?!;]|$)",
        re.I,
    )

    def find(slot: Slot, text: str, asked: bool) -> str | None:
        if match := pattern.search(text):
            return match[1].strip()
        return _whole_answer(text) if asked else None

    return find


def _whole_answer(text: str) -> str | None:
    rest = re.sub(r"^(?:it's|it is|that's|to|at|in|from|the|my)\s+", "", without_fillers(text))
    return rest.strip(" .,!?")[:MAX_SENTENCE] or None


def _words(slot: Slot, text: str, asked: bool) -> str | None:
    return _choice(slot, text, asked) or (_whole_answer(text) if asked else None)


def _sentence(slot: Slot, text: str, asked: bool) -> str | None:
    return text.strip()[:MAX_SENTENCE] or None


_FROM_TEXT: Mapping[Kind, Callable[[Slot, str, bool], Any]] = {
    Kind.CHOICE: _choice,
    Kind.PERSON: _person,
    Kind.DIGITS: _digits,
    Kind.MONEY: _money,
    Kind.COUNT: _count,
    Kind.FLAG: _flag,
    Kind.IDENTIFIER: _identifier,
    Kind.PLACE: _after("near|nearest to|closest to|close to|around|in|branch to|zip code|at"),
    Kind.PARTY: _after("from|at|by|to|pay"),
    Kind.ADDRESS: _after("address is|address to|live at|moved to|is now|home,"),
    Kind.SENTENCE: _sentence,
    Kind.WORDS: _words,
}
