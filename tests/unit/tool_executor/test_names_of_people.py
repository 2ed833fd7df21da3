"""Names as they are heard: which are one person, and which are not."""

from __future__ import annotations

from itertools import combinations

import pytest

from tool_executor.customers import demo_customers
from tool_executor.names_of_people import same_name


@pytest.mark.parametrize(
    ("heard", "on_record"),
    [
        ("Alice Brown", "Alice Brown"),
        ("alice brown.", "Alice Brown"),
        ("ALICE  BROWN", "Alice Brown"),
        ("Alice Browne", "Alice Brown"),
        ("Alis Brown", "Alice Brown"),
        ("John Smyth", "John Smith"),
        ("Jon Smith", "John Smith"),
        ("Mr. John Smith", "John Smith"),
        ("John Q. Smith", "John Smith"),
        ("My name is Jane Doe", "Jane Doe"),
        ("this is Jane Doe", "Jane Doe"),
        ("Jane Do", "Jane Doe"),
        ("Michael Chen", "Michael Chen"),
        ("Micheal Chen", "Michael Chen"),
        ("Bob Williams", "Bob Williams"),
        ("Bob William", "Bob Williams"),
        ("José O'Neil", "Jose ONeil"),
        ("Anne-Marie Weiss", "Anne Marie Weiss"),
    ],
)
def test_one_person(heard: str, on_record: str) -> None:
    assert same_name(heard, on_record)


@pytest.mark.parametrize(
    ("heard", "on_record"),
    [
        ("", "Alice Brown"),
        ("Alice", "Alice Brown"),
        ("Brown", "Alice Brown"),
        ("A B", "Alice Brown"),
        ("Alice Green", "Alice Brown"),
        ("Bob Brown", "Alice Brown"),
        ("Brown Alice", "Alice Brown"),
        ("Alice", "Alice"),
        ("John Smithers", "Joan Baker"),
        ("Jane Smith", "John Smith"),
        ("*. .*", "Alice Brown"),
        ("' OR 1=1", "Alice Brown"),
        ("1234 1234", "Alice Brown"),
    ],
)
def test_not_one_person(heard: str, on_record: str) -> None:
    assert not same_name(heard, on_record)


async def test_no_two_customers_are_taken_for_each_other() -> None:
    names = [customer.full_name for customer in await demo_customers().all_to_verify()]
    assert len(names) >= 5
    assert not [pair for pair in combinations(names, 2) if same_name(*pair)]
