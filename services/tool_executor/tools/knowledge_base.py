"""search_knowledge_base: what the documents say about a question."""

from __future__ import annotations

from pydantic import BaseModel, Field

from meshkit.logging import get_logger
from tool_executor.knowledge import CorpusInvalid, Hit, Knowledge, KnowledgeUnavailable
from tool_executor.knowledge.passages import sentences
from toolkit import Effect, ToolResult, tool

logger = get_logger("tool_executor.knowledge_base")

SPOKEN_CHARACTERS = 320
"""About twenty seconds of speech."""
EVERYWHERE = "general"
"""The reference's name for all collections."""

UNAVAILABLE = (
    "I am sorry, I cannot look into our documents at the moment. I can try again in a minute, or"
    " connect you to a colleague."
)
NOTHING_FOUND = "I could not find anything about that in our documents."


class SearchArguments(BaseModel, extra="forbid"):
    """The question, and where to look."""

    query: str = Field(description="The caller's question, in full.", min_length=2, max_length=1000)
    collection: str = Field(
        EVERYWHERE,
        description="policies, products or faq; leave it out to search all of them.",
        max_length=64,
    )
    top_k: int = Field(5, ge=1, le=10, description="How many passages at most.")


class KnowledgeTools:
    """The tool that answers from documents. Passages whose score is below `min_score` are about
    something else; which that is belongs to the embedding model."""

    def __init__(self, knowledge: Knowledge, min_score: float) -> None:
        self._knowledge, self._min_score = knowledge, min_score

    @tool(
        "Answer a question about the bank's rules, fees, cards and services from its documents."
        " For example: why was I charged a foreign transaction fee; why did a purchase abroad cost"
        " a fee; what is the fee refund policy; what happens if I lose my card; how do I dispute a"
        " charge; what are your opening hours; which card is best for travel",
        effect=Effect.READ_ONLY,
        timeout_seconds=8.0,
        tags={"knowledge"},
        shows={"results", "source"},
    )
    async def search_knowledge_base(self, args: SearchArguments) -> ToolResult:
        """Passages with score, best first; `message` begins the best one."""
        try:
            wanted = "" if args.collection in ("", EVERYWHERE) else args.collection
            if wanted and wanted not in (known := await self._knowledge.collections()):
                return self._result(
                    False, f"There is no collection {wanted}; use {_or(known)}.", []
                )
            hits = await self._knowledge.search(args.query, collection=wanted, top_k=args.top_k)
        except (KnowledgeUnavailable, CorpusInvalid) as error:
            logger.warning("knowledge base not available", extra={"cause": str(error)})
            return self._result(False, UNAVAILABLE, [])
        near = [hit for hit in hits if hit.score >= self._min_score]
        return self._result(True, _answer(near), near)

    def _result(self, success: bool, message: str, hits: list[Hit]) -> ToolResult:
        results = [
            {
                "title": hit.passage.title,
                "content": hit.passage.content,
                "score": hit.score,
                "collection": hit.passage.collection,
            }
            for hit in hits
        ]
        return ToolResult(success, message, {"results": results, "source": self._knowledge.source})


def _answer(hits: list[Hit]) -> str:
    """The first sentences of the best passage, as many as are comfortable to hear."""
    if not hits:
        return NOTHING_FOUND
    said = ""
    for sentence in sentences(hits[0].passage.content):
        if said and len(said) + len(sentence) > SPOKEN_CHARACTERS:
            break
        said = f"{said} {sentence}".strip()
    return said


def _or(names: list[str]) -> str:
    return " or ".join(names)
