"""Each word that a script may answer has one meaning, and no script answers another."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

from meshkit.errors import MeshError
from session_store.refusals import accepted

WORDS = {
    "MISSING": "SESSION_NOT_FOUND",
    "EXISTS": "SESSION_EXISTS",
    "ENDED": "SESSION_ENDED",
    "CONFLICT": "SESSION_CONFLICT",
    "CLIENT_CHANGED": "CLIENT_CHANGED",
    "SUPERSEDED": "CALL_OWNER_SUPERSEDED",
    "EPOCH_UNKNOWN": "ARGUMENT_INVALID",
    "OWNED": "CALL_OWNED",
    "REUSED": "REQUEST_ID_REUSED",
    "NO_CLAIM": "CLAIM_NOT_FOUND",
    "CLAIM_LOST": "CLAIM_LOST",
    "TOO_MANY": "DOCUMENT_TOO_LARGE",
}


@pytest.mark.parametrize(("word", "reason"), WORDS.items())
def test_a_word_is_a_reason(word: str, reason: str) -> None:
    details = [b"10.0.0.1:1", 3] if word == "OWNED" else [3]
    with pytest.raises(MeshError) as refused:
        accepted("s", [word.encode(), *details])
    assert refused.value.reason == reason


def test_ok_gives_what_follows() -> None:
    assert accepted("s", [b"OK", 1, b"x"]) == [1, b"x"]


OF_OTHERS = {
    *{"EXHAUSTED", "REFUSED", "FULL"},
    *{"GONE", "WAIT", "OVER", "CHANGED", "ERASED", "OTHER"},
}
"""What quotas and policy counters are answered, and the archiver and erasure."""


def test_the_words_are_those_of_the_scripts() -> None:
    folder = files("session_store.scripts")
    texts = [path.read_text() for path in folder.iterdir() if path.name.endswith(".lua")]
    used = set(re.findall(r"\{\s*'([A-Z_]+)'", "\n".join(texts)))
    assert used == {"OK", *WORDS, *OF_OTHERS}
