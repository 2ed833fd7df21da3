"""Personal names in what a recogniser wrote: with or without capitals and punctuation. Pure."""

from __future__ import annotations

import re

from planner.numerals import NUMBER_WORDS
from planner.words import FILLERS, sentences, vocabulary, without_fillers

MAX_NAME_WORDS = 4

_STRONG = re.compile(
    r"\b(?:my (?:full |first )?name(?:'s| is)|the name(?:'s| is)|name is|call me|under the name(?: of)?"
    r"|find me under|look me up under|(?:full )?name:)\s+",
    re.I,
)
_WEAK = re.compile(r"\b(?:this is|i'm|i am|it's|it is|that's|speaking with)\s+", re.I)
_AFTER = re.compile(r"^((?:[A-Za-z][\w'’-]*\s+){1,3}[A-Za-z][\w'’-]*) (?:here|speaking)\b", re.I)
_WORD = re.compile(r"([^\W\d_][\w'’.-]*)")

_NOT_NAMES = vocabulary(
    "a an the and or but with my your our his her their its i you we he she they it is are was were",
    "be been am do does did have has had can could will would shall should may might must not",
    "last first final four digits digit number numbers code card account client customer id pin",
    "calling call from for to of in on at by about as if so because that this these those there",
    "here where when why what which who how just only also still very really quite already now",
    "looking trying having going wondering interested locked getting waiting asking afraid unable",
    "sure fine not new born ending ends end balance money fee charge charged transaction bank",
    "speaking again correct right wrong everything all nothing something anything date birth",
    "please thanks thank bye goodbye want need like know tell give show get check help said",
    "checking savings saving credit debit me us verify identity confirm who",
)
_CONTRACTED = ("n't", "'s", "'re", "'ve", "'m", "'ll", "'d")


def person_name(text: str, asked: bool = False) -> str | None:
    """The personal name that a caller gives, in title case; None if no name is recognised.

    `asked`: the agent has just asked for it, so the words may stand alone: "alice brown, 1234".
    """
    text = text.replace("’", "'")
    for match in _STRONG.finditer(text):
        if name := _leading_name(text[match.end() :]):
            return name
    openings = [without_fillers(sentence) for sentence in sentences(text)]
    for opening in openings:
        after = _AFTER.match(opening)
        if after is not None and (name := _leading_name(after[1])):
            return name
    for match in _WEAK.finditer(text):
        name = _leading_name(text[match.end() :])
        if name and (asked or " " in name):
            return name
    return next(filter(None, (_bare_name(opening, asked) for opening in openings)), None)


def _bare_name(text: str, asked: bool) -> str | None:
    """A name with which a text opens; unasked only with capitals, which recognisers give names."""
    name = _leading_name(text)
    if name is None or asked:
        return name
    given = text[: len(name)]
    return name if " " in name and given == name else None


def _leading_name(text: str) -> str | None:
    taken: list[str] = []
    end = 0
    for match in _WORD.finditer(text):
        between = text[end : match.start()]
        word = match[1].rstrip(".'-")
        if (end and between.strip(" ")) or (not end and between.strip(" ,.")):
            break
        if not _may_be_name(word) or len(taken) == MAX_NAME_WORDS:
            break
        taken.append(word)
        end = match.start() + len(word)
    return " ".join(_cased(word) for word in taken) or None


def _may_be_name(word: str) -> bool:
    lower = word.lower()
    known = lower in _NOT_NAMES or lower in FILLERS or lower in NUMBER_WORDS
    return len(word) > 1 and not known and not lower.endswith(_CONTRACTED)


def _cased(word: str) -> str:
    """The word as names are written; one that has capitals inside is left as it is."""
    return word if any(c.isupper() for c in word[1:]) else word[:1].upper() + word[1:].lower()
