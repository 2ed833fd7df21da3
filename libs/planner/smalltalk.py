"""What callers say that no tool is for: greetings, thanks, yes and no, and things out of scope.

Short and certain wordings are matched by rule; `PHRASES` are examples for the embeddings. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum

from planner.words import FILLERS, vocabulary, words


class SmallTalk(Enum):
    """What is meant, where no tool is."""

    GREETING = "greeting"
    THANKS = "thanks"
    GOODBYE = "goodbye"
    YES = "yes"
    NO = "no"
    REPEAT = "repeat"
    HELP = "help"
    WAIT = "wait"
    HEARING = "hearing"
    WHO = "who"
    OTHER = "other"


PHRASES: Mapping[SmallTalk, tuple[str, ...]] = {
    SmallTalk.GREETING: ("hi there", "good morning", "hello, how are you"),
    SmallTalk.THANKS: ("thank you very much", "thanks for your help"),
    SmallTalk.GOODBYE: (
        "goodbye",
        "that is everything, thanks",
        "nothing else, thank you",
        "have a nice day",
    ),
    SmallTalk.YES: ("yes please go ahead", "yes that is right"),
    SmallTalk.NO: ("no that is not right", "no thank you"),
    SmallTalk.REPEAT: ("sorry could you repeat that", "I did not hear you, say it again"),
    SmallTalk.HELP: ("what can you do for me", "what can I ask you", "I need some help"),
    SmallTalk.WAIT: ("one moment please", "hold on a second", "let me look for it"),
    SmallTalk.HEARING: ("are you there", "can you hear me okay"),
    SmallTalk.WHO: ("who are you", "am I talking to a robot"),
    SmallTalk.OTHER: (
        "what's the weather like today",
        "tell me a joke",
        "what is two plus two",
        "tell me a story",
        "sing a song",
        "who won the game last night",
        "what time is it",
        "order a pizza for me",
    ),
}

_RULES: tuple[tuple[SmallTalk, re.Pattern[str]], ...] = tuple(
    (intent, re.compile(pattern))
    for intent, pattern in (
        (SmallTalk.GOODBYE, r".*\b(good ?bye|bye|bye bye|see you|talk to you later)( then| now)?"),
        (
            SmallTalk.GOODBYE,
            r".*\b(that's|that is|that was|that will be) (all|it|everything)( for (today|now))?"
            r"( thanks| thank you)?",
        ),
        (
            SmallTalk.GOODBYE,
            r"(no )?(nothing else|i'm done|we're done|all done)( thanks| thank you)?",
        ),
        (
            SmallTalk.REPEAT,
            r"(what|pardon( me)?|come again|excuse me|i (didn't|did not) (get|hear) (that|you))",
        ),
        (
            SmallTalk.REPEAT,
            r"((can|could|would|will) you )?(please )?(repeat|say) (that|it)( again)?",
        ),
        (
            SmallTalk.WAIT,
            r"(wait|hold on|hang on|let me (look|check|see|think)|give me)?"
            r"( ?(just )?(a|one) (second|sec|moment|minute))?",
        ),
        (SmallTalk.THANKS, r"(many )?(thanks|thank you)( so much| very much| a lot)?"),
        (SmallTalk.GREETING, r"(hi|hello|hey|good (morning|afternoon|evening))( there)?"),
        (SmallTalk.HELP, r"(help|help me)( please)?"),
    )
)

_YES = vocabulary(
    "yes yeah yep yup sure correct right okay ok absolutely exactly certainly definitely",
    "indeed affirmative",
)
_PLAIN_YES = vocabulary("yes yeah yep sure right")
_NO = vocabulary("no nope nah never don't not wrong incorrect cancel stop")
_AGREED = re.compile(r"\b(go ahead|please do|do it|sounds good|that's (right|correct|fine))\b")
_REFUSED = re.compile(
    r"\b(never ?mind|forget it|don't do|do not|leave it|not now|rather not|changed my mind"
    r"|that's (wrong|not right)|that is not right)\b"
)
_POLITE = {
    "please",
    "thanks",
    "thank",
    "you",
    "ma'am",
    "sir",
    "i",
    "am",
    "it",
    "is",
    "that",
    "that's",
}
MAX_SHORT_WORDS = 7


def by_rule(text: str) -> SmallTalk | None:
    """What a text means if a rule is certain of it."""
    said = words(text)
    if not said:
        return None
    spoken = " ".join(said)
    for intent, pattern in _RULES:
        if pattern.fullmatch(spoken) or pattern.fullmatch(_undressed(said)):
            return intent
    answer = yes_or_no(text)
    rest = set(said) - _YES - _NO - _POLITE - FILLERS
    if answer is None or rest:
        return None
    return SmallTalk.YES if answer else SmallTalk.NO


def yes_or_no(text: str) -> bool | None:
    """Whether a short text agrees or refuses; None if it does neither, or says more.

    Refusal wins over agreement: "yes, no, don't do that" must not move money.
    """
    said = words(text)
    if not said or len(said) > MAX_SHORT_WORDS:
        return False if said and said[0] in {"no", "nope"} else None
    spoken = " ".join(said)
    if _REFUSED.search(spoken) or set(said) & _NO:
        return False
    if said[0] in _YES or _AGREED.search(spoken):
        return True
    return None


def _undressed(said: list[str]) -> str:
    """The words without the fillers around them."""
    start, end = 0, len(said)
    while start < end - 1 and said[start] in FILLERS - _NO - _PLAIN_YES:
        start += 1
    while end - 1 > start and said[end - 1] in {"please", "then", "thanks"}:
        end -= 1
    return " ".join(said[start:end])
