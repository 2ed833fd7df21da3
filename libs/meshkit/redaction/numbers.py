"""Numbers that belong to somebody: phones, cards, accounts, IBANs, US SSNs, codes, birth dates. Pure.

Formats and check digits are those of phonenumbers (E.164 and each country's plan) and python-stdnum
(ISO 7812 cards, ISO 13616 IBANs). Both load when the first candidate turns up.
"""

from __future__ import annotations

import re

from meshkit.redaction.spoken import (
    DIGIT,
    LETTERS_AND_NUMBERS,
    MONTH,
    ORDINAL,
    SPOKEN_DATE,
    SPOKEN_NUMBER,
    TENS,
    may_have_numbers_said,
)

_IBAN = re.compile(r"(?<![\w\]])[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b", re.I)
_SSN = re.compile(r"(?<![\w-])\d{3}([- .])\d{2}\1\d{4}(?![\w-])")
# Formats with letters in them or a shape of their own, by country; python-stdnum knows their checks,
# but one with a slip in it is somebody's as well.
_NATIONAL = re.compile(
    r"(?<![\w-])(?:[A-Z]{5}\d{4}[A-Z]"  # PAN, India
    r"|[A-Z]{6}\d\d[A-EHLMPRST]\d\d[A-Z]\d{3}[A-Z]"  # codice fiscale, Italy
    r"|[A-Z]{4}\d{6}(?:[HM][A-Z]{5}[A-Z\d]\d|[A-Z\d]{3})"  # CURP and RFC, Mexico
    r"|\d{8}-?[A-HJ-NP-TV-Z]|[XYZ]-?\d{7}-?[A-HJ-NP-TV-Z]"  # DNI and NIE, Spain
    r"|[A-CEGHJ-PR-TW-Z]{2} ?\d\d ?\d\d ?\d\d ?[A-D]"  # NINO, United Kingdom
    r"|[A-Z9]{5}\d{6}[A-Z9]{2}\d[A-Z]{2}"  # driving licence, United Kingdom
    r"|\d{7}[A-W][A-IW]?"  # PPS number, Ireland
    r"|[STFGM]\d{7}[A-Z]|[A-Z]\d{6}\([\dA]\)|[A-Z][12]\d{8}"  # Singapore, Hong Kong, Taiwan
    r"|\d{3}\.\d{3}\.\d{3}-\d\d|\d{1,2}\.\d{3}\.\d{3}-[\dkK]"  # CPF, Brazil; RUT, Chile
    r"|\d{6}[-+A]\d{3}[\dA-Y]|\d{6}-\d{7}"  # Finland, Denmark; South Korea
    r"|[12] ?\d\d ?[01]\d ?\d[\dAB] ?\d{3} ?\d{3}(?: ?\d\d)?"  # NIR, France
    r"|756\.\d{4}\.\d{4}\.\d\d|A-?\d{8,9})(?![\w-])"  # AHV, Switzerland; alien number, USA
)
_RUN = re.compile(r"(?<!\w)[(+]{0,2}\d(?:[ \t\u00a0()./*_-]{0,3}\d){6,}(?!\w)")
# E.164 with whatever stands between: a plus before eight digits and more is a phone number.
_INTERNATIONAL = re.compile(r"(?<![\w+])\+\d(?:[ \t\u00a0().-]{0,3}\d){7,14}(?!\d)")
_LONG = re.compile(r"\d{7,}")
_SAID_RUN = re.compile(r"(?<![\w$€£])[(+]{0,2}\d(?:[ -]?\d){3,}")

