"""A record in pieces is the record, whatever is in it, and no piece is too large."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from session_store.archive_parts import EntryTooLarge, cut, joined

texts = st.text(max_size=120)
documents = st.fixed_dictionaries(
    {
        "session": st.fixed_dictionaries(
            {"name": st.just("sessions/a")},
            optional={"contextJson": st.dictionaries(st.text(min_size=1, max_size=9), texts)},
        ),
        "verified": st.just({"clientId": "c1"}),
        "events": st.lists(st.fixed_dictionaries({"eventId": texts, "text": texts}), max_size=30),
    }
)
MOST = 2500


@given(documents)
def test_cut_and_joined_it_is_the_same(document: dict[str, Any]) -> None:
    pieces = cut(document, MOST)
    assert joined(pieces) == document
    assert all(len(json.dumps(piece)) <= MOST + 100 for piece in pieces)


def test_what_fits_is_one_document() -> None:
    document = {"session": {"name": "a"}, "verified": {}, "events": [{"eventId": "u1"}]}
    assert cut(document, MOST) == [document]


@pytest.mark.parametrize(
    ("document", "named"),
    [
        ({"session": {}, "events": [{"eventId": "u1", "t": "x" * 3000}]}, "event u1"),
        ({"session": {"contextJson": {"note": "x" * 3000}}, "events": []}, "context key note"),
    ],
)
def test_what_cannot_be_cut_is_named_and_not_told(document: dict[str, Any], named: str) -> None:
    with pytest.raises(EntryTooLarge, match=named) as caught:
        cut(document, MOST)
    assert "xxx" not in str(caught.value)
