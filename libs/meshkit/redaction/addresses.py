"""Where somebody lives: streets with a number, post codes, boxes, what follows "I live at". Pure.

A street takes with it the flat before it and the town and post code after it. A town alone, or a
country, is nobody's address and stays.
"""

from __future__ import annotations

import re

from meshkit.redaction.spoken import ANY_NUMBER_WORD, LETTERS_AND_NUMBERS

_TYPE = (
    r"(?:Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Place|Pl|Way|"
    r"Terrace|Crescent|"
    r"Close|Gardens|Grove|Mews|Square|Sq|Parade|Highway|Hwy|Parkway|Pkwy|Circle|Cir|Trail|Walk|Row|"
    r"Rise|"
    r"Hill|Green|View|Park|Wharf|Quay|Esplanade|Loop|Alley|Plaza|Cottages?|Villas?)"
)
_SPOKEN_TYPE = (
    r"(?:street|avenue|road|boulevard|lane|drive|court|terrace|crescent|close|gardens|grove|mews|"
    r"square|"
    r"parade|parkway|highway)"
)
_CAP = r"(?-i:[^\W\d_a-z])[\w'’.]{0,30}"
_LOW = r"[^\W\d_][\w'’]{0,30}"
_NUMBER = r"(?:\d{1,5}(?:\s?[A-Za-z]\b)?(?:[-/]\d{1,4}[A-Za-z]?)?)"
_COUNTED = rf"(?:{ANY_NUMBER_WORD}(?:(?:[ -]| and ){ANY_NUMBER_WORD}){{0,4}})"
_FLAT = (
    r"(?:(?:[Ff]lat|[Aa]pt\.?|[Aa]partment|[Uu]nit|[Ss]uite|[Rr]oom|[Ff]loor|#)\s?[\w-]{1,6},?\s)"
)
_FLAT_AFTER = (
    r"(?:,?\s(?:[Ff]lat|[Aa]pt\.?|[Aa]partment|[Uu]nit|[Ss]uite|[Ss]te\.?|[Rr]oom|#)\s?[\w-]{1,6})"
)
POST_CODE = (
    r"(?:(?:GIR ?0AA|[A-PR-UWYZ](?:\d[\dA-Z]?|[A-HK-Y]\d[\dA-Z]?) ?\d[ABD-HJLNP-UW-Z]{2})"  # Royal Mail
    r"|[ABCEGHJ-NPRSTVXY]\d[A-Z][ -]?\d[A-Z]\d)"  # Canada Post
    r"|[AC-FHKNPRTV-Y]\d[\dW] (?=[A-Z]{0,3}\d)[AC-FHKNPRTV-Y\d]{4}"  # Eircode
)
_STATE = (
    r"(?:A[LKZR]|C[AOT]|DE|FL|GA|HI|I[DLNA]|K[SY]|LA|M[EDAINSOT]|N[EVHJMYCD]|O[HKR]|PA|RI|S[CD]|"
    r"T[NX]|UT|"
    r"V[TA]|W[AVIY]|DC|QC|ON|BC|AB|MB|SK|NS|NB|NL|PE|NSW|VIC|QLD|TAS|ACT|NT|SA)"
)
_TOWN = rf"{_CAP}(?:[ -](?:(?:on|upon|le|la|de|del|sur|am|an der|under|in)[ -])?{_CAP}){{0,3}}"
_CODE = (
    rf"(?:{_STATE}[ ,]+\d{{4,5}}(?:-\d{{4}})?|(?:{_STATE} )?{POST_CODE}|"
    rf"\d{{4,5}}(?: ?[A-Z]{{2}})?|{_STATE})\b"
)
_ENDS = r"""(?=,|\.|;|"|'|$)"""
_AFTER = (
    rf"(?:{_FLAT_AFTER})?(?:,\s{_TOWN}"
    rf"|,?\s{_CODE}(?: {_TOWN}{_ENDS})?){{0,4}}"
)
_STREET = re.compile(
    rf"\b{_FLAT}?(?:{_NUMBER}|(?i:{_COUNTED})),? (?:[NSEW]\.? )?(?:(?:the |St\.? |Old |"
    rf"New )?{_CAP} ){{1,3}}{_TYPE}\b\.?(?!\s?[=(]){_AFTER}"
)
# A house with a name, a street, a town.
_NAMED_HOUSE = re.compile(
    rf"\b(?:{_CAP} ){{1,2}}{_TYPE},? [Nn]umber (?:\d{{1,4}}|{_COUNTED})\b"
    rf"|\b(?:[Tt]he )?{_CAP}(?: {_CAP}){{0,3}}, (?:{_CAP} ){{1,2}}{_TYPE}, {_TOWN}(?:,? {_CODE})?"
)
_NUMBERED_STREET = re.compile(
    rf"\b{_FLAT}?\d{{1,5}} (?:[NSEW]\.? )?\d{{1,3}}(?:st|nd|rd|th) {_TYPE}\b\.?{_AFTER}", re.I
)
_SPOKEN_STREET = re.compile(
    rf"\b(?:number )?(?:(?:flat|apartment|unit|apt) (?:{_COUNTED}|\w{{1,4}}),? )?(?:{_COUNTED}|"
    rf"{_NUMBER})[a-d]?,? "
    rf"(?:(?!(?:way|stor(?:y|ies)|storey|bed|bedroom|side|doors?|houses?|streets?|roads?|the|a|in|"
    rf"on|of|to|and|is|at|or|minutes?|miles?|hours?|down|up|"
    rf"per)\b){_LOW} ){{1,3}}{_SPOKEN_TYPE}\b"
    rf"{_AFTER}(?:,? {LETTERS_AND_NUMBERS})?",
    re.I,
)
_ARTICLE = (
    r"(?:(?:des|de la|de los|de las|den|der|das|de|du|del|el|los|las|della|dei|do|da|dos|le|"
    r"la|les)\s|[dl]['’])?"
)
_ABROAD = re.compile(
    rf"\b\d{{1,4}}(?: ?(?:bis|ter|[a-d]))?,? (?:[Rr]ue|[Aa]venue|[Aa]v\.|[Bb]oulevard|[Bb]d|"
    rf"[Cc]hemin|[Cc]h\.|"
    rf"[Pp]lace|[Ii]mpasse|[Aa]ll[ée]e|[Qq]uai|[Rr]oute)\s{_ARTICLE}{_CAP}(?:[ -]{_CAP}){{0,3}}{_AFTER}"
    rf"|(?<![\w-])(?:[^\W\d_]{{2,30}}(?:straße|strasse|str\.|weg|platz|allee|gasse|ufer|straat|"
    rf"laan|gracht|plein|vej|gade|"
    rf"gatan|vägen|veien)|(?:{_CAP}[ -]){{1,3}}(?:Straße|Strasse|Str\.|Weg|Platz|Allee|Gasse))"
    rf" \d{{1,4}} ?[a-z]?\b{_AFTER}"
    rf"|\b(?:[Cc]alle|[Cc]/|[Aa]venida|[Aa]vda\.?|[Pp]laza|[Pp]aseo|[Vv]ia|[Vv]iale|[Cc]orso|"
    rf"[Pp]iazza|[Rr]ua|"
    rf"[Uu]l\.|"
    rf"[Uu]lica)\s{_ARTICLE}{_CAP}(?: {_CAP}){{0,3}},? \d{{1,4}}(?:/\d{{1,4}})?\b(?:, "
    rf"?\d{{1,2}}[ºª]?\w?)?{_AFTER}"
)
_BOX = re.compile(
    rf"\b(?:P\.? ?O\.? ?Box|post office box|Postfach)\s?(?:\d{{1,6}}|{_COUNTED})\b{_AFTER}", re.I
)
_COMES = (
    r"\b((?:(?:I|we|she|he|they)(?:'m|'re)? (?:live|living|lives|moved|staying|stay|reside|"
    r"based)(?: now)? (?:at|to)|"
    r"(?:my|our|the|her|his|billing|home|new|delivery|postal|shipping|mailing|current|old|previous) "
    r"address(?: on (?:the|my|file) ?\w*)?(?:'s| is| was|:)|address:|(?:send|post|deliver|"
    r"ship) (?:it|them|that|this) to|moved to)"
    r"(?: now)?:?\s)"
)
_SEGMENT = (
    r"(?:(?!(?:and|but|I|I'm|my|please|it's|so|that|which|if|can|you|is|was|thanks|"
    r"the one)\b)[\w'’.-]{1,30})"
)
_CUED = re.compile(
    rf"{_COMES}(?=(?:number |flat |the |unit |apartment )?(?:\d|{ANY_NUMBER_WORD}|{_CAP}(?: {_CAP})?,))"
    rf"(?:the )?{_SEGMENT}(?: {_SEGMENT}){{0,7}}(?:, (?:the )?{_SEGMENT}(?: {_SEGMENT}){{0,4}}){{0,5}}",
    re.I,
)
_POST_CODE = re.compile(rf"(?<![\w-])(?:{_STATE} )?{POST_CODE}(?![\w-])")
_CITY_STATE = re.compile(rf"\b{_TOWN}, {_STATE} \d{{5}}(?:-\d{{4}})?\b")
_CODE_SAID = re.compile(
    rf"\b((?:post ?code|zip ?code|zip|eircode)(?:'s| is|:|,)? (?:it's |is )?){LETTERS_AND_NUMBERS}",
    re.I,
)


