"""The real model, loaded once: it takes 50 ms, and a stand-in would choose other tools."""

from __future__ import annotations

from functools import lru_cache

import pytest

from planner.inference import RequestEmbedder
from planner.intents import Embedder
from planner.minilm import MiniLM


@pytest.fixture(scope="session")
def model() -> MiniLM:
    return MiniLM()


@pytest.fixture(scope="session")
def embedder(model: MiniLM) -> Embedder:
    return RequestEmbedder(lru_cache(4096)(model.encode), model.encode)
