"""What a turn used of the model, to be paid for: counted here, priced by the gateway. Pure."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import cast

from orchestrator.llm import Answered, ModelEvent
from voicemesh.orchestrator.v1 import orchestrator_pb2 as pb


class TurnUsage:
    """The tokens of one turn, by provider and model."""

    def __init__(self) -> None:
        self._used: dict[tuple[str, str], pb.ModelUsage] = {}
        self._begun = self._told = 0

    async def counting(self, events: AsyncIterator[ModelEvent]) -> AsyncGenerator[ModelEvent, None]:
        """The events of one answer, counted as they pass."""
        self._begun += 1
        async with aclosing(cast(AsyncGenerator[ModelEvent, None], events)) as source:
            async for event in source:
                if isinstance(event, Answered):
                    self._count(event)
                yield event

    def tell(self, completed: pb.TurnCompleted) -> None:
        """Write it into the end of the turn."""
        completed.model_usage.extend(self._used.values())
        completed.unmeasured_answers = self._begun - self._told

    def _count(self, answered: Answered) -> None:
        if not answered.input_tokens:  # every prompt has tokens: the endpoint tells no usage
            return
        self._told += 1
        key = (answered.provider, answered.model)
        used = self._used.setdefault(key, pb.ModelUsage(provider=key[0], model=key[1]))
        used.input_tokens += answered.input_tokens
        used.cached_input_tokens += answered.cached_input_tokens
        used.output_tokens += answered.output_tokens
