"""Digits that are said as words: "four two one seven", "double five", "neun null zwei". Pure."""

from __future__ import annotations

import re

DIGIT = r"(?:zero|oh|o|nought|one|two|three|four|five|six|seven|eight|nine|niner)"
TENS = (
    r"(?:ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen|twenty|"
    r"thirty|forty|fifty|sixty|seventy|eighty|ninety)"
)
MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|"
    r"sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?|"
    r"januar|februar|märz|mai|juni|juli|oktober|dezember|janvier|février|mars|avril|juin|juillet|août|"
    r"septembre|octobre|novembre|décembre|enero|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|"
    r"octubre|noviembre|diciembre)"
)
ORDINAL = (
    r"(?:(?:twenty|thirty)[ -])?(?:first|second|third|fourth|fifth|sixth|seventh|eighth|ninth)|"
    r"tenth|eleventh|twelfth|thirteenth|fourteenth|fifteenth|sixteenth|seventeenth|eighteenth|"
    r"nineteenth|twentieth|thirtieth"
)
"""A day of a month as words."""
_OTHER = (
    r"(?:null|eins|zwei|zwo|drei|vier|fünf|sechs|sieben|acht|neun"  # German
    r"|cero|uno|dos|tres|cuatro|cinco|seis|siete|ocho|nueve"  # Spanish
    r"|zéro|un|deux|trois|quatre|cinq|sept|huit|neuf)"  # French; `six` is English too
)
_WORD = rf"(?:(?:double|triple|treble)[ -])?(?:{DIGIT}|{TENS}|{_OTHER}|\d)\b"
_GAP = r"(?:[\s,.;-]+(?:(?:and then|then|dash|hyphen|um|uh|er)[\s,.]+)?)"
# An amount, a time or a count is no code: "two hundred", "five thirty p.m.", "three of them".
_NO_CODE = (
    r"(?![\s-]+(?:hundred|thousand|million|percent|dollars|euros|pounds?|quid|pence|cents|o'clock|"
    r"a\.?m\b|p\.?m\b|"
    r"each\b|(?:a|per) (?:month|week|year|day|hour|pop|piece|head|night|litre|gallon)\b|"
    r"plus (?:delivery|vat|tax|"
    r"postage|tip|shipping)|days?\b|weeks?\b|months?\b|years?\b|hours?\b|minutes?\b|miles?\b|"
    r"degrees\b|kilos?\b|"
    r"litres?\b|metres?\b|people\b|times\b|testing\b))"
)


ANY_NUMBER_WORD = rf"(?:{DIGIT}|{TENS}|{_OTHER}|hundred|thousand)"
"""One word of a number."""
_SPELLING = (
    r"(?:alpha|alfa|bravo|charlie|delta|echo|foxtrot|golf|hotel|india|juliett?|kilo|lima|mike|"
    r"november|oscar|"
    r"papa|quebec|romeo|sierra|tango|uniform|victor|whiskey|x[ -]?ray|yankee|zulu)"  # ICAO
)
_LETTER = (
    rf"(?:(?:(?:capital|double|upper ?case|lower ?case) )?(?:[A-Za-z](?![\w'’])(?: (?:for|"
    rf"as in) [A-Za-z]+)?|double[- ]?u)"
    rf"|{_SPELLING})"
)
_TOKEN = rf"(?:{_WORD}|{_LETTER}|\d{{1,4}}\b)"
LETTERS_AND_NUMBERS = (
    rf"(?:(?:{_TOKEN}|(?-i:[A-Z]{{2,3}})\b)(?:(?:{_GAP}| slash |"
    rf" stroke )(?:{_TOKEN}|(?-i:[A-Z]{{2,3}})\b)){{2,12}})"
)
"""Letters and numbers one after another, as codes are read out."""
_MIXED = re.compile(rf"(?<![\w'’-]){_TOKEN}(?:{_GAP}{_TOKEN}){{2,40}}(?![\w'’])", re.I)
_EACH = re.compile(
    rf"(?<![\w-])(?:(?P<letter>{_LETTER})(?![\w-])|(?P<number>{_WORD}|\d{{1,4}}\b))", re.I
)
_YEAR = re.compile(
    rf"(?:(?:nineteen|twenty)[ -](?:(?:oh|o)[ -])?(?:{TENS}|{DIGIT})(?:[ -]{DIGIT})?"
    rf"|two thousand(?: and)? {DIGIT})",
    re.I,
)
_SPELLED = re.compile(
    rf"(?<![\w'’-]){_LETTER}(?:[\s,.;-]+{_LETTER}){{3,40}}(?![\w'’])"
    r"|(?<![\w-])[A-Z](?:-[A-Z]){3,40}(?![\w-])",
    re.I,
)
_HOUR = r"(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)"
_TIME = re.compile(rf"{_HOUR}[ -](?:oh {DIGIT}|{TENS}(?:[ -]{DIGIT})?)", re.I)
_TIME_BEFORE = re.compile(r"\b(?:at|by|until|till|before|after|from|around|about|past|the) $", re.I)
_EMERGENCY = re.compile(r"nine nine nine|nine one one|one one two|one oh one|one one one", re.I)
_CALLED = re.compile(r"\b(?:dial|dialled|dialed|call|called|ring|rang|phone|phoned) $", re.I)
_SPELLED_AFTER = re.compile(
    r"\b([A-Za-z]{2,20})([,.]? (?:that's |that is )?)((?:[A-Za-z][ ,.-]{1,2}){1,19}[A-Za-z])(?![\w'’])"
)
_TECHNICAL_BEFORE = re.compile(
    r"\b(?:error|version|release|room|channel|highway|flight|status|http)(?: code| number)? $", re.I
)
_LEAST_NUMBERS = 3
_LEAST_MIXED = 5


