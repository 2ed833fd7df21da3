"""Numbers that belong to somebody: phones, cards, accounts, IBANs, US SSNs, codes, birth dates. Pure.

Formats and check digits are those of phonenumbers (E.164 and each country's plan) and python-stdnum
(ISO 7812 cards, ISO 13616 IBANs). Both load when the first candidate turns up.
"""

from __future__ import annotations

import re

from meshkit.redaction.spoken import ORDINAL, SPOKEN_NUMBER

_IBAN = re.compile(r"(?<![\w\]])[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b", re.I)
_SSN = re.compile(r"(?<![\w-])\d{3}([- .])\d{2}\1\d{4}(?![\w-])")
_RUN = re.compile(r"(?<!\w)[(+]{0,2}\d(?:[ \t\u00a0()./*_-]{0,3}\d){6,}(?!\w)")
# E.164 with whatever stands between: a plus before eight digits and more is a phone number.
_INTERNATIONAL = re.compile(r"(?<![\w+])\+\d(?:[ \t\u00a0().-]{0,3}\d){7,14}(?!\d)")
_LONG = re.compile(r"\d{7,}")
_SAID_RUN = re.compile(r"(?<![\w$€£])[(+]{0,2}\d(?:[ -]?\d){3,}")

_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|"
    r"sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
_BIRTH_YEAR = r"(?:19\d\d|200\d)"
_WRITTEN_DATE = (
    rf"(?:{_MONTH}\.? (?:the )?\d{{1,2}}(?:st|nd|rd|th)?,? (?:of )?'?(?:\d{{4}}|\d\d)"
    rf"|\d{{1,2}}(?:st|nd|rd|th)?\.? (?:of )?{_MONTH}\.?,? '?(?:\d{{4}}|\d\d)"
    rf"|\d{{1,2}}[-./ ]\d{{1,2}}[-./ ](?:\d{{4}}|\d\d)|\d{{4}}[-./]\d{{1,2}}[-./]\d{{1,2}}"
    rf"|{_MONTH}\.? (?:the )?\d{{1,2}}(?:st|nd|rd|th)?|\d{{8}})\b"
)
_SPOKEN_DATE = rf"(?:(?:{ORDINAL})\b(?: of)?(?: {_MONTH})?(?:,? {SPOKEN_NUMBER})?|{SPOKEN_NUMBER})"
_OLD_DATE = re.compile(
    rf"\b(?:{_MONTH}\.? (?:the )?\d{{1,2}}(?:st|nd|rd|th)?,? (?:of )?{_BIRTH_YEAR}"
    rf"|\d{{1,2}}(?:st|nd|rd|th)?\.? (?:of )?{_MONTH}\.?,? {_BIRTH_YEAR}"
    rf"|\d{{1,2}}[-./]\d{{1,2}}[-./]{_BIRTH_YEAR}|{_BIRTH_YEAR}[-./]\d{{1,2}}[-./]\d{{1,2}})(?!\d)"
    rf"(?![T ]\d\d:\d\d)",
    re.I,
)
_BORN = re.compile(
    r"\b((?:born|birth ?day|birth ?date|date of birth|birth|d\.?o\.?b\.?)[\"']?"
    rf"(?:\s*[=:]\s*|\s+(?:is|was|on|in|:)\s+|\s+)(?:on |in |the |is |was |[\"'])*)"
    rf"(?:{_WRITTEN_DATE}|{_BIRTH_YEAR}|(?:{_MONTH} )?(?:the )?{_SPOKEN_DATE})",
    re.I,
)
_OWNED = (
    r"(?:ssn\d?|social(?: security)?|tax id|i?tin|nino|national insurance|account|acct|loan|"
    r"mortgage|savings|checking|card|credit card|debit card|cvv|cvc|"
    r"security code|pin|pass ?code|otp|one[- ]time (?:code|password|passcode)|"
    r"(?:verification|confirmation|access|auth(?:entication|orization)?|login|sms|mfa|2fa) code|"
    r"member(?:ship)?|policy|passport|driver'?s? licen[sc]e|licen[sc]e|routing|sort code|"
    r"iban|zip(?: code)?|post ?code|customer|client|patient|medical record|mrn|phone|mobile|cell|"
    r"last (?:four|4)(?: digits)?)"
)
_BETWEEN = (
    r"(?:[\"']?\s*[=:#]\s*[\"']?|\s+(?:(?:number|numbers|no\.?|num|id|code|digits?|it|of|the|my|"
    r"your|on file|ending|ends|in|with|is|was|are|were|as|again|please|just|now)[\s,:#]+){0,5}#?)"
)
_OWNED_NUMBER = re.compile(
    rf"\b((?:{_OWNED})(?:_?(?:number|no|num|id|code))?(?:'s)?{_BETWEEN})"
    rf"(?:(?!\d{{1,2}}\b[^\d-])[A-Z]{{0,3}}-?\d(?:[ -]?[A-Z]?\d){{2,}}|{SPOKEN_NUMBER})(?!\w)"
    # An amount is nobody's number.
    r"(?!\s?(?:dollars|euros|pounds|cents|percent|%|USD|EUR|GBP))",
    re.I,
)
_CODE = re.compile(
    r"(?<!status )(?<!error )(?<!exit )(?<!close )(?<!reason )(?<!return )(?<!response )"
    r"(?<!country )(?<!area )(?<!result )(?<!http )(?<!grpc )\b"
    rf"(code(?:(?:\s+\w+){{0,3}}\s+(?:is|was|reads)\s+|\s*:\s+|,\s+|\s+))"
    rf"(?:\d(?:[ -]?\d){{3,9}}|{SPOKEN_NUMBER})(?![\w.]*\d)",
    re.I,
)
_CODE_FIRST = re.compile(
    r"\b\d(?:[ -]?\d){3,9}(?= is (?:your|my|the)\b(?: \w+){0,3} (?:code|pin|passcode|password)\b)",
    re.I,
)


