"""The shipped tools: what they answer, and how it sounds."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tests.support.embeddings_endpoint import bag_of_stems
from tool_executor.customers import Customer, FileCustomers, demo_customers
from tool_executor.knowledge import (
    KnowledgeBase,
    KnowledgeUnavailable,
    read_corpus,
    shipped_corpus,
)
from tool_executor.settings import ToolExecutorSettings
from tool_executor.tools import shipped_tools
from tool_executor.tools.accounts import AccountTools
from tool_executor.tools.knowledge_base import KnowledgeTools
from tool_executor.tools.verification import VerificationTools
from tool_executor.wiring import MIN_SCORES, min_score
from toolkit import Effect, Registry, tools_of
from toolkit.local import execute

TODAY = date(2026, 11, 24)
MIN_SCORE = MIN_SCORES["all-MiniLM-L6-v2"]


class Embedder:
    """Vectors of the test's endpoint without a wire; raises when told to."""

    model = "bag"

    def __init__(self) -> None:
        self.down = False

    async def embed(self, texts: Sequence[str], seconds: float) -> list[list[float]]:
        if self.down:
            raise KnowledgeUnavailable("down")
        return [bag_of_stems(text) for text in texts]


@pytest.fixture
def embedder() -> Embedder:
    return Embedder()


@pytest.fixture
def registry(embedder: Embedder) -> Registry:
    knowledge = KnowledgeBase(lambda: read_corpus(shipped_corpus()), embedder, None)
    customers = demo_customers()
    groups = (
        VerificationTools(customers),
        AccountTools(customers, today=lambda: TODAY),
        KnowledgeTools(knowledge, MIN_SCORE),
    )
    return Registry(tool for group in groups for tool in tools_of(group))


async def verify(registry: Registry, name: str, digits: str) -> dict[str, Any]:
    arguments = {"full_name": name, "ssn_last_4": digits}
    return await execute(registry, "verify_client_identity", arguments)


@pytest.mark.parametrize(
    ("name", "digits", "client_id"),
    [
        ("Alice Brown", "1234", "alice_brown_ab"),
        ("john smith", "1234", "CLT-001-JS"),
        ("Jane Do", "5678", "CLT-002-JD"),
        ("Micheal Chen", "9999", "CLT-003-MC"),
        ("Bob Williams.", "5432", "bob_williams_bw"),
    ],
)
async def test_verified(registry: Registry, name: str, digits: str, client_id: str) -> None:
    result = await verify(registry, name, digits)
    assert result["success"] is True
    assert result["authenticated"] is True
    assert result["client_id"] == client_id
    assert result["message"].startswith("Thank you, ")


@pytest.mark.parametrize(
    ("name", "digits"),
    [
        ("Alice Brown", "5678"),  # right name, digits of another
        ("Nobody Atall", "1234"),  # right digits, no such name
        ("John Brown", "1234"),  # first and last name of two customers with these digits
        ("Alice", "1234"),
        ("1234", "1234"),
    ],
)
async def test_not_verified_and_not_told_why(registry: Registry, name: str, digits: str) -> None:
    result = await verify(registry, name, digits)
    assert result["success"] is False
    assert set(result) == {"success", "message", "authenticated"}
    assert "last four digits" in result["message"]
    assert digits not in result["message"]


@pytest.mark.parametrize("digits", ["123", "12345", "12a4", "1234\n", "１２３４", ""])
async def test_digits_that_are_not_four(registry: Registry, digits: str) -> None:
    result = await verify(registry, "Alice Brown", digits)
    assert result["success"] is False
    assert "authenticated" not in result or result["authenticated"] is False


async def test_two_people_alike_cannot_be_told_apart() -> None:
    alice = await demo_customers().by_client_id("alice_brown_ab")
    assert alice is not None
    twin = Customer(**{**alice.model_dump(), "client_id": "twin"})
    registry = Registry(tools_of(VerificationTools(FileCustomers([alice, twin]))))
    assert (await verify(registry, "Alice Brown", "1234"))["success"] is False


async def test_the_summary(registry: Registry) -> None:
    result = await execute(registry, "get_account_summary", {"client_id": "alice_brown_ab"})
    assert result["message"] == (
        "Your checking account has 2,450.67 dollars available. 60 dollars of its balance are on"
        " hold. Your savings account has 18,320.15 dollars available."
    )
    assert result["accounts"] == [
        {
            "type": "checking",
            "balance": 2510.67,
            "available": 2450.67,
            "account_number_last4": "7781",
        },
        {
            "type": "savings",
            "balance": 18320.15,
            "available": 18320.15,
            "account_number_last4": "9902",
        },
    ]


async def test_one_account(registry: Registry) -> None:
    arguments = {"client_id": "CLT-002-JD", "account_type": "savings"}
    result = await execute(registry, "get_account_summary", arguments)
    assert result["message"] == "Your savings account has 7,600 dollars available."


async def test_an_account_that_is_not_there() -> None:
    alice = await demo_customers().by_client_id("alice_brown_ab")
    assert alice is not None
    without = alice.model_copy(update={"accounts": alice.accounts[:1], "transactions": ()})
    registry = Registry(tools_of(AccountTools(FileCustomers([without]), today=lambda: TODAY)))
    arguments = {"client_id": "alice_brown_ab", "account_type": "savings"}
    result = await execute(registry, "get_account_summary", arguments)
    assert (result["success"], result["message"]) == (
        False,
        "You have no savings account with us.",
    )
    none = await execute(registry, "get_recent_transactions", {"client_id": "alice_brown_ab"})
    assert none["message"] == "You have no recent transactions."