# An answer to the question for it.
_ASKED = re.compile(
    r"((?:address|do you live|street)\? (?:\w{1,12}: )?(?:it's |that's |yes |um |uh |,){0,4})"
    rf"(?=(?:number |flat |the |unit |apartment )?(?:\d|{ANY_NUMBER_WORD}|{_CAP}))[^.?!;\n]{{4,80}}",
    re.I,
)


# What every pattern of a written address has: a capital after a digit or a comma, a type, a box.
_SIGNS = re.compile(
    rf"(?-i:[A-Z]\d|\d[A-Z]|\b{_TYPE}\b)|box\b|fach\b|zip|post ?code|eircode|\d(?:st|nd|rd|th) |"
    r"rue |avenue|av\.|boulevard|bd |chemin|ch\.|place |impasse|all[ée]e|quai|route |stra(?:ß|ss)e|"
    r"str\.|weg |platz|"
    r"gasse|ufer|straat|laan |gracht|plein|vej |gade |gatan|vägen|veien|calle|c/|avenida|avda|"
    r"plaza|paseo|via|corso|"
    r"piazza|rua |ul\.|ulica|, [A-Z]{2,3} \d",
    re.I,
)


def without_addresses(text: str, *, said: bool) -> str:
    """The text with homes as `[address]`; where nothing was `said`, only what is written as one is."""
    if not said and not _SIGNS.search(text):
        return text
    text = _CODE_SAID.sub(r"\1[address]", text)
    if said:
        text = _SPOKEN_STREET.sub("[address]", _CUED.sub(_cued, _ASKED.sub(_cued, text)))
    for pattern in (
        _NAMED_HOUSE,
        _STREET,
        _NUMBERED_STREET,
        _ABROAD,
        _BOX,
        _CITY_STATE,
        _POST_CODE,
    ):
        text = pattern.sub("[address]", text)
    return text


_HOMELIKE = re.compile(
    rf"\d|\b{ANY_NUMBER_WORD}\b|\b{_SPOKEN_TYPE}\b|\b(?:house|cottage|flat|farm|"
    rf"rectory)\b",
    re.I,
)


def _cued(found: re.Match[str]) -> str:
    rest = found[0][len(found[1]) :]
    if "[" in rest or not _HOMELIKE.search(rest):
        return found[0]
    return f"{found[1]}[address]"
