"""Writes out what the voices read wrongly: identifiers, digit strings, e-mail and web addresses.

Amounts, dates and times are left to the voice, which knows them. Pure.
"""

from __future__ import annotations

import re

_EMAIL = re.compile(r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+\b")
_WEB = re.compile(r"\b(?:https?://)?(?:www\.)[\w-]+(?:\.[\w-]+)+\b|\bhttps?://[\w.-]+\w")
_MIXED = re.compile(r"\b(?=[A-Z0-9-]*[A-Z])(?=[A-Z0-9-]*\d)[A-Z0-9]+(?:-[A-Z0-9]+)*\b")
"""AB12CD, TX-4471: capitals and digits together."""
_AMOUNT_AFTER = r"(?!\s*(?:%|percent|dollars?|euros?|pounds?|cents?)\b)"
_DIGITS = re.compile(rf"(?<![\d.,$€£:/-])(?:0\d+|\d{{6,}})(?![\d.,:/-]?\d){_AMOUNT_AFTER}")
"""A leading zero or six digits and more without separators: a number to dial or to note down."""
_ORDINARY = re.compile(r"[A-Z]?\d+(?:ST|ND|RD|TH|AM|PM|K|M|G|GB|MB)?|[A-Z]\d")
_ACRONYMS = {"IBAN": "I ban", "BIC": "B I C"}
_ACRONYM = re.compile(r"\b(?:" + "|".join(_ACRONYMS) + r")\b")


def written_out(text: str) -> str:
    """`text` as a voice should read it."""
    text = _EMAIL.sub(lambda match: _address(match[0]), text)
    text = _WEB.sub(lambda match: _address(re.sub(r"^https?://", "", match[0])), text)
    text = _MIXED.sub(lambda match: _identifier(match[0]), text)
    text = _DIGITS.sub(lambda match: _spelled(match[0]), text)
    return _ACRONYM.sub(lambda match: _ACRONYMS[match[0]], text)


def _address(address: str) -> str:
    for sign, word in (("@", " at "), (".", " dot "), ("_", " underscore "), ("-", " dash ")):
        address = address.replace(sign, word)
    return address


def _identifier(word: str) -> str:
    return word if _ORDINARY.fullmatch(word) else _spelled(word.replace("-", " "))


def _spelled(characters: str) -> str:
    return " ".join(characters.replace(" ", ""))
