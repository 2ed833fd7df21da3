"""Names of people, where the words around give them away. Pure.

Names without such words are looked for in `meshkit.redaction.unmarked`; not all are found there, and
what people say is therefore never logged, whole or in part.
"""

from __future__ import annotations

import re

_STOP = (
    r"(?:and|from|i|i'm|im|my|calling|with|at|on|in|the|a|an|for|to|but|so|here|speaking|is|was|not|"
    r"or|of|date|born|account|phone|please|thanks|thank|it's|its|that|this|you|your|we|as|if|by)"
)
_WORD = rf"(?!{_STOP}\b)[^\W\d_][\w'’-]*\.?"
_CAP = r"[^\W\d_a-z][\w'’-]+"
_NAME = rf"{_WORD}(?:\s+{_WORD}){{0,3}}"
_CAPS = rf"{_CAP}(?:\s+(?:(?:van|von|de|der|den|la|di|da|bin|al)\s+)*{_CAP}){{0,3}}"
_FULL = rf"{_CAP}(?:\s+(?:(?:van|von|de|der|den|la|di|da|bin|al)\s+)*{_CAP}){{1,3}}"

_ONE = r"(?!\[)[^\s,;\"'})\[\]]+"

_ONE_CAP = r"[^\W\d_a-z][\w'’-]*"
_PATTERNS: tuple[re.Pattern[str], ...] = (
    re.compile(
        r"\b((?:my|his|her|their|caller'?s?|customer'?s?|patient'?s?|full|first|last|maiden|the) "
        r"(?:full |first |last |maiden |sur|legal )?name(?:'s| is| was)(?: uh| um| spelled)?,? )"
        rf"{_NAME}",
        re.I,
    ),
    re.compile(
        rf"\b((?:[Nn]ame (?:on|for|of|under) (?:the|my|his|her|this) \w+(?: is|'s| was),? )){_NAME}"
    ),
    re.compile(
        r"(?<![a-z])((?i:first|last|full|given|family|maiden|middle|caller|customer|client|patient|"
        r"holder|account_holder|policyholder|display|user|person|caller_id|sender|recipient|"
        r"contact|guest|employee|"
        r"member|passenger|spouse|legal|preferred|nick|payee|beneficiary|student|borrower|driver|"
        r"owner)[_ -]?(?i:name)[\"']?\s?[=:]\s?)"
        rf"(?:\"(?!\[)[^\"]+\"|'(?!\[)[^']+'|{_CAPS}|{_ONE})",
    ),
    re.compile(
        r"(?<![\w-])((?i:(?:assigned_to|assignee|agent_name|caller|customer|owner|display_?name|"
        r"to_name|from_name|"
        r"contact|recipient|payee|beneficiary|cardholder|speaker))=)(?:\"(?!\[)[^\"]+\"|'(?!\[)[^']+')"
    ),
    re.compile(r"()\"(?!\[)[^\"<>=:]{2,60}\"(?=\s?<(?:\[|sip|tel|mailto|\+))"),
    re.compile(rf"((?i:<(?:\w{{1,20}}:)?name>)){_CAPS}(?=<)"),
    re.compile(
        rf"\b(){_ONE_CAP}(?= is (?:my|his|her|their|the) (?:family |last |first |sur|"
        rf"middle |maiden |given )?name\b)"
    ),
    re.compile(
        rf"((?:name|driver|holder|called|calling)\? (?:\w{{1,12}}: )?(?:it's |yes |um |uh |"
        rf",){{0,4}}){_CAPS}"
    ),
    re.compile(rf"(?<![\w-])([Nn]ame=){_CAP}(?:(?:%20|\+){_CAP}){{1,3}}"),
    re.compile(r"((?i:[\w-]{0,40}-name):\s)(?!\[)[^\r\n,;]{1,80}"),
    re.compile(
        r"((?i:<(?:\w{1,20}:)?(?:first|last|full|sur|given|family|display|customer|caller|"
        r"holder)_?name>))[^<>]{1,80}"
    ),
    re.compile(
        rf"\b((?i:(?:sur|last |first |middle |maiden |full |family |given |fore)name)"
        rf"(?:(?:'s| is| was|:|,)? ))(?:it's |is )?(?:{_CAPS})"
    ),
    re.compile(
        r"\b((?:[Mm]y|[Hh]is|[Hh]er|[Tt]heir|[Oo]ur|[Tt]he) (?:late |ex-?|old |new |elder |"
        r"younger |little |eldest )?"
        r"(?:husband|wife|daughter|son|partner|mother|mum|mom|dad|father|brother|sister|friend|"
        r"boss|manager|"
        r"neighbour|neighbor|solicitor|lawyer|doctor|nurse|uncle|aunt|auntie|gran|nan|grandad|grandson|"
        r"granddaughter|nephew|niece|cousin|colleague|fianc[ée]e?|flatmate|landlord|tenant|carer|"
        r"guardian|"
        r"stepson|stepdaughter|girlfriend|boyfriend|baby|assistant|accountant|builder|plumber|"
        r"engineer),? "
        rf"(?:is |called |named )?){_CAPS}"
    ),
    re.compile(
        rf"\b((?:(?:'s|[Ii]s|[Ww]as|[Aa]re|[Gg]ot|[Gg]ets?|[Bb]e|lady|man|guy|woman|person|agent|"
        rf"someone|somebody|"
        rf"bloke|girl|boy|lad|chap) (?:called|named) )){_CAPS}"
    ),
    re.compile(
        r"\b((?:[Ss]igned|[Rr]egards|[Ss]incerely|[Ff]aithfully|[Cc]heers|[Ll]ove)(?: by|,| from)? )"
        rf"{_FULL}"
    ),
    re.compile(rf"\b((?:[Tt]his is|[Ii]t'?s|[Ii] am|[Ii]'m|[Nn]ame:) ){_FULL}"),
    re.compile(rf"\b((?:[Tt]his is|[Ii]t'?s) ){_CAPS}(?= (?:speaking|calling|here|from)\b)"),
    re.compile(rf"\b((?:[Tt]his is|[Ii]t'?s|[Ii] am|[Ii]'m) )(?:{_CAPS})(?=,? (?:born|my|date)\b)"),
    re.compile(
        r"\b((?:[Ss]peak(?:ing)? (?:to|with)|[Tt]alk(?:ing)? (?:to|with)|[Cc]alls? (?:me|from)|"
        r"[Cc]alled|[Nn]amed|[Cc]aller|[Cc]ustomer|[Pp]atient|[Cc]lient|[Bb]eneficiary|[Pp]ayee|"
        rf"[Hh]ello|[Hh]i|[Dd]ear|[Tt]hank you|[Tt]hanks),? ){_FULL}"
    ),
    re.compile(
        r"\b((?:[Hh]ello|[Hh]i|[Dd]ear|[Cc]all me|[Tt]hank you|[Tt]hanks),? )"
        rf"{_CAP}(?=[,.!]|$)"
    ),
    re.compile(
        r"\b((?:Mr|Mrs|Ms|Miss|Dr|Prof|Herr|Frau|Señora?|Mme|Mx|Mister|Sir|Madame|Monsieur|Rev|Fr|"
        r"Sgt|Capt|"
        rf"Doctor|Professor|Nurse)\.? )(?:(?:[A-Z]\.? ){{1,3}})?{_CAPS}"
    ),
    re.compile(
        r"\b((?:mr|mrs|mister|dr)\.? )(?:[a-z]\.? )?(?!(?:and|or|is|was|said|who|"
        r"the)\b)[^\W\d_]{2,}(?:-[^\W\d_]+)?"
    ),
    re.compile(
        rf"\b((?i:this is|it'?s|i'?m|i am) )(?!(?:the|not|just|a|an|my|only|always|nobody|anyone|"
        rf"someone|who|english|being|still)\b){_WORD}(?: {_WORD})?(?=,? (?:speaking|"
        rf"calling)\b(?! (?:about|from|of|to|for|with)\b))"
    ),
    re.compile(
        r"\b((?:[Mm]e llamo|[Mm]i nombre es|[Jj]e m'appelle|[Ii]ch heiße|[Mm]ein Name ist) )"
        rf"{_NAME}"
    ),
)
# What a validation library repeats of its input.
_INPUT = re.compile(r"\b(input_value=|input: |got: )(?:'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")")


# A capital, or a word that all patterns without one have.
_SIGNS = re.compile(
    r"(?-i:[^\W\d_a-z])|name|assign|mr|dr\b|mister|speaking|calling|caller|customer|owner|contact|recipient|"
    r"payee|beneficiary|cardholder|speaker",
    re.I,
)


def without_people(text: str) -> str:
    """The text with names as `[name]`."""
    text = _INPUT.sub(r"\1[withheld]", text)
    if not _SIGNS.search(text):
        return text
    for pattern in _PATTERNS:
        text = pattern.sub(r"\1[name]", text)
    return text
