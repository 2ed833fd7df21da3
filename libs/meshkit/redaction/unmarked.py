"""Names that no word around them gives away, by the lists of `lexicon`. Pure.

In speech a word is taken for a name if it is used as one and is no ordinary word, in any case; if it
is capitalised within an English sentence and no word, place or brand that is known; or if it is
capitalised within a sentence and a given name, though it is a word as well ("he asked for Hope"). In a
program's text, which is full of capitals, only a given name followed by another name is one. A name that
is a word and is not capitalised is not found.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from meshkit.redaction.lexicon import Lexicon, lexicon

_LETTER = r"[^\W\d_]"
_WORD = re.compile(
    rf"(?<![\w@./\[<\\-]){_LETTER}(?:{_LETTER}|['’-](?={_LETTER}))*(?![\w@\]=(\\]|[./:-]\w)"
)
_PAIR = re.compile(
    rf"(?<![\w@./\[\\-])[^\W\d_a-z]{_LETTER}+(?:['’-]{_LETTER}+)*"
    rf"(?: [^\W\d_a-z]\.)? [^\W\d_a-z](?:{_LETTER}|['’-](?={_LETTER}))+(?![\w@(=\\]|[./:]\w)"
)
_BEGINS = re.compile(r"(?:^|[.?!:…][\"'”’)]*|[\"“‘(]|\n|—|–)\s*$")
_JOINS = re.compile(
    rf"(?: {_LETTER}\.?)?(?: (?:van|von|der|den|de|da|di|la|le|bin|bint|ibn|al|el|ap|y|dos|du))* ?"
)
_STREET_WORD = re.compile(
    r"Street|Road|Lane|Avenue|Drive|Court|Place|Park|Square|Station|Airport|Hospital|Bridge|Hotel|"
    r"University|College|School|"
    r"Hill|Green|Bank|Line|Plan|Account|Card|Saver|Plus|Premium|Centre|Center"
)
_THING = re.compile(
    rf"(?:['’]s)? (?:(?:{_STREET_WORD.pattern})\b|(?:account|plan|package|tariff|app|website|"
    rf"router|hub|box|series|edition|"
    r"airport|station|hospital|hotel|street|road|branch|line|version|package|bundle|subscription|"
    r"membership)\b)"
)
# People have no article; "St", "North" and "Lake" begin places.
_ARTICLE_BEFORE = re.compile(
    r"(?<![\w'’])(?:(?i:the|a|an|these|those|some|another|any|every)|(?:St|Saint|North|South|East|"
    r"West|Mount|Lake|Port|San|"
    r"Santa|Los|Las|New|Fort|Great|River|Upper|Lower)\.?) $"
)
_INITIAL_BEFORE = re.compile(r"(?<!\w)[A-Z]\. $")
_CAPITAL_BEFORE = re.compile(r"[^\W\d_a-z][\w'’-]* $")
_BEFORE = re.compile(rf"(?<![\w@./\[-])({_LETTER}{{3,30}}) $")
_AFTER = re.compile(rf" ([^\W\d_a-z]{_LETTER}{{2,30}})")
_GIVEN_WORD = re.compile(
    r"may|grace|hope|faith|joy|rose|mark|bill|will|jack|frank|dawn|bob|nick|mike|matt|rob|sue|"
    r"pat|ray|dean|grant|drew|heather|holly|ivy|daisy|lily|olive|ruby|pearl|violet|amber|"
    r"crystal|jade|jasmine|iris|carol|harry|martin|maria|mary|ken|don|gene|guy|miles|max|"
    r"victor|norman|hazel|summer|autumn|april|june|august|joe|jim|tom|tim|sam|ben|dan|jay|kay|"
    r"kit|lance|robin|sandy|tony|penny|patience|prudence|charity|mercy|blessing|destiny|melody|"
    r"glen|clay|cliff|heath|reed|rusty|chuck|buck|wade|ward"
)
"""Given names that are words as well, before a name that is none."""
_LOOKED_AT = 1000
_LONGEST_SHORT = 5
_LEAST = 3
_LEAST_LOWER = 4


def without_unmarked(text: str, *, said: bool) -> str:
    """The text with names as `[name]`."""
    return _said(text) if said else _written(text)


def _written(text: str) -> str:
    if not _PAIR.search(text):
        return text
    lists = lexicon()

    def instead(found: re.Match[str]) -> str:
        first, last = (word.lower() for word in found[0].split()[:: found[0].count(" ")])
        given = any(p in lists.given for p in _parts(first))
        taken = (
            given
            and not (_known(lists, first) and _known(lists, last))
            and first not in lists.others
        )
        return (
            "[name]" if taken and (last not in lists.ordinary or last in lists.family) else found[0]
        )

    return _PAIR.sub(instead, text)


def _said(text: str) -> str:
    lists = lexicon()
    english = _is_english(lists, text)
    kept = [found.span() for found in lists.phrases.finditer(text)]
    out: list[str] = []
    place = 0
    for start, end in _merged(text, list(_names(lists, text, kept, english))):
        out += text[place:start], "[name]"
        place = end
    return "".join((*out, text[place:])) if out else text


def _names(
    lists: Lexicon, text: str, kept: list[tuple[int, int]], english: bool
) -> Iterator[tuple[int, int]]:
    end = -2
    for found in _WORD.finditer(text):
        if any(start <= found.start() < stop for start, stop in kept):
            continue
        word = re.sub(r"['’]s$", "", found[0])
        follows = end >= 0 and bool(_JOINS.fullmatch(text[end : found.start()]))
        if _is_name(lists, text, found.start(), word, follows, english):
            before = _BEFORE.search(text[max(0, found.start() - 40) : found.start()])
            begins = found.start()
            if before and not follows and _may_precede(lists, before[1]):
                begins -= len(before[0])
            end = found.start() + len(word)
            yield begins, end


def _is_name(
    lists: Lexicon, text: str, start: int, word: str, follows: bool, english: bool
) -> bool:
    low = word.lower()
    parts = _parts(low)
    if len(word) < _LEAST or _is_short_form(word) or _is_of_thing(text, start, word, follows):
        return False
    if low in lists.others or all(part in lists.others for part in parts):
        return follows and word[0].isupper() and (low in lists.given or low in lists.family)
    named = any(p in lists.given or p in lists.family for p in parts)
    inner = word[0].isupper() and not _BEGINS.search(text[max(0, start - 8) : start])
    if _INITIAL_BEFORE.search(text[max(0, start - 3) : start]):
        inner = word[0].isupper()
    if word[0].isupper():
        return _is_capital_name(lists, text, start + len(word), low, inner, named, follows, english)
    return not _known(lists, low) and len(word) >= _LEAST_LOWER and (named or follows)


def _is_capital_name(
    lists: Lexicon,
    text: str,
    end: int,
    low: str,
    inner: bool,
    named: bool,
    follows: bool,
    english: bool,
) -> bool:
    if not _known(lists, low):
        return named or follows or (english and (inner or _is_followed(lists, text, end)))
    if not english:
        return False
    if inner and follows and named:
        return True
    return low in lists.given and (inner or _is_followed(lists, text, end, family=True))


def _is_of_thing(text: str, start: int, word: str, follows: bool) -> bool:
    before = text[max(0, start - 24) : start]
    if not follows and _ARTICLE_BEFORE.search(before):
        return True
    # A street, a station, a tariff: named after somebody perhaps, but nobody.
    if _THING.match(text, start + len(word)):
        return True
    return bool(_STREET_WORD.fullmatch(word)) and bool(
        _CAPITAL_BEFORE.search(text[max(0, start - 40) : start])
    )


def _may_precede(lists: Lexicon, word: str) -> bool:
    low = word.lower()
    if _GIVEN_WORD.fullmatch(low) or (word[0].isupper() and low in lists.given):
        return True
    if low in lists.others or _known(lists, low):
        return False
    return low in lists.given or len(low) >= _LEAST_LOWER


def _is_followed(lists: Lexicon, text: str, end: int, *, family: bool = False) -> bool:
    after = _AFTER.match(text, end)
    if after is None:
        return False
    low = after[1].lower()
    if family:
        named = low in lists.family or low in lists.given
        return named and low not in lists.others and not _STREET_WORD.fullmatch(after[1])
    return not _known(lists, low)


def _is_english(lists: Lexicon, text: str) -> bool:
    words = [word for word in re.findall(r"[^\W\d_]{2,}", text[:_LOOKED_AT]) if word[0].islower()]
    return 2 * sum(word in lists.ordinary for word in words) >= len(words)


def _known(lists: Lexicon, low: str) -> bool:
    if low in lists.ordinary or low in lists.others:
        return True
    stems = (re.sub(r"['’]?s$", "", low), re.sub(r"n['’]t$|['’](?:ll|d|ve|re)$", "", low))
    if any(stem in lists.ordinary or stem in lists.others for stem in stems if stem != low):
        return low not in lists.given and low not in lists.family
    return "-" in low and all(
        p in lists.ordinary or p in lists.others or len(p) < 3 for p in low.split("-")
    )


def _parts(low: str) -> list[str]:
    return [part for part in re.split(r"[-'’]", low) if len(part) >= _LEAST] or [low]


def _is_short_form(word: str) -> bool:
    # VAT, iPhone, McAfee is none: capitals after small letters, unless it begins as names do.
    if word.isupper():
        return len(word) <= _LONGEST_SHORT
    return bool(re.search(r"[a-z][A-Z]", word)) and not re.match(
        r"Ma?c[A-Z]|De[A-Z]|Le[A-Z]|Van[A-Z]", word
    )


def _merged(text: str, names: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    held: tuple[int, int] | None = None
    for start, end in names:
        if held and _JOINS.fullmatch(text[held[1] : start]):
            held = held[0], end
            continue
        if held:
            yield held
        held = start, end
    if held:
        yield held
