"""Whether a name as a recogniser heard it is the name on record. Pure.

Spelling differs between what was said and what was heard ("Smith", "Smyth"; "Jon", "John"), so
first and last name each may differ in spelling if they sound alike. A name is never enough by
itself: whoever asks compares a secret beside it.
"""

from __future__ import annotations

import re
import unicodedata

import jellyfish

CLOSE_SPELLING = 0.92
"""Jaro-Winkler similarity from which two spellings count as one name."""
SAME_SOUND_SPELLING = 0.74
"""And from which they do if their consonants sound alike too: Jon is John, Jane is not."""

_TITLES = frozenset({"mr", "mrs", "ms", "miss", "dr", "prof", "sir", "madam"})
_LEAD_IN = re.compile(
    r"^(?:hi |hello |yes |yeah |it is |its |this is |i am |im |my name is |the name is )+"
)


def same_name(heard: str, on_record: str) -> bool:
    """Whether first and last name of both sound or look alike. Middle names do not count."""
    first, second = _parts(heard), _parts(on_record)
    if len(first) < 2 or len(second) < 2:
        return False
    return _alike(first[0], second[0]) and _alike(first[-1], second[-1])


def _parts(name: str) -> list[str]:
    plain = unicodedata.normalize("NFKD", name).casefold()
    letters = re.sub(r"[^\w\s-]|_", "", "".join(c for c in plain if not unicodedata.combining(c)))
    words = _LEAD_IN.sub("", " ".join(letters.replace("-", " ").split())).split()
    return [word for word in words if word not in _TITLES and word.isalpha()]


def _alike(heard: str, on_record: str) -> bool:
    if heard == on_record:
        return True
    likeness = jellyfish.jaro_winkler_similarity(heard, on_record)
    if min(len(heard), len(on_record)) < 2 or likeness < SAME_SOUND_SPELLING:
        return False
    sound = jellyfish.metaphone(heard)
    return likeness >= CLOSE_SPELLING or sound == jellyfish.metaphone(on_record)