def without_owned(text: str) -> str:
    """The text without numbers that the words before them give away."""
    text = _BORN.sub(r"\1[date]", text)
    text = _OLD_DATE.sub("[date]", text)
    text = _INTERNATIONAL.sub("[phone]", text)
    text = _IBAN.sub(_iban, text)
    text = _OWNED_NUMBER.sub(r"\1[number]", text)
    text = _CODE_FIRST.sub("[code]", text)
    return _CODE.sub(r"\1[code]", text)


def has_numbers(text: str) -> bool:
    """Whether there is anything that `without_numbers` would look at in a program's text."""
    return bool(_RUN.search(text) or _LONG.search(text) or _SSN.search(text))


def without_numbers(text: str, *, said: bool) -> str:
    """The text without long numbers; without runs of four digits if it was `said`."""
    text = _SSN.sub("[ssn]", text)
    text = _RUN.sub(_kind, text)
    text = _LONG.sub("[number]", text)
    return _SAID_RUN.sub("[number]", text) if said else text


def _iban(found: re.Match[str]) -> str:
    from stdnum import iban

    # One with a slip of the tongue in it is still somebody's: the form is enough at full length.
    compact = found[0].replace(" ", "")
    likely = sum(c.isdigit() for c in compact) >= 10 and len(compact) >= 15
    return "[iban]" if likely or iban.is_valid(compact) else found[0]


def _kind(found: re.Match[str]) -> str:
    digits = re.sub(r"\D", "", found[0])
    lead = "" if found[0][0] != "(" or ")" in found[0] else "("
    return lead + (_card(digits) or _phone(found[0]) or "[number]")


def _card(digits: str) -> str:
    if not 13 <= len(digits) <= 19:
        return ""
    from stdnum import luhn

    return "[card]" if luhn.is_valid(digits) else ""


def _phone(run: str) -> str:
    import phonenumbers

    try:
        number = phonenumbers.parse(run, None if run.lstrip("(").startswith("+") else "US")
    except phonenumbers.NumberParseException:
        return ""
    return "[phone]" if phonenumbers.is_possible_number(number) else ""
