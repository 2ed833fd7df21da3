"""References to secrets: followed, kept for a while, and named where they fail."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from meshkit.keyvault import (
    KEPT_SECONDS,
    MAX_HOPS,
    Reference,
    References,
    SecretUnavailable,
    referred,
)


@dataclass
class Vault:
    """Secrets by URI, and what was asked."""

    secrets: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    time: float = 0.0

    def read(self, uri: str) -> str:
        self.asked.append(uri)
        if uri not in self.secrets:
            raise SecretUnavailable("not found")
        return self.secrets[uri]


@pytest.fixture
def vault() -> Vault:
    return Vault({"a": "first"})


@pytest.fixture
def references(vault: Vault) -> References:
    return References(vault.read, lambda: vault.time)


def chain(vault: Vault, *uris: str) -> None:
    for uri, further in pairwise(uris):
        vault.secrets[uri] = json.dumps({"uri": further})


def test_what_is_no_reference_stays(references: References, vault: Vault) -> None:
    assert references.resolve({"x": "a", "n": 3}, {}) == ({"x": "a", "n": 3}, {})
    assert vault.asked == []


def test_a_secret_is_kept_for_a_while_and_then_read_again(
    references: References, vault: Vault
) -> None:
    settings = {"x": Reference("a")}
    assert references.resolve(settings, {}) == ({"x": "first"}, {})
    vault.secrets["a"] = "second"
    vault.time = KEPT_SECONDS - 1
    assert references.resolve(settings, {}) == ({"x": "first"}, {})
    vault.time = KEPT_SECONDS
    assert references.resolve(settings, {}) == ({"x": "second"}, {})
    assert vault.asked == ["a", "a"]


def test_another_reference_is_read_at_once(references: References, vault: Vault) -> None:
    vault.secrets["b"] = "other"
    references.resolve({"x": Reference("a")}, {})
    assert references.resolve({"x": Reference("b")}, {}) == ({"x": "other"}, {})


def test_the_last_good_value_stays_and_the_failure_is_named(
    references: References, vault: Vault
) -> None:
    settings = {"x": Reference("a")}
    references.resolve(settings, {})
    del vault.secrets["a"]
    vault.time = KEPT_SECONDS
    for _ in range(2):  # what failed is asked for each time
        resolved, problems = references.resolve(settings, {})
        assert resolved == {"x": "first"}
        assert problems == {"x": "a cannot be read: not found"}
    assert vault.asked == ["a"] * 3


def test_a_reference_that_is_malformed_is_told_and_not_read(
    references: References, vault: Vault
) -> None:
    resolved, problems = references.resolve({"x": Reference("a")}, {"x": "it is no URI"})
    assert (resolved, problems) == ({}, {"x": "it is no URI"})
    assert vault.asked == []


def test_a_secret_that_refers_to_another_is_followed(references: References, vault: Vault) -> None:
    chain(vault, "c", "b", "a")
    assert references.resolve({"x": Reference("c")}, {}) == ({"x": "first"}, {})


@pytest.mark.parametrize("circle", [("c", "c"), ("c", "b", "c"), ("d", "c", "b", "c")])
def test_a_circle_is_named(references: References, vault: Vault, circle: tuple[str, ...]) -> None:
    chain(vault, *circle)
    _, problems = references.resolve({"x": Reference(circle[0])}, {})
    assert problems["x"].endswith(" -> ".join(circle[circle.index(circle[-1]) :]))


def test_a_chain_has_an_end(references: References, vault: Vault) -> None:
    links = [str(number) for number in range(MAX_HOPS)]
    chain(vault, *links, "a")
    assert references.resolve({"x": Reference("1")}, {}) == ({"x": "first"}, {})
    _, problems = references.resolve({"x": Reference("0")}, {})
    assert f"goes on after {MAX_HOPS} secrets" in problems["x"]


@pytest.mark.parametrize(
    "value", ["plain", "3", '["uri"]', '{"uri": 3}', '{"uri": "a", "more": 1}', "{"]
)
def test_a_secret_that_only_looks_like_a_reference_is_a_value(value: str) -> None:
    assert referred(value) is None
