"""Tokens are summed by model; an answer that was cut off, or told nothing, is counted as such."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from orchestrator.llm import Answered, ModelEvent, TextDelta, billed_by
from orchestrator.metering import TurnUsage
from orchestrator.settings import OrchestratorSettings
from voicemesh.orchestrator.v1 import orchestrator_pb2 as pb


async def answer(*events: ModelEvent) -> AsyncIterator[ModelEvent]:
    for event in events:
        yield event


def told(usage: TurnUsage) -> pb.TurnCompleted:
    completed = pb.TurnCompleted()
    usage.tell(completed)
    return completed


async def test_tokens_are_summed_by_model() -> None:
    usage = TurnUsage()
    for model, tokens in (("m", (10, 5, 4)), ("n", (1, 2, 0)), ("m", (20, 1, 16))):
        passed = usage.counting(answer(TextDelta("x"), Answered((), model, *tokens, "openai")))
        assert len([event async for event in passed]) == 2
    m, n = told(usage).model_usage
    assert (m.provider, m.model, m.input_tokens, m.cached_input_tokens, m.output_tokens) == (
        "openai",
        "m",
        30,
        20,
        6,
    )
    assert (n.model, n.input_tokens) == ("n", 1)
    assert told(usage).unmeasured_answers == 0


async def test_an_answer_that_is_cut_off_is_unmeasured() -> None:
    usage = TurnUsage()
    async with aclosing(usage.counting(answer(TextDelta("x"), Answered((), "m", 9, 9)))) as events:
        await anext(events)
    assert told(usage).unmeasured_answers == 1
    assert list(told(usage).model_usage) == []


async def test_an_endpoint_that_tells_no_usage_is_unmeasured() -> None:
    usage = TurnUsage()
    async for _ in usage.counting(answer(Answered((), "m"))):
        pass
    assert told(usage).unmeasured_answers == 1


@pytest.mark.parametrize(
    ("settings", "provider"),
    [
        ({}, "local"),
        ({"model_base_url": "https://api.openai.com/v1"}, "openai"),
        ({"model_base_url": "https://llm.example.org/v1"}, "llm.example.org"),
        ({"azure_openai_endpoint": "https://x.openai.azure.com"}, "azure-openai"),
    ],
)
def test_who_bills(settings: dict[str, str], provider: str) -> None:
    assert billed_by(OrchestratorSettings(**settings)) == provider
