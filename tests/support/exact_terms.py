"""Passages that differ by an exact term, and what callers ask about them, by that term.

Generated and the same every time. The wording is ours and the set is hard on purpose: a meaning alone
does not tell one of these passages from the next.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from tool_executor.knowledge import Passage

_KINDS = (
    "checking account", "savings account", "credit card", "debit card", "mortgage", "car loan",
    "brokerage account", "business account",
)  # fmt: skip
_CAUSES = (
    "the card reader lost its connection", "the daily limit was reached",
    "the address did not match", "the one-time code had expired",
    "the receiving bank did not answer", "the account was frozen for review",
)  # fmt: skip
_CURES = (
    "Try again after ten minutes.", "Sign out, sign in again and repeat the payment.",
    "Call us to lift the block.", "Ask the shop to enter the card by hand.",
)  # fmt: skip
_OWNERS = ("students", "families", "companies", "travellers", "people over sixty")
_FIRST = (
    "Nostro", "Courtesy", "Dormant", "Priority", "Escrow", "Stop", "Cable", "Paper", "Vault",
    "Garnish", "Proxy", "Ledger", "Lockbox", "Sweep", "Tracer", "Cashier",
)  # fmt: skip
_SECOND = ("repair", "handling", "statement", "payment", "release", "search", "custody", "notice")


@dataclass(frozen=True)
class Asked:
    """A question, and the title of the passage that answers it."""

    ask: str
    title: str


def exact_terms(each: int = 120) -> tuple[list[Passage], list[Asked]]:
    """Passages about `each` errors, products and fees (128 at most), and a question for every
    sixth of them."""
    choose = random.Random(7)
    codes = choose.sample(range(1000, 9999), 2 * each)
    names = [(first, second) for first in _FIRST for second in _SECOND]
    choose.shuffle(names)
    made = [
        *(_error(choose, code) for code in codes[:each]),
        *(_product(choose, code) for code in codes[each:]),
        *(_fee(choose, *name) for name in names[:each]),
    ]
    asked = [question for _, question in made[::6]]
    passages = [passage for passage, _ in made]
    choose.shuffle(passages)
    return passages, asked


def _error(choose: random.Random, code: int) -> tuple[Passage, Asked]:
    spelt = " ".join(str(code))
    said = (
        f"the app shows error E-{code}", f"what does error E{code} mean",
        f"I get error code {code}", f"my screen says error e {spelt}",
    )  # fmt: skip
    text = (
        f"Error E-{code} means that {choose.choice(_CAUSES)} while you were using a"
        f" {choose.choice(_KINDS)}. {choose.choice(_CURES)}"
    )
    title = f"Error E-{code}"
    return Passage("errors", "errors.md", title, text), Asked(choose.choice(said), title)


def _product(choose: random.Random, code: int) -> tuple[Passage, Asked]:
    said = (
        f"what does MB-{code} cost", f"tell me about product MB {code}", f"is MB{code} free",
        f"how much is the mb {' '.join(str(code))} a month",
    )  # fmt: skip
    text = (
        f"MB-{code} is our {choose.choice(_KINDS)} for {choose.choice(_OWNERS)}. It costs"
        f" {choose.randint(0, 30)} dollars a month and pays {choose.randint(1, 40) / 10} percent."
    )
    title = f"Product MB-{code}"
    return Passage("products", "sheet.md", title, text), Asked(choose.choice(said), title)


def _fee(choose: random.Random, first: str, second: str) -> tuple[Passage, Asked]:
    name = f"{first.lower()} {second}"
    said = (
        f"why is there a {name} fee on my statement", f"how high is the {name} fee",
        f"what is a {name} fee",
    )  # fmt: skip
    text = (
        f"The {name} fee of {choose.randint(2, 60)} dollars is charged once for each"
        f" {choose.choice(('request', 'payment', 'document', 'quarter'))} on a"
        f" {choose.choice(_KINDS)}. It is not refunded."
    )
    title = f"{first} {second.capitalize()} Fee"
    return Passage("fees", "fees.md", title, text), Asked(choose.choice(said), title)
