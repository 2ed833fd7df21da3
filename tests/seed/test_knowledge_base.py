"""The seed's Knowledge Base Tool section: its sample as written, but for the package's name."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.embeddings_endpoint import embeddings_endpoint
from toolkit import execute_tool, initialize_tools, reset_registry


@pytest.fixture(autouse=True)
async def registry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[None]:
    monkeypatch.setenv("VOICEMESH_DATA_FOLDER", str(tmp_path))
    async with embeddings_endpoint() as endpoint:
        monkeypatch.setenv("VOICEMESH_EMBEDDINGS_BASE_URL", endpoint.base_url)
        reset_registry()
        initialize_tools()
        yield
        reset_registry()


async def test_search_knowledge_base() -> None:
    # Tool usage in agent
    result = await execute_tool(
        "search_knowledge_base",
        {
            "query": "What is the fee refund policy?",
            "collection": "policies",
            "top_k": 5,
        },
    )

    assert result["success"] is True
    first = result["results"][0]
    assert first["title"] == "Fee Refund Policy"
    assert "courtesy" in first["content"]
    assert 0 < first["score"] <= 1
    assert {hit["collection"] for hit in result["results"]} == {"policies"}
    assert result["source"] == "local_vector"
    assert result["message"].startswith("We refund one fee per calendar year")