_BIRTH_YEAR = r"(?:19\d\d|200\d)"
_WRITTEN_DATE = (
    rf"(?:{MONTH}\.? (?:the )?\d{{1,2}}(?:st|nd|rd|th)?,? (?:of )?'?(?:\d{{4}}|\d\d)"
    rf"|\d{{1,2}}(?:st|nd|rd|th)?\.? (?:(?:of|de) )?{MONTH}\.?,? (?:de )?'?(?:\d{{4}}|\d\d)"
    rf"|\d{{1,2}}[-./ ]\d{{1,2}}[-./ ](?:\d{{4}}|\d\d)|\d{{4}}[-./]\d{{1,2}}[-./]\d{{1,2}}"
    rf"|{MONTH}\.? (?:the )?\d{{1,2}}(?:st|nd|rd|th)?|\d{{8}})\b"
)
_SPOKEN_DATE = rf"(?:(?:{ORDINAL})\b(?: of)?(?: {MONTH})?(?:,? {SPOKEN_NUMBER})?|{SPOKEN_NUMBER})"
_OLD_DATE = re.compile(
    rf"\b(?:{MONTH}\.? (?:the )?\d{{1,2}}(?:st|nd|rd|th)?,? (?:of )?{_BIRTH_YEAR}"
    rf"|\d{{1,2}}(?:st|nd|rd|th)?\.? (?:(?:of|de) )?{MONTH}\.?,? {_BIRTH_YEAR}"
    rf"|\d{{1,2}}[-./]\d{{1,2}}[-./]{_BIRTH_YEAR}|{_BIRTH_YEAR}[-./]\d{{1,2}}[-./]\d{{1,2}})(?!\d)"
    rf"(?![T ]\d\d:\d\d)",
    re.I,
)
_SPOKEN_YEAR = (
    rf"(?:(?:nineteen|eighteen|twenty)[ -](?:(?:oh|o)[ -])?(?:{TENS}|{DIGIT})(?:[ -]{DIGIT})?"
    rf"|two thousand(?:(?: and)? {DIGIT})?|(?:{TENS})(?:[ -]{DIGIT})?)"
)
_DAY = rf"(?:(?:the )?(?:{ORDINAL})|\d{{1,2}}(?:st|nd|rd|th)?|(?:{TENS}|{DIGIT})(?:[ -]{DIGIT})?)"
# Month and year as words: hardly anybody reads out a date so unless it is one's own.
_SPOKEN_OLD_DATE = re.compile(
    rf"\b(?:{MONTH},? {_DAY},? (?:(?:of|in) )?{_SPOKEN_YEAR}"
    rf"|{_DAY}(?: of)? (?:{MONTH}|the (?:{ORDINAL})),? (?:(?:of|in) )?{_SPOKEN_YEAR}"
    rf"|(?:the )?(?:{ORDINAL})(?: of)?(?: the)? (?:{MONTH}|(?:{ORDINAL})),? '?(?:\d{{4}}|\d\d)"
    rf"|{MONTH}\.? \d{{1,2}}(?:st|nd|rd|th)?,? '[4-9]\d|\d{{1,2}}(?:st|nd|rd|"
    rf"th)?(?: of)? {MONTH}\.?,? '?[4-9]\d)\b",
    re.I,
)
_SLASHED_OLD_DATE = re.compile(r"(?<![\w/.-])\d{1,2}([/.-])\d{1,2}\1'?[3-9]\d(?![\w/.-]\d|\d)")
_BIRTH_WORD = (
    r"(?:year of birth|yob|birth[_ ]?year|"
    + r"born|birth ?day|birth ?date|date of birth|date-of-birth|birth|d\.? ?o\.? ?b\b\.?|geboren|"
    r"geburtsdatum|"
    r"geburtstag|nacid[oa]|nacimiento|n[ée]e?|naissance)"
)
_BORN = re.compile(
    rf"\b({_BIRTH_WORD}[\"']?"
    r"(?:\s*[=:>]\s*|\s+(?:is|was|on|in|:)\s+|\W{1,4})(?:(?:on|in|the|is|was|born|it's|it|that's|am|el|"
    r"le|den|um|uh|er|ah|yes|"
    r"sure|please|caller|agent|customer|user|so|well|okay|ok|hmm)\b\W{0,4}|[\"']){0,6})"
    rf"(?:{_WRITTEN_DATE}|{_BIRTH_YEAR}|'\d\d\b|(?:{MONTH},? )?(?:the )?{_SPOKEN_DATE}"
    rf"|{MONTH} (?:the )?(?:{ORDINAL})\b)",
    re.I,
)
_BORN_AFTER = re.compile(
    rf"(?:(?<![\w.-]){_WRITTEN_DATE}|\b{SPOKEN_DATE})(?=,? (?:is|was|that's|that is|"
    rf"it's) (?:when (?:I|he|she|they) (?:was|were) "
    r"born|(?:my|his|her|the) (?:birth ?day|birth ?date|date of birth|d\.?o\.?b))\b)",
    re.I,
)
_SHORT_BORN = re.compile(rf"((?<!\w)(?:b\.|\*) ?)(?:{_WRITTEN_DATE}|{_BIRTH_YEAR})", re.I)
_OWNED = (
    r"(?:kontonummer|blz|konto|cuenta|compte|roll|reference|ref|crn|nhs|ni number|aadhaar|pps|"
    r"pan card|tin|tfn|tax file|"
    r"bsb|iban|swift|(?:door|gate|alarm|garage|entry|security|safe|lock ?box|backup|recovery|reset|"
    r"activation|pairing) "
    r"(?:code|combination)|memorable (?:number|date|word)|alien|green card|booking|loyalty|meter|"
    r"mpan|mprn|dtmf(?: (?:buffer|digits?|input))?|keypad|keyed(?: in)?|typed(?: in)?|"
    r"collected_digits|(?:caller |user )?(?:entered|pressed)|keys pressed|tapped in|punched in|digits|"
    r"ssn\d?|social(?: security)?|tax id|i?tin|nino|national insurance|account|acct|loan|"
    r"mortgage|savings|checking|card|credit card|debit card|cvv2?|cvc2?|cvn|csc|"
    r"security code|pin|pass ?code|otp|one[- ]time (?:code|password|passcode)|"
    r"(?:verification|confirmation|access|auth(?:entication|orization)?|login|sms|mfa|2fa) code|"
    r"member(?:ship)?|policy|passport|driver'?s? licen[sc]e|licen[sc]e|routing|sort code|"
    r"iban|zip(?: code)?|post ?code|customer|client|patient|medical record|mrn|phone|mobile|cell|"
    r"last (?:four|4)(?: digits)?)"
)
_BETWEEN = (
    r"(?:[\"']?\s*[=:#]\s*[\"']?|\s+[\"']|\s+(?:(?:number|numbers|no\.?|num|id|code|digits?|it|of|"
    r"the|my|"
    r"your|on file|ending|ends|in|with|is|was|are|were|as|again|please|just|now|from|to|has|says|"
    r"reads|would be|should be|still|called|that|birth|year|same|old|"
    r"new|actually|yeah|yes|um|uh|er|so|well|okay|ok|think|our|his|her)[\s,:#]+){0,5}#?)"
)
_OWNED_NUMBER = re.compile(
    rf"\b((?:{_OWNED})(?:[_ ]?(?:number|no|num|id|code|last_?(?:4|four)))?(?:'s)?{_BETWEEN})"
    rf"(?:(?!\d{{1,2}}\b[^\d-])[A-Z]{{0,3}}[-/ ]?\d(?:[ /-]?"
    rf"(?-i:[A-Z]{{0,2}})[ -]?\d){{2,}}(?:[ -]?(?-i:[A-Z]{{1,2}})\b)?"
    rf"|{SPOKEN_NUMBER}(?! (?:for|people|of|times|days|weeks|minutes))|{LETTERS_AND_NUMBERS}"
    rf"|(?=[\w-]{{0,20}}\d)(?=[\w-]{{0,20}}[A-Z])(?-i:[A-Z\d]{{5,12}}))(?!\w)"
    # An amount is nobody's number.
    r"(?!\s?(?:dollars|euros|pounds|cents|percent|%|USD|EUR|GBP|ms|bytes|times|seconds|rows|items|"
    r"tokens|frames)\b)",
    re.I,
)
_CODE = re.compile(
    r"(?<!status )(?<!error )(?<!exit )(?<!close )(?<!reason )(?<!return )(?<!response )"
    r"(?<!country )(?<!area )(?<!fault )(?<!promo )(?<!discount )(?<!voucher )(?<!part )(?<!item )"
    r"(?<!product )(?<!source )(?<!dress )(?<!bar )(?<!postal )(?<!dial )(?<!dialling )(?<!result "
    r")(?<!http )(?<!grpc )\b"
    rf"(code(?:(?:\s+\w+){{0,3}}\s+(?:is|was|reads)\s+|\s*:\s+|,\s+|\s+))"
    rf"(?:\d(?:[ -]?\d){{3,9}}|{SPOKEN_NUMBER}|"
    rf"(?=[\w-]{{0,20}}\d)(?=[\w-]{{0,20}}[A-Z])(?-i:[A-Z\d]{{4,8}}|"
    rf"[A-Z\d]{{2,8}}(?:-[A-Z\d]{{2,8}}){{1,4}}))(?![\w.]*\d)",
    re.I,
)
_KEYS = re.compile(
    r"\b((?:pressed|entered|keyed|typed|digits|keys|"
    r"dtmf)[:=]? [\"']?)(?:\d(?:[ ,-]{0,2}\d){3,18})(?!\d|\.\d|\s?(?:ms|bytes|s)\b)",
    re.I,
)
# What is keyed in ends with the hash key.
_HASHED = re.compile(r"(?<![\w#/.-])\*?\d{4,19}#(?!\w)")
_BACKUP = re.compile(
    r"\b((?:backup|recovery|reset|"
    r"scratch) codes?:? )(?:[\w-]{6,24}(?:, ?[\w-]{6,24}){0,10})(?<=[\d-]\w{4})",
    re.I,
)
_BIC = re.compile(
    r"\b((?:bic|swift)(?: code)?(?:'s| is|:|=)? ?)(?-i:[A-Z]{6}[A-Z\d]{2}(?:[A-Z\d]{3})?)\b", re.I
)
# Registrations of vehicles, where a word says so or the form is the British one of 2001.
_PLATE = re.compile(
    rf"\b((?:(?:number|licen[cs]e) plate|registration(?: number| mark)?|reg|plate|vin)(?:'s| is|:|"
    rf"=)? ?)"
    rf"(?:(?=[A-Z\d ]{{0,12}}\d)(?-i:[A-Z\d]{{2,8}}(?: [A-Z\d]{{1,4}})?|"
    rf"[A-HJ-NPR-Z\d]{{17}})(?![\w-])|{LETTERS_AND_NUMBERS})"
    r"|(?<![\w-])()(?-i:[A-Z]{2}\d\d [A-Z]{3})(?![\w-])",
    re.I,
)
_CODE_FIRST = re.compile(
    r"\b\d(?:[ -]?\d){3,9}(?= is (?:your|my|the)\b(?: \w+){0,3} (?:code|pin|passcode|password)\b)",
    re.I,
)


