"""The real openai client against an endpoint on loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.support.embeddings_endpoint import (
    EmbeddingsEndpoint,
    bag_of_stems,
    embeddings_endpoint,
)
from tool_executor.embeddings import OpenAIEmbedder
from tool_executor.knowledge import KnowledgeUnavailable


@pytest.fixture
async def endpoint() -> AsyncIterator[EmbeddingsEndpoint]:
    async with embeddings_endpoint() as running:
        yield running


@pytest.fixture
async def embedder(endpoint: EmbeddingsEndpoint) -> AsyncIterator[OpenAIEmbedder]:
    made = OpenAIEmbedder(base_url=endpoint.base_url, model="bag", api_key="secret-key")
    yield made
    await made.aclose()


async def test_vectors_in_order(embedder: OpenAIEmbedder, endpoint: EmbeddingsEndpoint) -> None:
    vectors = await embedder.embed(["apple pie", "cherry cake"], 5.0)
    assert vectors == [bag_of_stems("apple pie"), bag_of_stems("cherry cake")]
    assert endpoint.requests == [["apple pie", "cherry cake"]]
    assert endpoint.keys == ["Bearer secret-key"]
    assert embedder.model == "bag"


async def test_a_passing_failure_is_tried_again(
    embedder: OpenAIEmbedder, endpoint: EmbeddingsEndpoint
) -> None:
    endpoint.fail_next = 1
    assert await embedder.embed(["apple"], 5.0)
    assert len(endpoint.keys) == 2


async def test_retries_are_bounded(embedder: OpenAIEmbedder, endpoint: EmbeddingsEndpoint) -> None:
    endpoint.fail_next = 100
    with pytest.raises(KnowledgeUnavailable, match="InternalServerError"):
        await embedder.embed(["apple"], 10.0)
    assert len(endpoint.keys) == 3


async def test_so_is_the_time(embedder: OpenAIEmbedder, endpoint: EmbeddingsEndpoint) -> None:
    endpoint.fail_next = 100
    with pytest.raises(KnowledgeUnavailable, match="TimeoutError"):
        await embedder.embed(["apple"], 0.2)


async def test_nobody_there_and_no_key_in_the_message() -> None:
    embedder = OpenAIEmbedder(base_url="http://127.0.0.1:9/v1", model="bag", api_key="secret-key")
    with pytest.raises(KnowledgeUnavailable) as caught:
        await embedder.embed(["apple"], 5.0)
    assert "APIConnectionError" in str(caught.value)
    assert "secret-key" not in str(caught.value)
    await embedder.aclose()


async def test_no_key_is_sent_as_none(endpoint: EmbeddingsEndpoint) -> None:
    embedder = OpenAIEmbedder(base_url=endpoint.base_url, model="bag", api_key="")
    await embedder.embed(["apple"], 5.0)
    assert endpoint.keys == ["Bearer none"]
    await embedder.aclose()
    await embedder.aclose()