def _run(least: int) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w-]){_WORD}(?:{_GAP}{_WORD}){{{least - 1},}}{_NO_CODE}", re.I)


_FOUR, _THREE = _run(4), _run(3)
_REPEATED = re.compile(
    rf"\b(?:double|triple|treble)[ -]{_WORD}(?:{_GAP}{_WORD}){{2,}}{_NO_CODE}", re.I
)
_ANY_WORD = re.compile(rf"\b(?:{DIGIT}|{TENS}|{_OTHER})\b", re.I)

SPOKEN_DATE = rf"{_WORD}(?:{_GAP}{_WORD}){{1,6}}"
"""A date as numbers in words."""
SPOKEN_NUMBER = rf"{_WORD}(?:{_GAP}{_WORD}){{1,40}}"
"""A number as words, for patterns that find it by what stands before it."""


_STEMS = (
    *(
        "zero",
        "oh",
        "nought",
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
    ),
    *("ten", "eleven", "twel", "thirt", "fift", "twenty", "null", "eins", "zwei", "zwo", "drei"),
    *("vier", "fünf", "sechs", "sieb", "acht", "neun", "cero", "uno", "dos", "tres", "cuatro"),
    *("cinco", "seis", "siete", "ocho", "nueve", "zéro", "deux", "trois", "quatre", "cinq", "sept"),
    *("huit", "neuf", " o ", " un "),
)


def may_have_numbers_said(text: str) -> bool:
    """Whether a part of a number word is in the text: costs a tenth of looking for numbers."""
    low = text.lower()
    return any(stem in low for stem in _STEMS)


def without_spoken(text: str, *, said: bool) -> str:
    """The text with runs of number words as `[number]`: of four words, or of three if `said`."""
    if not may_have_numbers_said(text):
        return text

    def instead(found: re.Match[str]) -> str:
        before = text[max(0, found.start() - 20) : found.start()]
        if _TIME.fullmatch(found[0]) and _TIME_BEFORE.search(before):
            return found[0]
        if _EMERGENCY.fullmatch(found[0]) and _CALLED.search(before):
            return found[0]
        if said and (_YEAR.fullmatch(found[0]) or _TECHNICAL_BEFORE.search(before)):
            return found[0]
        return "[number]" if _ANY_WORD.search(found[0]) else found[0]

    text = _REPEATED.sub("[number]", text)
    if said:
        text = _MIXED.sub(_mixed, text)
    return (_THREE if said else _FOUR).sub(instead, text)


def without_spelled(text: str) -> str:
    """The text with words that somebody spells, letter by letter, as `[name]`."""
    return _SPELLED.sub("[name]", _SPELLED_AFTER.sub(_spelled_after, text))


def _spelled_after(found: re.Match[str]) -> str:
    word, letters = found[1].lower(), re.sub(r"[^a-z]", "", found[3].lower())
    same = letters == word or (len(letters) >= _LEAST_NUMBERS and word.startswith(letters))
    return f"[name]{found[2]}[name]" if same else found[0]


def _mixed(found: re.Match[str]) -> str:
    each = list(_EACH.finditer(found[0]))
    letters = [one["letter"] for one in each if one["letter"]]
    numbers = len(each) - len(letters)
    # "a" and "I" are words as well.
    spelled = any(letter not in ("a", "i", "I") for letter in letters)
    many = numbers >= _LEAST_NUMBERS or (numbers >= 2 and len(each) >= _LEAST_MIXED)
    return "[number]" if spelled and many else found[0]
