"""JSON that people's words went into: arguments and results of tools, what a call remembers. Pure.

Keys decide first: what is under a personal one goes, numbers too. Other strings are redacted as
what was said; other numbers stay, they are amounts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from meshkit.redaction.text import redact_said

_NAME_KEY = re.compile(
    r"^(?:(?:full|first|last|middle|maiden|given|family|legal|display|preferred|caller|customer|client|"
    r"patient|holder|account_holder|cardholder|beneficiary|payee|user|person|contact|agent_for|spouse|"
    r"policyholder|claimant|insured|employee|member)_?name|name|surname|caller|customer|claimant|payee|"
    r"beneficiary|policyholder|cardholder)$",
    re.I,
)
_PERSONAL_KEY = re.compile(
    r"(?:^|_)(?:ssn|ssn4|ssn_last_?4|last_?4|last_four|tax_id|pin|otp|code|passcode|password|secret|token|dob|"
    r"date_of_birth|birth_?date|birthday|phone|phone_number|mobile|email|mail|iban|card|card_number|cvv|"
    r"cvc|account|account_number|account_no|routing_number|passport|passport_number|licen[sc]e|"
    r"licen[sc]e_number|street|address|postal_code|zip|zip_code|member_number|policy_number)$",
    re.I,
)
_LEAST_NAME = 3
"""Characters of a name that is looked for elsewhere: shorter ones are words as well."""


def redact_json(text: str, key: str = "") -> str:
    """JSON text with what is personal taken out; text that is no JSON is redacted as a whole.

    `key` is the key that the text itself is kept under.
    """
    try:
        return json.dumps(_redacted(key, json.loads(text)), ensure_ascii=False)
    except (ValueError, RecursionError):
        return redact_said(text)


def names_in_json(text: str) -> Iterator[str]:
    """The names of people that JSON text holds under keys for names, and their parts."""
    try:
        yield from _names("", json.loads(text))
    except (ValueError, RecursionError):
        return


def without_names(text: str, names: Iterable[str]) -> str:
    """The text with each of these names as `[name]`, in any case, whole words only."""
    words = sorted({re.escape(name) for name in names}, key=len, reverse=True)
    if not words:
        return text
    return re.sub(rf"(?<![\w\[])(?:{'|'.join(words)})(?![\w\]])", "[name]", text, flags=re.I)


def _redacted(key: str, value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _redacted(k, part) for k, part in value.items()}
    if isinstance(value, list):
        return [_redacted(key, part) for part in value]
    if value is None or isinstance(value, bool):
        return value
    if _NAME_KEY.search(key):
        return "[name]"
    if _PERSONAL_KEY.search(key):
        return "[withheld]"
    return redact_said(value) if isinstance(value, str) else value


def _names(key: str, value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for k, part in value.items():
            yield from _names(k, part)
    elif isinstance(value, list):
        for part in value:
            yield from _names(key, part)
    elif isinstance(value, str) and _NAME_KEY.search(key):
        yield from (name for name in (value.strip(), *value.split()) if len(name) >= _LEAST_NAME)
