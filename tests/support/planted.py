"""Secrets and personal data that tests plant in calls, arguments, error texts and settings.

None of it may come out of a sink: a log, a span, a metric label, an audit line, an archive, a task
dump, a profile, a status or a problem. All of it is invented.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from importlib import resources

import yaml

NAME = "Ada Lovelace"
SSN, PHONE, CARD = "457-55-5462", "415 555 2671", "4111 1111 1111 1111"
ACCOUNT, KEYS, LAST_FOUR = "4471902881", "830164", "9317"
CODE, MAIL = "four two one seven", "ada@example.org"

ACCOUNT_KEY = "cGxhbnRlZC1hY2NvdW50LWtleQ=="
CONNECTION = f"AccountEndpoint=https://bank.example.net:443/;AccountKey={ACCOUNT_KEY};"
STORE_SECRET = "cGxhbnRlZC1hcHBjb25maWctc2VjcmV0"
STORE = f"Endpoint=https://127.0.0.1:9;Id=planted;Secret={STORE_SECRET}"
"""Of an App Configuration that nobody answers for."""
PASSWORD = "pl4nted-redis-pass"
REDIS_URL = f"rediss://:{PASSWORD}@redis.example.net:6380/0"
TOKEN = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJwbGFudGVkIn0.cGxhbnRlZC1zaWduYXR1cmU"
MODEL_KEY = "sk-planted9f2c7d41aa83e6b05d14"
CONTROL_KEY = "planted-control-key-4d1b8e07c6f2a935"
ERASURE_KEY = "planted-erasure-key-77b0c1f2e9d84a63"
SPEECH_KEY = "9f86d081884c7d659a2feaa0c55ad015"

_NUMBERS = (SSN, PHONE, ACCOUNT, CARD, KEYS, LAST_FOUR)
_WORDS = (CODE, MAIL, *NAME.split())
SECRETS = (
    ACCOUNT_KEY,
    STORE_SECRET,
    PASSWORD,
    TOKEN,
    MODEL_KEY,
    CONTROL_KEY,
    ERASURE_KEY,
    SPEECH_KEY,
)
LONG = (SSN, PHONE, ACCOUNT, CARD, MAIL, NAME, *SECRETS)
"""Those that cannot be part of something else by chance, such as of a trace's id."""
ELSEWHERE = ("123-45-6789", "hunter2", "hush-hush", "sk-abcdefghijklmnop1234")
"""What other tests plant in texts, arguments and settings of their own."""


def customers() -> tuple[str, ...]:
    """Whom callers of every test say that they are: names and account numbers of the demo."""
    path = resources.files("tool_executor") / "data" / "customers.yaml"
    rows = yaml.safe_load(path.read_text(encoding="utf-8"))
    numbers = (account["number"] for row in rows for account in row["accounts"])
    return (*(row["full_name"] for row in rows), *numbers)


def patterns() -> dict[str, re.Pattern[str]]:
    """How each value is looked for: digits with or without what stands between them."""
    digits = {n: r"\D?".join(re.findall(r"\d", n)) for n in _NUMBERS}
    words = {w: re.escape(w) for w in (*_WORDS, *SECRETS)}
    return {
        value: re.compile(rf"(?<!\w){pattern}(?!\w)", re.IGNORECASE)
        for value, pattern in (digits | words).items()
    }


def found_in(text: str, wanted: Mapping[str, re.Pattern[str]] | None = None) -> list[str]:
    """The planted values that a text holds."""
    return [value for value, pattern in (wanted or patterns()).items() if pattern.search(text)]


def spellings(values: Iterable[str]) -> dict[str, str]:
    """Each way in which a value is commonly written, in small letters, to the value.

    Plain text to be looked for: much quicker than patterns, where much is read.
    """
    found: dict[str, str] = {}
    for value in values:
        written = {value}
        if re.fullmatch(r"[\d -]+", value):
            groups = re.findall(r"\d+", value)
            written |= {joint.join(groups) for joint in ("", " ", "-", ".")}
        found |= {spelling.lower(): value for spelling in written}
    return found
