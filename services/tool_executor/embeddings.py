"""Texts to vectors by an OpenAI-compatible endpoint; the only module that imports openai."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tool_executor.knowledge import KnowledgeUnavailable

if TYPE_CHECKING:
    from openai import AsyncOpenAI

MAX_RETRIES = 2
NO_KEY = "none"
"""The client insists on a key; endpoints that need none ignore it."""


class OpenAIEmbedder:
    """Asks `model` at `base_url`, with at most two retries within the time given."""

    def __init__(self, *, base_url: str, model: str, api_key: str) -> None:
        self._base_url, self._model = base_url, model
        self._api_key = api_key or NO_KEY
        self._client: AsyncOpenAI | None = None

    @property
    def model(self) -> str:
        """The model asked for."""
        return self._model

    async def embed(self, texts: Sequence[str], seconds: float) -> list[list[float]]:
        """One vector a text, in order. Raises KnowledgeUnavailable."""
        import openai  # at the first need: it takes 23 MB and a quarter of a second

        try:
            async with asyncio.timeout(seconds):
                answer = await self._connected().embeddings.create(
                    model=self._model, input=list(texts), encoding_format="float"
                )
        except (openai.OpenAIError, TimeoutError) as error:
            raise KnowledgeUnavailable(f"{type(error).__name__} of {self._base_url}") from None
        ordered = sorted(answer.data, key=lambda item: item.index)
        return [item.embedding for item in ordered]

    async def aclose(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.close()
            self._client = None

    def _connected(self) -> AsyncOpenAI:
        if self._client is None:
            from openai import AsyncOpenAI

            self._client = AsyncOpenAI(
                base_url=self._base_url, api_key=self._api_key, max_retries=MAX_RETRIES
            )
        return self._client
