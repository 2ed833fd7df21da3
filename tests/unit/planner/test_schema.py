"""What the arguments of a tool are, read from JSON Schema."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.conversation import Tool
from planner.schema import Kind, Slot, slots_of
from tests.support.planner_tools import BANK, DEMO, number, text, tool


def only(name: str, spec: dict[str, Any], description: str = "Do it.") -> Slot:
    (slot,) = slots_of(tool("any_tool", description, **{name: spec}))
    return slot


@pytest.mark.parametrize(
    ("name", "spec", "kind"),
    [
        ("full_name", text("Full name of the caller, first and last."), Kind.PERSON),
        ("name", text("Who is calling."), Kind.PERSON),
        ("ssn_last_4", text("Last four.", pattern=r"^\d{4}$"), Kind.DIGITS),
        ("pin", text("The PIN, digits only."), Kind.DIGITS),
        ("code", text("Code.", pattern="^[0-9]+$"), Kind.DIGITS),
        ("client_id", text("The verified client."), Kind.IDENTIFIER),
        ("account_type", text("Which.", enum=["checking", "savings"]), Kind.CHOICE),
        ("amount", number("How much, in dollars."), Kind.MONEY),
        ("limit", {"type": "integer", "description": "How many."}, Kind.COUNT),
        ("urgent", {"type": "boolean", "description": "Whether it hurries."}, Kind.FLAG),
        ("query", text("The question to answer."), Kind.SENTENCE),
        ("reason", text("Why."), Kind.SENTENCE),
        ("merchant", text("Merchant name."), Kind.PARTY),
        ("product_name", text("Product."), Kind.WORDS),
        ("location", text("Place, city or zip code."), Kind.PLACE),
        ("address", text("The new address."), Kind.ADDRESS),
        ("fee_type", text("Kind of fee, for example late fee, overdraft fee."), Kind.WORDS),
    ],
)
def test_the_kind_of_an_argument(name: str, spec: dict[str, Any], kind: Kind) -> None:
    assert only(name, spec).kind is kind


@pytest.mark.parametrize(
    ("spec", "lengths"),
    [
        (text("", pattern=r"^\d{4}$"), (4, 4)),
        (text("", pattern=r"\d{4,6}"), (4, 6)),
        (text("", pattern=r"^[0-9]{3,}$"), (3, 0)),
        (text("digits", minLength=5, maxLength=9), (5, 9)),
        (text("digits"), (0, 0)),
    ],
)
def test_the_length_of_digits(spec: dict[str, Any], lengths: tuple[int, int]) -> None:
    slot = only("number_given", spec)

    assert (slot.shortest, slot.longest) == lengths


def test_of_any_of_with_null_the_other_counts() -> None:
    spec = {"anyOf": [{"type": "null"}, {"type": "string", "enum": ["a", "b"]}]}

    assert only("which", spec).choices == ("a", "b")


def test_a_type_with_null_is_the_other_type() -> None:
    assert only("limit", {"type": ["null", "integer"]}).kind is Kind.COUNT


def test_examples_in_a_description_are_choices_of_words() -> None:
    slot = only("fee_type", text("Kind of fee, such as late fee, overdraft fee or monthly fee."))

    assert slot.choices == ("late fee", "overdraft fee", "monthly fee")


def test_bounds_and_order_of_a_count() -> None:
    spec = {"type": "integer", "minimum": 1, "maximum": 50}
    slot = only("limit", spec, "List the most recent transactions.")

    assert (slot.least, slot.most, slot.whole, slot.newest_first) == (1, 50, True, True)
    assert not only("top_k", spec, "Look something up.").newest_first


def test_required_and_optional() -> None:
    slots = {slot.name: slot.required for slot in slots_of(DEMO[3])}

    assert slots == {"query": True, "collection": False, "top_k": False}


def test_who_can_be_asked_for_what() -> None:
    summary = {slot.name: slot for slot in slots_of(DEMO[1])}

    assert summary["client_id"].from_results
    assert not summary["client_id"].spoken
    assert summary["account_type"].spoken


def test_effects_are_marked_by_schema_or_sentence() -> None:
    assert next(one for one in BANK if one.name == "block_card").effectful
    assert Tool("t", "Close it. Needs the caller's yes. For example: close it").effectful
    assert not DEMO[0].effectful
    assert not Tool("t", "", {"x-effect": "read_only"}).effectful


def test_roles_of_tools_are_read_from_their_words() -> None:
    assert [one.name for one in (*BANK, *DEMO) if one.verifies] == [
        "verify_client",
        "verify_client_identity",
    ]
    assert [one.name for one in (*BANK, *DEMO) if one.ends_call] == ["end_call"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=4)
    ),
    max_leaves=12,
)
KEYS = ["type", "enum", "pattern", "minLength", "maxLength", "minimum", "anyOf", "description"]


@given(
    st.dictionaries(
        st.text(max_size=12), st.dictionaries(st.sampled_from(KEYS), JSON) | JSON, max_size=4
    ),
    JSON,
)
def test_no_schema_makes_it_fail(properties: dict[str, Any], required: Any) -> None:
    offered = Tool("t", "d", {"properties": properties, "required": required})

    assert all(isinstance(slot.kind, Kind) for slot in slots_of(offered))


@given(JSON)
def test_properties_of_any_shape(properties: Any) -> None:
    assert isinstance(slots_of(Tool("t", "d", {"properties": properties})), tuple)