async def test_transactions(registry: Registry) -> None:
    arguments = {"client_id": "alice_brown_ab", "limit": 3}
    result = await execute(registry, "get_recent_transactions", arguments)
    assert result["message"] == (
        "Your latest transactions were: yesterday 64.18 dollars at Green Leaf Market, on November"
        " 21st a foreign transaction fee of 12.36 dollars for Hotel Lumière in Paris, France and on"
        " November 21st 412 dollars at Hotel Lumière in Paris, France."
    )
    assert [entry["id"] for entry in result["transactions"]] == [
        "TXN-AB-001",
        "TXN-AB-002",
        "TXN-AB-003",
    ]
    paris = result["transactions"][2]
    assert paris["date"] == "2026-11-21"
    assert (paris["amount"], paris["original_amount"]) == (-412.0, 379.04)


async def test_a_deposit_and_a_single_transaction(registry: Registry) -> None:
    one = {"client_id": "CLT-001-JS", "limit": 1}
    result = await execute(registry, "get_recent_transactions", one)
    assert result["message"] == ("Your latest transaction was today 6.75 dollars at Corner Coffee.")
    many = await execute(registry, "get_recent_transactions", {"client_id": "CLT-003-MC"})
    assert "a deposit of 6,400 dollars from Tailspin Consulting" in many["message"]


@pytest.mark.parametrize("limit", [0, 51, -1, "3", 2.5])
async def test_limits_that_are_none(registry: Registry, limit: object) -> None:
    arguments = {"client_id": "alice_brown_ab", "limit": limit}
    result = await execute(registry, "get_recent_transactions", arguments)
    assert result["error"] == "ARGUMENTS_INVALID"


async def test_an_unknown_client(registry: Registry) -> None:
    for name in ("get_account_summary", "get_recent_transactions"):
        result = await execute(registry, name, {"client_id": "nobody"})
        assert (result["success"], result["message"]) == (False, "I could not find that customer.")


async def search(registry: Registry, **arguments: Any) -> dict[str, Any]:
    return await execute(registry, "search_knowledge_base", arguments)


async def test_the_knowledge_base(registry: Registry) -> None:
    result = await search(
        registry, query="foreign transaction fee charged in another currency", top_k=2
    )
    assert len(result["results"]) == 2
    assert result["results"][0]["title"] == "Foreign Transaction Fee"
    assert result["source"] == "local_vector"
    assert len(result["message"]) <= 320
    assert result["message"].endswith(".")


async def test_a_collection_of_its_own(registry: Registry) -> None:
    result = await search(registry, query="travel rewards card", collection="products")
    assert {hit["collection"] for hit in result["results"]} == {"products"}
    everywhere = await search(registry, query="travel rewards card", collection="general")
    assert everywhere["success"] is True


async def test_a_collection_that_is_not_there(registry: Registry) -> None:
    result = await search(registry, query="fee", collection="rumours")
    assert result["success"] is False
    assert "faq or policies or products" in result["message"]


async def test_nothing_near(registry: Registry) -> None:
    result = await search(registry, query="zebra quantum xylophone")
    assert (result["success"], result["results"]) == (True, [])
    assert "could not find anything" in result["message"]


async def test_the_embeddings_endpoint_is_down(registry: Registry, embedder: Embedder) -> None:
    embedder.down = True
    result = await search(registry, query="overdraft fee")
    assert result["success"] is False
    assert "cannot look into our documents" in result["message"]


async def test_a_corpus_that_cannot_be_read(embedder: Embedder, tmp_path: Path) -> None:
    knowledge = KnowledgeBase(lambda: read_corpus(tmp_path / "none"), embedder, None)
    result = await search(
        Registry(tools_of(KnowledgeTools(knowledge, MIN_SCORE))), query="overdraft fee"
    )
    assert result["success"] is False


def test_every_tool_is_declared_for_model_and_planner(embedder: Embedder) -> None:
    tools = shipped_tools(KnowledgeBase(list, embedder, None), ToolExecutorSettings(data_folder=""))
    assert len(tools) == 5
    for tool in tools:
        examples = re.search(r"\. For example: (.+)$", tool.description)
        assert examples is not None, tool.name
        assert 4 <= len(examples.group(1).split("; ")) <= 7
        acts = tool.effect is Effect.EFFECTFUL
        assert acts == bool(tool.policy.confirm), "what acts asks first"
        assert tool.policy.shows is not None
        assert tool.parameters["additionalProperties"] is False


@pytest.mark.parametrize(
    ("told", "least"),
    [
        ({}, 0.22),
        ({"embeddings_min_score": 0.4}, 0.4),
        ({"embeddings_model": "another"}, -1.0),
        ({"embeddings_model": "another", "embeddings_min_score": 0.7}, 0.7),
    ],
)
def test_the_least_score_belongs_to_the_embedding_model(told: dict[str, Any], least: float) -> None:
    assert min_score(ToolExecutorSettings(**told)) == least
