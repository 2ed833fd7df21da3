"""Pages of a list: sizes and tokens. Pure."""

from __future__ import annotations

from typing import NamedTuple

from meshkit.errors import invalid

MAX_SIZE = 1000
"""Most entries of a page of events or messages."""
MAX_BYTES = 1 << 20
"""Most bytes of one page, so that it stays below what a client receives in one message."""


class Sizes(NamedTuple):
    """How many entries a page of some kind has."""

    default: int
    most: int


EVENTS = Sizes(500, MAX_SIZE)
SESSIONS = Sizes(50, 50)
"""A session may be large, and a page of them must fit into one message."""


class Place(NamedTuple):
    """Where the next page begins."""

    offset: int
    """How many entries came before. In a list of sessions: the creation time to go on from."""
    upto: int
    """Sequence of the journal's last event as the first page saw it; 0 for whatever is there. In a
    list of sessions: how many of that time came before."""


FIRST = Place(0, 0)


def page_size(asked: int, sizes: Sizes = EVENTS) -> int:
    """How many entries a page may have. Raises ARGUMENT_INVALID for a negative size."""
    if asked < 0:
        raise invalid("page_size", "must not be negative")
    return min(asked or sizes.default, sizes.most)


def token_of(place: Place) -> str:
    """The token that leads to a place."""
    return f"{place.offset}.{place.upto}"


def place_of(token: str) -> Place:
    """The place that a token leads to; the first for an empty one. Raises ARGUMENT_INVALID."""
    if not token:
        return FIRST
    offset, _, upto = token.partition(".")
    if not (offset.isdecimal() and upto.isdecimal() and len(token) <= 40):
        raise invalid("page_token", "is none that this server gave")
    return Place(int(offset), int(upto))
