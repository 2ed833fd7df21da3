"""What is taken out of a text and of fields, and what survives."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshkit.redaction import redact, redact_attributes, redact_fields, redact_said


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("call me at 415 555 2671", "call me at [phone]"),
        ("card 4111 1111 1111 1111 it is", "card [number] it is"),
        ("paid with 4111-1111-1111-1111", "paid with [card]"),
        ("to DE89 3704 0044 0532 0130 00", "to [iban]"),
        ("it is 123-45-6789", "it is [ssn]"),
        ("born on April 12, 1985", "born on [date]"),
        ("your code is 482913", "your code is [code]"),
        ("that is four two one seven", "that is [number]"),
        ("ada dot lovelace at example dot org", "[email]"),
        ("my name is john smith and I call", "my name is [name] and I call"),
        ("redis://u:pw@host:6379/0 refused", "redis://[secret]@host:6379/0 refused"),
        ("password=hunter2 given", "password=[secret] given"),
    ],
)
def test_personal_data_and_secrets_go(text: str, redacted: str) -> None:
    assert redact(text) == redacted


@pytest.mark.parametrize(
    "text",
    [
        "sessions/a-b/leases/l-12345 is lost",
        "10.0.0.1:50051 took 1532 ms",
        "gateway-7d9f8b6c5d-x2k4q left at 2026-11-24T15:37:06Z",
        "trace 4bf92f3577b34da6a3ce929d0e0e4736",
        "close code 1006",
        "",
    ],
)
def test_technical_text_survives(text: str) -> None:
    assert redact(text) == text


def test_what_was_said_is_judged_more_strictly() -> None:
    assert redact("part 4217") == "part 4217"
    assert redact_said("part 4217, one two three") == "part [number], [number]"


@given(st.text())
def test_redacting_twice_is_redacting_once(text: str) -> None:
    assert redact(redact(text)) == redact(text)
    assert redact_said(redact_said(text)) == redact_said(text)


def test_fields_are_denied_by_default() -> None:
    fields = {
        "session": "0f8fad5b",
        "turn": "t3",
        "frames": 12,
        "text": "hello there",
        "gen_ai.prompt": "hello",
        "cause": "no route to +1 415 555 2671",
        "account_no": 4155552671,
        "nested": {"transcript": "x", "n": [1, "a@b.cd"]},
        "thing": object(),
        "done": True,
    }
    assert redact_fields(fields) == {
        "session": "0f8fad5b",
        "turn": "t3",
        "frames": 12,
        "text": "[withheld]",
        "gen_ai.prompt": "[withheld]",
        "cause": "no route to [phone]",
        "account_no": "[number]",
        "nested": {"transcript": "[withheld]", "n": [1, "[email]"]},
        "thing": "[object]",
        "done": True,
    }


def test_tokens_of_text_are_counted_and_tokens_that_open_doors_are_withheld() -> None:
    fields = {"used": {"input_token": "12.000000", "token": "abc"}, "gen_ai.output_token": 5}
    assert redact_fields(fields) == {
        "used": {"input_token": "12.000000", "token": "[withheld]"},
        "gen_ai.output_token": 5,
    }


def test_names_of_our_things_pass_and_names_of_people_do_not() -> None:
    fields = {
        "gen_ai.tool.name": "get_account_summary",
        "tool_name": "call +1 415 555 2671",
        "name": "Ada",
        "caller.name": "Ada",
    }
    assert redact_attributes(fields) == {
        "gen_ai.tool.name": "get_account_summary",
        "tool_name": "call [phone]",
        "name": "[withheld]",
        "caller.name": "[withheld]",
    }


def test_an_id_that_is_somebody_s_number_does_not_pass() -> None:
    assert redact_attributes({"session": "+14155552671"}) == {"session": "[phone]"}
