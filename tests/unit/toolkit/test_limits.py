"""Limits and questions: exact amounts, and declarations that cannot be kept."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from toolkit import Limit, Policy, Registry, ToolkitError
from toolkit.asking import YES_OR_NO, question_of
from toolkit.limits import NotCountable, units_of

AMOUNT = {"properties": {"amount": {"type": "number"}}, "required": ["amount"], "type": "object"}
IDENTITY = frozenset({"identity"})


def declare(**policy: Any) -> None:
    Registry().register(
        "refund", {"parameters": AMOUNT}, lambda args: args, policy=Policy(**policy)
    )


@pytest.mark.parametrize(
    ("given", "units"),
    [(19.99, 1999), (0.1, 10), (35, 3500), (Decimal("35.00"), 3500), (1e3, 100_000), (0.29, 29)],
)
def test_amounts_are_counted_exactly(given: object, units: int) -> None:
    assert units_of(Limit("amount", per_day=100), given) == units


@pytest.mark.parametrize(
    "given", [0, -1, 0.005, float("inf"), Decimal("NaN"), True, "5", None, 1e30]
)
def test_what_cannot_be_counted(given: object) -> None:
    with pytest.raises(NotCountable, match="`amount`"):
        units_of(Limit("amount", per_day=100), given)


def test_a_run_is_one() -> None:
    assert units_of(Limit(per_call=3), None) == 1


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ({"limits": (Limit("amount"),)}, "needs per_run, per_call or per_day"),
        ({"limits": (Limit("amount", per_call=1.5),)}, "a float is not exact"),  # type: ignore[arg-type]
        ({"limits": (Limit("amount", per_call=0),)}, "over 0"),
        ({"limits": (Limit("fee", per_call=1),)}, "'fee' must be one that is required"),
        ({"limits": (Limit(per_run=1),)}, "per_run needs an argument"),
        ({"limits": (Limit(per_call=Decimal("1.5")),)}, "must be whole"),
        ({"limits": (Limit("amount", per_day=1),)}, "needs `requires`"),
        ({"limits": (Limit("amount", per_call=1, decimals=9),)}, "decimals must be"),
        ({"confirm": "Refund {fee} dollars."}, "names required arguments"),
        ({"confirm": "Refund {amount!r}."}, "names required arguments"),
        ({"confirm": "Refund {amount"}, "confirm is not right"),
        ({"confirm": "Refund.", "limits": (Limit("amount", per_call=1),)}, "must say {amount}"),
        ({"confirm": "Refund.", "attempts": 2}, "do not go together"),
        ({"requires": IDENTITY | {"consent"}}, "declare both"),
        ({"requires": IDENTITY, "consent": "May I?"}, "declare both"),
        ({"requires": frozenset({"consent"}), "consent": "May I?"}, "needs what proves who"),
    ],
)
def test_a_declaration_that_cannot_be_kept(policy: Mapping[str, Any], said: str) -> None:
    with pytest.raises(ToolkitError) as failure:
        declare(**policy)
    assert said in str(failure.value)


@pytest.mark.parametrize(
    ("given", "said"), [(20.0, "20"), (Decimal("20.00"), "20"), (19.99, "19.99"), (1e3, "1000")]
)
def test_the_question_says_amounts_as_a_voice_does(given: object, said: str) -> None:
    question = question_of("Refund {amount} dollars.", {"amount": given})
    assert question == f"Refund {said} dollars. {YES_OR_NO}"


def test_a_question_that_is_too_long_is_none() -> None:
    with pytest.raises(ValueError, match="too long"):
        question_of("Note {text}.", {"text": "x" * 500})


def test_what_is_put_in_cannot_put_in_more() -> None:
    assert question_of("Note {text}.", {"text": "{amount}"}).startswith("Note {amount}.")