# Of a word with letters and digits so many digits that nobody says it but to name something of theirs.
_SAID_MIXED = re.compile(
    r"(?<![\w$€£])(?=[\w/-]{0,40}[A-Za-z])[A-Za-z0-9]+(?:[/-][A-Za-z0-9]+)*(?![\w%])"
)
_MANY_DIGITS = 5


def without_spoken_dates(text: str) -> str:
    """The text without dates of birth as people say them, whatever stands before."""
    return _SLASHED_OLD_DATE.sub("[date]", _SPOKEN_OLD_DATE.sub("[date]", text))


_DIGIT_OR_MONTH = re.compile(rf"\d|\b{MONTH}\b|(?:BIC|SWIFT|backup|recovery|reset|scratch)\b", re.I)


def without_owned(text: str) -> str:
    """The text without numbers that the words before them give away."""
    # Each pattern needs a digit, a word of a number or a month; most causes have none.
    if not (_DIGIT_OR_MONTH.search(text) or may_have_numbers_said(text)):
        return text
    text = _BORN_AFTER.sub("[date]", text)
    text = _SHORT_BORN.sub(r"\1[date]", _BORN.sub(r"\1[date]", text))
    text = _OLD_DATE.sub("[date]", text)
    text = _INTERNATIONAL.sub("[phone]", text)
    text = _IBAN.sub(_iban, text)
    text = _OWNED_NUMBER.sub(r"\1[number]", text)
    text = _KEYS.sub(r"\1[code]", _PLATE.sub(r"\1[number]", _BIC.sub(r"\1[number]", text)))
    text = _BACKUP.sub(r"\1[code]", _HASHED.sub("[code]", text))
    text = _CODE_FIRST.sub("[code]", text)
    return _CODE.sub(r"\1[code]", text)


def has_numbers(text: str) -> bool:
    """Whether there is anything that `without_numbers` would look at in a program's text."""
    return bool(
        _RUN.search(text) or _LONG.search(text) or _NATIONAL.search(text) or _SSN.search(text)
    )


def without_numbers(text: str, *, said: bool) -> str:
    """The text without long numbers; without runs of four digits if it was `said`."""
    text = _SSN.sub("[ssn]", _NATIONAL.sub("[number]", text))
    text = _RUN.sub(_kind, text)
    text = _LONG.sub("[number]", text)
    return _SAID_RUN.sub("[number]", _SAID_MIXED.sub(_said, text)) if said else text


def _iban(found: re.Match[str]) -> str:
    from stdnum import iban

    # One with a slip of the tongue in it is still somebody's: the form is enough at full length.
    compact = found[0].replace(" ", "")
    likely = sum(c.isdigit() for c in compact) >= 10 and len(compact) >= 15
    return "[iban]" if likely or iban.is_valid(compact) else found[0]


def _said(found: re.Match[str]) -> str:
    many = sum(c.isdigit() for c in found[0]) >= _MANY_DIGITS
    return "[number]" if many else found[0]


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
