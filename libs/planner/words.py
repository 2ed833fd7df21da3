"""Words and sentences of what somebody said: split, reduced, compared. Pure."""

from __future__ import annotations

import re


def vocabulary(*lines: str) -> frozenset[str]:
    """The words of some lines, as a set."""
    return frozenset(" ".join(lines).split())


STOP_WORDS = vocabulary(
    "a an the to of i i'm i'd my me is it it's and or on in for with your you be please can could",
    "what what's do so that this at by am are was would like want",
)

FILLERS = vocabulary(
    "um uh er hmm mm yes yeah yep sure okay ok well so right hi hello hey oh please and actually",
    "certainly absolutely great good morning afternoon evening no sorry thanks",
)

_WORD = re.compile(r"[a-z0-9]+(?:'[a-z]+)?")
_ENDING = re.compile(r"(ing|ed|s)$")
_SENTENCE = re.compile(r"(?<=[.?!;])\s+")


def words(text: str) -> list[str]:
    """The words of a text in lower case, with their apostrophes, without punctuation."""
    return _WORD.findall(text.lower().replace("’", "'"))


def stem(word: str) -> str:
    """A word without its commonest endings; crude, and the same on both sides of a comparison."""
    bare = (_ENDING.sub("", word) if len(word) > 3 else word).removesuffix("e")
    return bare[:-1] + "i" if bare.endswith("y") else bare


def singular(word: str) -> str:
    """A word without the s of a plural: "checking" stays apart from "check"."""
    return word.removesuffix("s") if len(word) > 3 else word


def stems(text: str) -> frozenset[str]:
    """The reduced words of a text that carry meaning."""
    return frozenset(stem(word) for word in words(text) if word not in STOP_WORDS)


def sentences(text: str) -> list[str]:
    """The sentences of a text, by its punctuation."""
    return [part.strip() for part in _SENTENCE.split(text) if part.strip()]


def without_fillers(text: str) -> str:
    """The text without the fillers it opens with, such as "yes, um"."""
    rest = text.strip()
    while True:
        match = re.match(r"([A-Za-z]+)[\s,.!?-]*", rest)
        if match is None or match[1].lower() not in FILLERS:
            return rest
        rest = rest[match.end() :]


def squeezed(text: str) -> str:
    """Lower-case letters and digits with single spaces: for comparing what was said."""
    return " ".join(words(text))
