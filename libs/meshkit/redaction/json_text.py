"""JSON that people's words went into: arguments and results of tools, what a call remembers. Pure.

Keys decide first: what is under a personal one goes, numbers too. Other strings are redacted as
what was said; other numbers stay, they are amounts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from meshkit.redaction.lexicon import lexicon
from meshkit.redaction.text import redact_said

_NAME_KEY = re.compile(
    r"^(?:(?:full|first|last|middle|maiden|given|family|legal|display|preferred|caller|customer|client|"
    r"patient|holder|account_holder|cardholder|beneficiary|payee|user|person|contact|agent_for|spouse|"
    r"policyholder|claimant|insured|employee|member|agent_full|sender|recipient|guest|passenger|"
    r"driver|owner|contact_person|signatory)_?name|surname_?\d?|forename|name|surname|caller|"
    r"customer|claimant|payee|"
    r"beneficiary|policyholder|cardholder)$",
    re.I,
)
_PERSONAL_KEY = re.compile(
    r"(?:^|_)(?:ssn|ssn4|ssn_last_?4|last_?4|last_four|tax_id|pin|otp|code|passcode|pass|passwd|"
    r"pwd|password|"
    r"secret|token|dob|"
    r"date_of_birth|birth_?date|birthday|phone|phone_number|mobile|email|e_mail|mail|telephone|tel|"
    r"fax|ani|dnis|msisdn|cell|pan|iban|card|card_number|cvv|"
    r"cvc|account|account_number|account_no|routing_number|passport|passport_number|nino|"
    r"national_id|nhs_number|"
    r"line_?[1-4]|address_line_?[1-4]|street_address|street_line_?[12]|home_address|postcode|"
    r"post_code|from_number|to_number|licen[sc]e|"
    r"licen[sc]e_number|street|address|postal_code|zip|zip_code|member_number|policy_number)$",
    re.I,
)
# An id, a time or an address of ours: what is said has spaces in it, or no digits between letters.
_TECHNICAL = re.compile(
    r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|[0-9a-f]{16,64}"
    r"|20\d\d-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?"
    r"|[a-z]+(?:[_.-][a-z]+)*"
)
_WORDS = re.compile(r"(?<=[a-z\d])(?=[A-Z])|-")
_OWN_WORD = re.compile(r"[a-z]+(?:[_-][a-z\d]+)*")
_REASON = re.compile(r"(?:[A-Z]+(?:_[A-Z]+)+|[a-z]+(?:_[a-z]+)+|OK|ok)?")
_OWN_KEYS = frozenset(
    (
        "model",
        "voice",
        "version",
        "id",
        "type",
        "kind",
        "status",
        "state",
        "event",
        "language",
        "tool",
        "function",
    )
)
_OWN_VALUE = re.compile(r"(?![\w.-]*\d{7})[A-Za-z][\w.-]*[-_.\d][\w.-]*")
_LEAST_CODE = 1000
_LEAST_NAME = 3
"""Characters of a name that is looked for elsewhere: shorter ones are words as well."""


def redact_json(text: str, key: str = "") -> str:
    """JSON text with what is personal taken out; text that is no JSON is redacted as a whole.

    `key` is the key that the text itself is kept under.
    """
    try:
        return json.dumps(_redacted(_snake(key), json.loads(text)), ensure_ascii=False)
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
        return {k: _redacted(_snake(k), part) for k, part in value.items()}
    if isinstance(value, list):
        return [_redacted(key, part) for part in value]
    if value is None or value == "" or isinstance(value, bool):
        return value
    if _NAME_KEY.search(key) and not _is_thing(key, value):
        return "[name]"
    if _PERSONAL_KEY.search(key) and not _is_status(key, value):
        return "[withheld]"
    return _said(key, value) if isinstance(value, str) else value


def _is_thing(key: str, value: Any) -> bool:
    # What is under `name` alone may be a tool's or a pool's: one ordinary word, or several with signs.
    if key.lower() != "name" or not isinstance(value, str) or not _OWN_WORD.fullmatch(value):
        return False
    return "_" in value or (value in lexicon().ordinary and value not in lexicon().given)


def _is_status(key: str, value: Any) -> bool:
    # A code of three digits is one of HTTP or gRPC, not one that opens a door.
    if not key.lower().endswith("code"):
        return False
    if isinstance(value, str):
        return bool(_REASON.fullmatch(value))
    return isinstance(value, int) and abs(value) < _LEAST_CODE


def _said(key: str, value: str) -> str:
    """A string; JSON within JSON is looked into."""
    if value[:1] in ("{", "["):
        try:
            return json.dumps(_redacted("", json.loads(value)), ensure_ascii=False)
        except (ValueError, RecursionError):
            pass
    if key.lower() in _OWN_KEYS and _OWN_VALUE.fullmatch(value):
        return value
    return value if _TECHNICAL.fullmatch(value) else redact_said(value)


def _snake(key: str) -> str:
    return _WORDS.sub("_", key)


def _names(key: str, value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for k, part in value.items():
            yield from _names(_snake(k), part)
    elif isinstance(value, list):
        for part in value:
            yield from _names(key, part)
    elif isinstance(value, str) and _NAME_KEY.search(key):
        yield from (name for name in (value.strip(), *value.split()) if len(name) >= _LEAST_NAME)
