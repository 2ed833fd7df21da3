"""What in a text is surely technical: ids, addresses, times, quantities. It survives redaction.

Each such token is put aside as one character of a private plane while the finders of personal data
look at the text, and put back afterwards. Pure.
"""

from __future__ import annotations

import re

from meshkit.redaction.spoken import MONTH

_FIRST, _LAST = 0xF0000, 0xFFFFD
_ASIDE = re.compile(f"[{chr(_FIRST)}-{chr(_LAST)}]")

_UNITS = (
    r"(?:ns|us|µs|ms|milliseconds?|microseconds?|nanoseconds?|s|secs?|seconds?|min|minutes?|hours?|"
    r"days?|bytes?|B|[KMGT]i?B|k?Hz|fps|%|percent|frames?|samples?|tokens?|chars?|characters?|"
    r"requests?|rows?|events?|items?|calls?|sessions?|dollars?|euros?|cents?|USD|EUR|GBP|points?|"
    r"messages?|entries|passages?|connections?|files?|lines?|times|retries|attempts?|records?|keys)"
)
_LABELS = (
    r"(?:port|pid|uid|gid|tid|line|col|column|char|offset|pos|position|seq|sequence|frame|sample|index|"
    r"row|shard|partition|slot|epoch|timestamp|ts|time|status|errno|count|total|size|length|len|limit|"
    r"bytes|generation|revision|version|build|attempt|retry|try|budget|depth|width|rate|stream|fd|"
    r"statusCode|status_code|exit|close|ordinal|round|took|after|elapsed|duration|timeout|deadline|"
    r"\w+_(?:ms|us|ns|s|seconds|bytes|count|offset|total|size|port|frames|samples|tokens|index))"
)
_NOT_PERSONAL = (
    r"(?!(?:ssn|acct|account|accounts|card|pin|tel|phone|mobile|cell|fax|code|otp|passport|iban|"
    r"member|policy|dob|born|call|caller|cvv|cvc|routing|license|licence|number|no)\b)"
)
_TECHNICAL = re.compile(
    "|".join(
        (
            r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b",  # UUID
            r"\b20[1-9]\d-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?\b",
            r"(?<![\w.])(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?:25[0-5]|2[0-4]\d|"
            r"1?\d?\d)){3}(?::\d{1,5}|/\d\d?)?(?![\w.])",
            r"(?<![\w:.])\[?(?=[0-9a-fA-F:]{0,40}(?:::|"
            r"[a-fA-F]))[0-9a-fA-F]{0,4}(?::[0-9a-fA-F]{0,4}){2,7}\]?(?::\d{1,5})?",
            r"\b(?:sessions|agents|scenarios|tools|leases|pools|calls|turns|projects|subscriptions|"
            r"operations|traces)/(?!\+?\d{9,})[\w.~-]+(?:/(?!\d{9,})[\w.~-]+)*",
            r"\b0x[0-9a-fA-F]+\b",
            r"\b(?=[0-9a-f]*[a-f])(?=[a-f]*\d)[0-9a-f]{8,128}\b",  # hex id or digest
            r"\b(?=[0-9A-F]*[A-F])(?=[A-F]*\d)[0-9A-F]{16,128}\b",
            r"(?<![\w.])v?\d{1,2}\.\d{1,3}\.\d{1,3}(?:[-+.][A-Za-z][\w.]*)?(?![\w.-]\d)",  # version
            r"[$€£]\s?\d[\d,]*(?:\.\d\d?)?",
            rf"(?<![\w+.-])\d[\d_,]*(?:\.\d+)?(?:\s?{_UNITS}|[mhd])\b",
            rf"\b{_LABELS}[\"']?(?:\s?[=:#]\s?|\s(?:is |of |at |no\.? )?)-?\d+(?:\.\d+)?(?![\w-]*\d)",
            rf"(?<![\w.-]){_NOT_PERSONAL}[A-Za-z][\w.-]{{0,120}}:\d{{1,5}}(?![\d-])",  # host:port
            # Pod names, references, zones: letters first, parts of at most eight digits.
            rf"(?<![\w.-]){_NOT_PERSONAL}(?=[\w.-]{{0,120}}\d)(?![\w.-]{{0,120}}\d{{9}})"
            r"(?![\w.-]{0,120}\d{3}[-.]\d{3,4}[-.]?\d{4})"
            rf"[A-Za-z][A-Za-z0-9]*(?:[-_.][A-Za-z0-9]+)+\b",
            rf"\b{_NOT_PERSONAL}[A-Za-z]{{1,12}}\d{{1,6}}(?:/[a-z]\d+)*\b",  # t12/s3, en0, ORD4411
            r"(?<![\w.+-])-?\d{1,6}\.\d+(?:e[+-]?\d+)?\b(?![.-]\d)",  # a decimal number
            r"\b\d{1,2}:\d\d(?::\d\d(?:\.\d+)?)?\b",
            r"\b\d{1,4}/\d{1,4}\b(?!/)",  # 3/4 done
        )
    )
)


