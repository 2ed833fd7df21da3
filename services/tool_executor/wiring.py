"""Which adapters serve: built from settings, in one place for the service and for local use."""

from __future__ import annotations

from pathlib import Path

from tool_executor.embeddings import OpenAIEmbedder
from tool_executor.knowledge import KnowledgeBase, read_corpus, shipped_corpus
from tool_executor.settings import ToolExecutorSettings

INDEX_FILE = "knowledge.sqlite3"


def make_embedder(settings: ToolExecutorSettings) -> OpenAIEmbedder:
    """The client of the embeddings endpoint."""
    return OpenAIEmbedder(
        base_url=settings.embeddings_base_url,
        model=settings.embeddings_model,
        api_key=settings.embeddings_api_key.get_secret_value(),
    )


def make_knowledge_base(settings: ToolExecutorSettings, embedder: OpenAIEmbedder) -> KnowledgeBase:
    """The corpus that the settings name, and where its index is kept."""
    folder = settings.knowledge_folder
    root = Path(folder) if folder else shipped_corpus()
    cache = Path(settings.data_folder) / INDEX_FILE if settings.data_folder else None
    return KnowledgeBase(
        lambda: read_corpus(root),
        embedder,
        cache,
        question_seconds=settings.embeddings_seconds,
    )
