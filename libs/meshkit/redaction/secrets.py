"""Secrets in text: keys, tokens, passwords, connection strings, e-mail addresses. Pure."""

from __future__ import annotations

import re

_LABEL = (
    r"(?:pass(?:word|wd|phrase|code)?|pwd|secret|token|api[-_ ]?key|apikey|access[-_ ]?key|"
    r"account[-_ ]?key|shared[-_ ]?access[-_ ]?(?:key|signature)|subscription[-_ ]key|"
    r"client[-_ ]?secret|private[-_ ]?key|signature|sig|credentials?|authorization|cookie|"
    r"(?:x|azure|speech|openai|redis|cosmos|storage|model|service|encryption|signing|control)[-_]key)"
)
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    # PEM blocks, closed or cut off.
    (
        re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*KEY-----|\Z)", re.S),
        "[secret]",
    ),
    # RFC 7519 tokens: the header's JSON begins with `{"`, which is `eyJ` in base64url.
    (re.compile(r"\beyJ[\w-]{5,}\.[\w-]{5,}(?:\.[\w-]*)?"), "[secret]"),
    (
        re.compile(r"\b(Bearer|Basic|Token)\s+(?=[\w.~+/-]{0,400}[\d=])[\w.~+/=-]{6,}", re.I),
        r"\1 [secret]",
    ),
    # RFC 3986 userinfo: `scheme://user:password@host`; the greedy class takes `@` within it.
    (re.compile(r"(\b[a-z][a-z0-9+.-]{0,30}://)[^\s/?#\"'<>]{1,300}@", re.I), r"\1[secret]@"),
    # Well-known prefixes of issued keys.
    (
        re.compile(
            r"\b(?:sk|pk|rk)[-_](?:live[-_]|test[-_]|proj[-_])?[A-Za-z0-9_-]{12,}"
            r"|\bgh[pousr]_[A-Za-z0-9]{16,}|\bgithub_pat_\w{16,}|\bxox[a-z]-[\w-]{8,}"
            r"|\b(?:AKIA|ASIA)[A-Z0-9]{12,}|\bAIza[\w-]{20,}|\bglpat-[\w-]{12,}|\bhf_[A-Za-z0-9]{16,}"
        ),
        "[secret]",
    ),
    # `password=...`, `"api_key": "..."`, `AccountKey=...;`, `x-api-key: ...`
    (
        re.compile(
            rf"(?<![\w-])([\w-]{{0,40}}?{_LABEL}[\"']?\s?[=:]\s?)"
            r"(?:\"(?!\[)[^\"]+\"|'(?!\[)[^']+'|(?!\[|\")[^\s,;&\"')}\]]+)",
            re.I,
        ),
        r"\1[secret]",
    ),
    (
        re.compile(
            r"\b((?:password|passphrase|passcode|pass phrase)\s+(?:is|was)\s+)"
            r"(?!\[|(?:not|wrong|required|too|missing|empty|invalid|expired|in|set|never|only|a|the|"
            r"being|needed|stored|hashed|rotated|reset|changed)\b)[^\s,;]+",
            re.I,
        ),
        r"\1[secret]",
    ),
)
# Long base64 with all three kinds of characters; pure hex is an id or a digest.
_DENSE = re.compile(
    r"(?<![\w/+.-])(?=[A-Z0-9+/_]*[a-z])(?=[a-z0-9+/_]*[A-Z])(?=[A-Za-z+/_]*\d)(?![\w-]*-[\w]+-[\w]+-)"
    r"[A-Za-z0-9+/_]{40,}={0,2}(?![\w/+.-])"
)
_EMAIL = re.compile(
    r"[^\s@\"'<>()\[\]=:,;/]{1,64}@\[[^\s\]]{1,253}\]|"
    r"[^\s@\"'<>()\[\]=:,;/]{1,64}@[^\s@\"'<>()\[\],;:/]{1,253}\.[^\s@\"'<>()\[\],;:/.?!]{1,63}",
    re.I,
)
# As a transcript has it: "ada dot lovelace at example dot org".
_SPOKEN_EMAIL = re.compile(
    r"(?<![\w-])[\w-]{1,40}(?: (?:dot|underscore|dash|hyphen|period) [\w-]{1,40}){0,6} at "
    r"[\w-]{1,40}(?: dot [\w-]{1,40}){0,4} dot "
    r"(?:com|org|net|edu|gov|io|de|uk|co|fr|es|me|info)\b",
    re.I,
)


_SIGNS = (
    *(
        "://",
        "-----begin",
        "eyj",
        "bearer ",
        "basic ",
        "pass",
        "pwd",
        "secret",
        "token",
        "key",
        "sig",
    ),
    *("credential", "auth", "cookie", "sk-", "sk_", "pk_", "rk_", "ghp_", "gho_", "ghu_", "ghs_"),
    *("ghr_", "github_pat_", "xox", "akia", "asia", "aiza", "glpat-", "hf_"),
)
_LONG = 40
"""Length at which a word may be a key without a sign of it."""


def without_secrets(text: str) -> str:
    """The text with each secret as `[secret]`."""
    low = text.lower()
    # Looking for the signs costs a tenth of looking with the patterns, and most texts have none.
    if any(sign in low for sign in _SIGNS):
        for pattern, instead in _PATTERNS:
            text = pattern.sub(instead, text)
    return _DENSE.sub("[secret]", text) if len(text) >= _LONG else text


def without_emails(text: str) -> str:
    """The text with each e-mail address, written or spoken, as `[email]`."""
    if "@" in text:
        text = _EMAIL.sub("[email]", text)
    return _SPOKEN_EMAIL.sub("[email]", text) if " dot " in text.lower() else text
