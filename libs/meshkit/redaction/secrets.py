"""Secrets in text: keys, tokens, passwords, connection strings, e-mail addresses. Pure."""

from __future__ import annotations

import re

from meshkit.redaction.spoken_email import without_spoken_emails

_LABEL = (
    r"(?:pass(?:word|wd|phrase|code)?|pwd|secret|token|api[-_ ]?key|apikey|access[-_ ]?key|"
    r"account[-_ ]?key|shared[-_ ]?access[-_ ]?(?:key|signature)|subscription[-_ ]key|"
    r"secret[-_ ]?key|instrumentation[-_ ]?key|client[-_ ]?secret|session[-_ ]?(?:key|cookie)|"
    r"jsessionid|phpsessid|totp|assertion|"
    r"private[-_ ]?key|signature|sig|credentials?|authorization|cookie|"
    r"(?:x|azure|speech|openai|redis|cosmos|storage|model|service|encryption|signing|control|"
    r"functions|app|master|web|public|ssh|wifi|host)[-_]key)"
)
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    # PEM blocks, closed or cut off.
    (
        re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*KEY-----|\Z)", re.S),
        "[secret]",
    ),
    # RFC 7519 tokens: the header's JSON begins with `{"`, which is `eyJ` in base64url.
    (re.compile(r"\beyJ[\w-]{5,}\.[\w-]{2,}(?:\.[\w-]*)?"), "[secret]"),
    (
        re.compile(r"\b(Bearer|Basic|Token)\s+(?=[\w.~+/-]{0,400}[\d=])[\w.~+/=%-]{6,}", re.I),
        r"\1 [secret]",
    ),
    # RFC 3986 userinfo: `scheme://user:password@host`; the greedy class takes `@` within it.
    (re.compile(r"(\b[a-z][a-z0-9+.-]{0,30}://)[^\s/?#\"'<>]{1,300}@", re.I), r"\1[secret]@"),
    # Well-known prefixes of issued keys.
    (
        re.compile(
            r"\b(?:sk|pk|rk)[-_](?:live[-_]|test[-_]|proj[-_])?[A-Za-z0-9_-]{12,}"
            r"|\bgh[pousr]_[A-Za-z0-9]{16,}|\bgithub_pat_\w{16,}|\bxox[a-z]-[\w-]{8,}"
            r"|\b(?:AKIA|ASIA)[A-Z0-9]{12,}|\bSG\.[\w-]{16,}\.[\w-]{16,}"
            r"|\b(?:whsec|npm|rpa|dop_v1|doo_v1|shp(?:at|ca|pa|ss)|sq0(?:atp|csp)|glsa|dckr_pat|"
            r"pypi|lin_api|nvapi|gsk|"
            r"sbp|figd)[-_][A-Za-z0-9_-]{16,}"
            r"|\bya29\.[\w-]{10,}|\b1//0[\w-]{10,}|\bxapp-[\w-]{8,}|\bAGE-SECRET-KEY-\w+|"
            r"\bhv[sb]\.[\w-]{10,}|\bsha256~[\w-]{20,}"
            r"|\bAIza[\w-]{20,}|\bglpat-[\w-]{12,}|\bhf_[A-Za-z0-9]{16,}"
        ),
        "[secret]",
    ),
    # Command lines, chat hooks, digests of passwords, answers of a login.
    (
        re.compile(
            r"((?:^|\s)(?:-u|--user|--proxy-user)[ =]['\"]?)[^\s:'\"]{1,80}:[^\s'\"]{1,200}"
        ),
        r"\1[secret]",
    ),
    (
        re.compile(
            r"((?:^|\s)--?(?:[\w-]{0,30}?)(?:pass(?:word|wd|phrase)?|secret|token|"
            r"key)[ =]['\"]?)(?!\[)[^\s'\"-][^\s'\"]{2,200}",
            re.I,
        ),
        r"\1[secret]",
    ),
    (
        re.compile(
            r"(\b(?:mysql|mysqldump|mariadb|sshpass|docker login|helm)\b[^\n]{0,80}? -p)(?=\S)[^\s]{4,}"
        ),
        r"\1[secret]",
    ),
    (
        re.compile(
            r"(hooks\.slack\.com/(?:services|workflows)/)[\w/]{8,}|(/bot)\d{8,10}:[\w-]{30,}", re.I
        ),
        r"\1\2[secret]",
    ),
    (
        re.compile(
            r"([?&](?:code|token|sig|signature|auth|key|ticket|otp|nonce|SAMLResponse|"
            r"assertion)=)(?!\[)[^&\s\"'<>]{4,}",
            re.I,
        ),
        r"\1[secret]",
    ),
    (
        re.compile(
            r"\b((?:response|cnonce|nonce|ha1)=[\"']?)(?=[\w+/=-]{0,400}\d)[\w+/=-]{8,}", re.I
        ),
        r"\1[secret]",
    ),
    (re.compile(r"\b(ssh-(?:rsa|ed25519|dss)|ecdsa-[\w-]{1,30}) AAAA[\w+/=]{8,}"), r"\1 [secret]"),
    (
        re.compile(
            r"\b((?:password|passphrase|passcode|secret|pass|"
            r"pwd) [\"']?)(?!\[)(?=[^\s\"']{0,80}\d)(?=[^\s\"']{0,80}[A-Za-z!@#$%^&*])"
            r"(?!\d+(?:ms|s|h|d|min|kb|mb)\b)[^\s\"',;]{5,80}",
            re.I,
        ),
        r"\1[secret]",
    ),
    (
        re.compile(
            r"\b((?:memorable|secret|security|safe) (?:word|answer|phrase|password)[:,]? [\"']?)"
            r"(?!\[)(?:(?<=[\"'])[^\"']{2,60}|(?-i:[A-Z])[\w'-]{2,40})",
            re.I,
        ),
        r"\1[secret]",
    ),
    (
        re.compile(
            r"\b((?:wi-?fi|network|recovery|licen[cs]e|product|activation|setup|pairing) key(?:'s|"
            r" is|:)? )"
            r"(?=[A-Z\d-]{0,40}\d)[A-Z\d]{2,}(?:-[A-Z\d]{2,}){0,6}",
            re.I,
        ),
        r"\1[secret]",
    ),
    (
        re.compile(
            r"\b((?:password|passphrase|pass|pwd|secret)(?: changed| set| reset)? (?:from|"
            r"to) )(?!\[|the|a\b|be\b|your|my|log|get)"
            r"(?=\S{0,60}\d)[^\s,;]{4,60}(?: to [^\s,;]{4,60})?",
            re.I,
        ),
        r"\1[secret]",
    ),
    (
        re.compile(
            r"\b((?:password|passphrase|passcode|secret)\s+)(?:\"(?!\[)[^\"]{3,80}\"|"
            r"'(?!\[)[^']{3,80}')",
            re.I,
        ),
        r"\1[secret]",
    ),
    (
        re.compile(
            r"\b((?:security|memorable|secret|safe) (?:word|answer|phrase)|password|passphrase|"
            r"maiden name|first pet)"
            r"(\? (?:\w{2,12}: )?(?:it's |um |uh |yes )?)(?!(?:I|no|what|sorry|which|the|"
            r"my)\b)[\w'!@#$%&*-]{3,40}",
            re.I,
        ),
        r"\1\2[secret]",
    ),
    # A key that a word names, with a letter and a digit in it.
    (
        re.compile(
            r"\b((?:[\w-]{0,20}key|[\w-]{0,20}token|[\w-]{0,20}secret|credential)(?:'s| is| was|"
            r":)? (?:now )?)"
            r"(?!\[)(?=[\w.~+/-]{0,400}\d)(?=[\w.~+/-]{0,400}[A-Za-z])[\w.~+/=-]{12,400}(?![\w\]])",
            re.I,
        ),
        r"\1[secret]",
    ),
    # `password=...`, `"api_key": "..."`, `AccountKey=...;`, `x-api-key: ...`
    (
        re.compile(
            rf"(?<![\w-])([\w-]{{0,40}}?{_LABEL}[\"']?\s?[=:]\s?)(?!(?:Bearer|Basic|Digest|Token|"
            rf"ApiKey|SharedKey|AWS4-HMAC-SHA256)\s)"
            r"(?:\"(?!\[)[^\"]+\"|'(?!\[)[^']+'|(?!\[|\")[^\s,;&\"')}\]]+)",
            re.I,
        ),
        r"\1[secret]",
    ),
    (
        re.compile(
            r"\b((?:(?:wi-?fi |old |new |current |temporary |temp |login |account |online |my |"
            r"the )?(?:password|passphrase|"
            r"passcode|pass phrase|pass ?word)|(?:memorable|secret|security|safe|magic|code|verbal|"
            r"telephone) "
            r"(?:word|answer|phrase|password))(?:'s|\s+is|\s+was|\s+to|:)\s+(?:now |still |just |"
            r"set to |actually )?)"
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
_SIGNS = re.compile(
    r"://|-----begin|eyj|bearer |basic |pass|pwd|secret|token|key|sig|mysql|maria|sshp|credential|"
    r"auth|cookie|[srp]k[-_]|gh[pousr]_|"
    r"github_pat_|xox|xapp|akia|asia|aiza|glpat-|hf_|-u |--user|hooks\.|/bot|code=|session=|sid=|"
    r"ticket=|otp|"
    r"response=|nonce|maiden|first pet|ssh-|ecdsa|docker|helm|assertion|sg\.|whsec|npm_|dop_|doo_|"
    r"shp|sq0|glsa|dckr|pypi-|lin_api|nvapi|"
    r"gsk_|sbp_|figd|"
    r"ya29|1//0|hv[sb]\.|sha256~|word|phrase|answer|ha1=|sessid",
    re.I,
)
_LONG = 40
"""Length at which a word may be a key without a sign of it."""


_ENCODED_AT = re.compile(r"(?<=[\w.+-])%40(?=[\w-])", re.I)
_ENCODED_EMAIL = re.compile(r"[\w.+-]{1,64}%40[\w-]{1,63}(?:\.[\w-]{1,63}){1,6}", re.I)


def without_secrets(text: str) -> str:
    """The text with each secret as `[secret]`."""
    # Looking for the signs costs a tenth of looking with the patterns, and most texts have none.
    if _SIGNS.search(text):
        for pattern, instead in _PATTERNS:
            text = pattern.sub(instead, text)
    return _DENSE.sub("[secret]", text) if len(text) >= _LONG else text


def without_emails(text: str) -> str:
    """The text with each e-mail address, written or spoken, as `[email]`."""
    text = _ENCODED_AT.sub("@", text) if _ENCODED_EMAIL.search(text) else text
    if "@" in text:
        text = _EMAIL.sub("[email]", text)
    return without_spoken_emails(text)
