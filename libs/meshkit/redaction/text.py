"""One text through all finders, in the order that lets each see what it needs. Pure."""

from __future__ import annotations

import re
from functools import lru_cache

from meshkit.redaction.addresses import without_addresses
from meshkit.redaction.numbers import (
    has_numbers,
    without_numbers,
    without_owned,
    without_spoken_dates,
)
from meshkit.redaction.people import without_people
from meshkit.redaction.secrets import without_emails, without_secrets
from meshkit.redaction.spoken import without_spelled, without_spoken
from meshkit.redaction.technical import put_back, set_aside
from meshkit.redaction.unmarked import without_unmarked

_CACHED_CHARACTERS = 200


def redact(text: str) -> str:
    """The text of a program without personal data and secrets; technical tokens survive.

    What is found becomes `[phone]`, `[card]`, `[iban]`, `[ssn]`, `[email]`, `[code]`, `[date]`,
    `[name]`, `[address]`, `[secret]`, or `[number]` where the kind is not known.
    """
    return _short(text) if len(text) <= _CACHED_CHARACTERS else _redacted(text)


@lru_cache(maxsize=512)
def _short(text: str) -> str:
    # Messages are constants and causes repeat: most records are answered from here.
    return _redacted(text)


# What recognisers and agents heard or said, where it got into a program's text.
_QUOTED_SPEECH = re.compile(
    r"\b((?:stt|asr|tts)[.\w]{0,20}|transcript|utterance|heard|said|text|partial|final)([=:]? ?|"
    r": )(\"|')(?!\[)"
    r"((?:(?!\3)[^\n]){2,400})\3"
)


def _redacted(text: str) -> str:
    text = _QUOTED_SPEECH.sub(lambda f: f"{f[1]}{f[2]}{f[3]}{redact_said(f[4])}{f[3]}", text)
    text = without_owned(without_emails(without_secrets(text)))
    text = without_addresses(without_people(without_spoken(text, said=False)), said=False)
    text = without_unmarked(text, said=False)
    if not has_numbers(text):
        return text
    text, tokens = set_aside(text)
    return put_back(without_numbers(text, said=False), tokens)


def redact_said(text: str) -> str:
    """What somebody said without personal data: stricter, since nobody says ports or ids.

    Runs of four digits and of three number words go too, and words that are used as names.
    """
    text = without_addresses(without_emails(without_secrets(text)), said=True)
    text, tokens = set_aside(without_owned(without_spoken_dates(text)), said=True)
    text = without_people(without_spelled(without_spoken(text, said=True)))
    text = without_unmarked(without_numbers(text, said=True), said=True)
    return put_back(text, tokens)
