"""Names of people and of their homes, where the words around give them away. Pure.

A name without such words is not found: what people say is therefore never logged, whole or in part.
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
        r"holder|account_holder|display|user|person)[_ -]?(?i:name)[\"']?\s?[=:]\s?)"
        rf"(?:\"(?!\[)[^\"]+\"|'(?!\[)[^']+'|{_CAPS}|{_ONE})",
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
    re.compile(rf"\b((?:Mr|Mrs|Ms|Miss|Dr|Prof|Herr|Frau|Señora?|Mme|Mx)\.? ){_CAPS}"),
    re.compile(
        r"\b((?:[Mm]e llamo|[Mm]i nombre es|[Jj]e m'appelle|[Ii]ch heiße|[Mm]ein Name ist) )"
        rf"{_NAME}"
    ),
)
_STREET = re.compile(
    r"\b\d{1,5}[A-Za-z]? (?:[NSEW]\.? )?(?:[A-Z][\w'’]+ ){1,3}"
    r"(?:Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Place|Pl|Way|Terrace)\b\.?",
)
# What a validation library repeats of its input.
_INPUT = re.compile(r"\b(input_value=|input: |got: )(?:'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")")


def without_people(text: str) -> str:
    """The text with names as `[name]` and homes as `[address]`."""
    text = _INPUT.sub(r"\1[withheld]", text)
    for pattern in _PATTERNS:
        text = pattern.sub(r"\1[name]", text)
    return _STREET.sub("[address]", text)
