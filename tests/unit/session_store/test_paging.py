"""Page sizes are bounded and tokens lead back to their place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.errors import MeshError
from session_store.paging import EVENTS, FIRST, SESSIONS, Place, page_size, place_of, token_of


@given(st.integers(0, 10**9), st.integers(0, 10**9))
def test_a_token_leads_back(offset: int, upto: int) -> None:
    assert place_of(token_of(Place(offset, upto))) == Place(offset, upto)


def test_no_token_is_the_first_page() -> None:
    assert place_of("") == FIRST


@pytest.mark.parametrize(
    "token", ["1", "1.", ".1", "-1.0", "a.b", "1.2.3", "٣.٣x", "1" * 50 + ".0"]
)
def test_another_token_is_refused(token: str) -> None:
    with pytest.raises(MeshError, match="page_token"):
        place_of(token)


def test_sizes_are_bounded() -> None:
    assert [page_size(asked) for asked in (0, 1, 10**6)] == [500, 1, 1000]
    assert page_size(1000, SESSIONS) == 50
    assert page_size(0, EVENTS) == EVENTS.default
    with pytest.raises(MeshError, match="page_size"):
        page_size(-1)
