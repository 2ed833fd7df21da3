"""JSON keeps its shape and its amounts, and loses who it is about."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.redaction import names_in_json, redact_json, without_names


def test_keys_decide_and_amounts_stay() -> None:
    text = json.dumps(
        {
            "account": 12345678,
            "balance": 45230.5,
            "list": [{"mail_to": "a@b.cd"}],
            "x": None,
            "ok": True,
            "caller_name": "Ada Lovelace",
            "dob": "1985-04-12",
            "note": "four two one seven, card 4111 1111 1111 1111",
        }
    )
    assert json.loads(redact_json(text)) == {
        "account": "[withheld]",
        "balance": 45230.5,
        "list": [{"mail_to": "[email]"}],
        "x": None,
        "ok": True,
        "caller_name": "[name]",
        "dob": "[withheld]",
        "note": "[number], card [number]",
    }


def test_what_is_no_json_is_redacted_as_text() -> None:
    assert redact_json('{"balance": "12345678') == '{"balance": "[number]'


def test_deep_nesting_is_text() -> None:
    assert "4155552671" not in redact_json("[" * 100_000 + '"4155552671"')


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(JSON_VALUES)
def test_json_stays_json_and_redacting_twice_is_redacting_once(value: object) -> None:
    once = redact_json(json.dumps(value))
    assert json.loads(redact_json(once)) == json.loads(once)


def test_names_are_found_under_their_keys_only() -> None:
    text = json.dumps({"who": [{"first_name": "Ada"}], "product": "Growth Fund", "name": "Bo Li"})
    assert set(names_in_json(text)) == {"Ada", "Bo Li"}
    assert list(names_in_json("no json")) == []


@pytest.mark.parametrize(
    ("text", "without"),
    [
        ("ADA called", "[name] called"),
        ("adage, Canada", "adage, Canada"),
        ("[name] and ada.", "[name] and [name]."),
    ],
)
def test_known_names_go_as_whole_words(text: str, without: str) -> None:
    assert without_names(text, ["Ada"]) == without


def test_without_names_nothing_changes() -> None:
    assert without_names("Ada", []) == "Ada"
