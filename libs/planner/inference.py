"""Runs the model in one worker thread, so that the event loop stays free; bounds who may wait.

One thread is enough (a sentence takes about 13 ms) and keeps the planner at one core.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from typing import TypeVar

from planner.intents import Embedder
from planner.minilm import Array, MiniLM
from planner.smalltalk import PHRASES

T = TypeVar("T")
Encode = Callable[[str], Array]

REMEMBERED_PHRASES = 4096
"""Vectors of phrases kept, the least used dropped (6 MB)."""


class Busy(Exception):
    """More requests wait than may."""


class RequestEmbedder:
    """The embedder of one request: phrases from the shared memory, words from its own."""

    def __init__(self, phrase: Encode, encode: Encode) -> None:
        self._phrase, self._encode = phrase, encode
        self._words: dict[str, Array] = {}

    def phrase(self, text: str) -> Array:
        """The vector of a tool's phrase, remembered between requests."""
        return self._phrase(text)

    def words(self, text: str) -> Array:
        """The vector of what a caller said, remembered for as long as this object."""
        if text not in self._words:
            self._words[text] = self._encode(text)
        return self._words[text]


class Inference:
    """The model, its worker and its queue."""

    def __init__(self, model: MiniLM, max_waiting: int) -> None:
        self.model = model
        self._phrase = lru_cache(REMEMBERED_PHRASES)(model.encode)
        self._worker = ThreadPoolExecutor(1, "planner-inference")
        self._max_waiting = max_waiting
        self._admitted = 0

    def embedder(self) -> Embedder:
        """An embedder for one request."""
        return RequestEmbedder(self._phrase, self.model.encode)

    @property
    def phrases_known(self) -> int:
        """How many phrases are remembered."""
        return self._phrase.cache_info().currsize

    @property
    def admitted_now(self) -> int:
        """How many requests run or wait."""
        return self._admitted

    def warm(self) -> None:
        """Embed what every request compares with, before the first one waits for it."""
        for some in PHRASES.values():
            for phrase in some:
                self._phrase(phrase)

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """One request's place among those that run and wait. Raises Busy."""
        if self._admitted >= self._max_waiting:
            raise Busy(f"{self._max_waiting} requests are waiting already; try again shortly")
        self._admitted += 1
        try:
            yield
        finally:
            self._admitted -= 1

    async def run(self, work: Callable[[], T]) -> T:
        """Run work that uses the model, after what was asked before it."""
        return await asyncio.get_running_loop().run_in_executor(self._worker, work)

    def close(self) -> None:
        """End the worker once its running work is done; drop what waits."""
        self._worker.shutdown(wait=True, cancel_futures=True)
