"""Which adapters serve: built from settings, in one place for the service and for local use."""

from __future__ import annotations

from pathlib import Path

from meshkit.logging import get_logger
from meshkit.startup import StartupError
from tool_executor.embeddings import OpenAIEmbedder
from tool_executor.knowledge import Knowledge, KnowledgeBase, read_corpus, shipped_corpus
from tool_executor.settings import ToolExecutorSettings

logger = get_logger("tool_executor.wiring")

INDEX_FILE = "knowledge.sqlite3"
MIN_SCORES = {"all-MiniLM-L6-v2": 0.22}
"""By embedding model, chosen on the shipped questions: `python -m tests.load.knowledge_eval`."""


def make_embedder(settings: ToolExecutorSettings) -> OpenAIEmbedder:
    """The client of the embeddings endpoint."""
    return OpenAIEmbedder(
        base_url=settings.embeddings_base_url,
        model=settings.embeddings_model,
        api_key=settings.embeddings_api_key.get_secret_value(),
    )


def make_knowledge_base(settings: ToolExecutorSettings, embedder: OpenAIEmbedder) -> Knowledge:
    """The corpus that the settings name, and where its index is kept. Raises StartupError."""
    folder = settings.knowledge_folder
    if settings.cosmos_endpoint:
        return _make_cosmos(settings, embedder)
    root = Path(folder) if folder else shipped_corpus()
    cache = Path(settings.data_folder) / INDEX_FILE if settings.data_folder else None
    return KnowledgeBase(
        lambda: read_corpus(root),
        embedder,
        cache,
        question_seconds=settings.embeddings_seconds,
        full_text=settings.knowledge_full_text,
    )


def min_score(settings: ToolExecutorSettings) -> float:
    """Below this a passage is about something else; -1, which nothing is below, for a model of which
    nobody has said it."""
    if settings.embeddings_min_score is not None:
        return settings.embeddings_min_score
    known = MIN_SCORES.get(settings.embeddings_model)
    if known is None:
        logger.warning(
            "no least similarity is known for the embedding model; set embeddings_min_score",
            extra={"model": settings.embeddings_model},
        )
        return -1.0
    return known


def _make_cosmos(settings: ToolExecutorSettings, embedder: OpenAIEmbedder) -> Knowledge:
    """The client library is imported where it is wanted: it takes half a second."""
    try:
        from meshkit.cosmos import CosmosContainer, CosmosPlace
        from tool_executor.knowledge.cosmos import CosmosKnowledge
    except ModuleNotFoundError as error:
        raise StartupError(
            f"cosmos_endpoint is set, but {error.name} is not installed: install voicemesh[cosmos]"
        ) from None
    place = CosmosPlace(
        settings.cosmos_endpoint,
        settings.cosmos_database,
        settings.knowledge_container,
        settings.cosmos_key.get_secret_value(),
    )
    folder = Path(settings.knowledge_folder) if settings.knowledge_folder else None
    try:
        container = CosmosContainer(place, seconds=settings.knowledge_seconds)
    except ValueError as error:
        raise StartupError(f"VOICEMESH_COSMOS_ENDPOINT: {error}.") from None
    return CosmosKnowledge(
        container,
        embedder,
        (lambda: read_corpus(folder)) if folder else None,
        question_seconds=settings.embeddings_seconds,
    )