# What people do say of that kind: versions, builds, error numbers, counts, years.
_SAID = re.compile(
    r"\b0x[0-9a-fA-F]+\b|\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b"
    r"|(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}:\d{1,5}\b|"
    r"\b(?-i:(?=[0-9a-f]*[a-f])(?=[a-f]*\d)[0-9a-f]{12,64})\b"
    r"|\b20[1-9]\d-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)"
    r"|\b\d{3,4} ?(?:by|x|×) ?\d{3,4}\b|\bKB\d{6,7}\b|\bbuild [\d.]{1,20}\b"
    r"|\b(?-i:[a-z]{2,20}(?:-[a-z]{2,20}){0,4}-[a-f0-9]{6,10}-[a-z0-9]{4,6})\b"
    r"|(?<![\w./-])(?:\d{1,2}([./-])\d{1,2}\1)20[1-4]\d(?![\w/-])|\b20[1-4]\d-\d\d-\d\d\b"
    r"|\b(?:ticket|case|sku|isbn|ean|upc|gtin|rfc|cve|issue|pr|bug|incident|invoice|"
    r"chapter)(?: is|[:#-])?[ #-]"
    r"(?:[A-Z]{1,5}-?)?\d[\dX-]{1,18}\b|\bINC\d{6,8}\b|\b(?-i:[A-Z]{2,10}-\d{1,4})\b(?!-)"
    r"|\b(?:content-length|x-request-id|x-correlation-id|retry-after|max-forwards|cseq): [\w-]+"
    r"|\b(?:ip|node|pod|host|worker|shard)-[a-z0-9-]{2,60}\b"
    r"|\b(?:(?:from|between) )?(?:19[5-9]\d|20[0-4]\d) (?:to|until|till|and|or|-) (?:19[5-9]\d|"
    r"20[0-4]\d)\b"
    r"|\b(?:offset|epoch|sequence|seq|timestamp|ts|ssrc|pid|generation|revision|commit|bytes|"
    r"count) \d{1,19}\b"
    r"|(?<![\w.])\d{1,3}\.\d{1,2}\.\d{3,5}\.\d{1,4}(?![\w.])"
    r"|[$€£]\s?\d[\d,]*(?:\.\d\d?)?"
    rf"|(?<![\w+.-])\d[\d_,]*(?:\.\d+)?\s?{_UNITS}\b"
    r"|\b(?:build|version|release|error|errno|count|model|limit|series|windows|office|size|page|"
    r"line|row|total|job|offset|pid|port|column|shard|chunk|frame|attempt|retry|lag|epoch|"
    r"sequence|seq|revision|generation|timestamp|status|exit|channel|flight|route|room|chapter|"
    r"section|article) (?:code |number )?\d{1,6}\b(?![- ]?\d)"
    r"|\b(?:in|since|from|until|till|by|before|after|the|for|of|and|during|year|early|late|around|"
    r"a|an|my|our|his|her|their|"
    r"model|" + MONTH + r"),? "
    r"(?:19\d\d|20[0-4]\d)\b(?![-/ ]?\d)",
    re.I,
)


def set_aside(text: str, *, said: bool = False) -> tuple[str, list[str]]:
    """The text with its technical tokens as single characters, and the tokens in order."""
    tokens: list[str] = []
    text = _ASIDE.sub("\N{REPLACEMENT CHARACTER}", text)

    def aside(found: re.Match[str]) -> str:
        if not found[0] or len(tokens) > _LAST - _FIRST:
            return found[0]
        tokens.append(found[0])
        return chr(_FIRST + len(tokens) - 1)

    return (_SAID if said else _TECHNICAL).sub(aside, text), tokens


def put_back(text: str, tokens: list[str]) -> str:
    """The text with its technical tokens again."""
    if not tokens:
        return text
    return _ASIDE.sub(lambda found: tokens[ord(found[0]) - _FIRST], text)
