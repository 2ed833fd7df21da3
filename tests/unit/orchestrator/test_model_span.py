"""An answer of the model as a span and as numbers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from meshkit.telemetry import configure_tracing
from orchestrator.llm import Answered
from orchestrator.model_span import model_span
from tests.support.kept_metrics import KeptMetrics, kept_metrics
from tests.support.otlp_sink import otlp_sink

ANSWERED = Answered((), "gpt-x", input_tokens=90, output_tokens=7, cached_input_tokens=64,
                    provider="openai")  # fmt: skip


@pytest.fixture
def kept() -> Iterator[KeptMetrics]:
    with kept_metrics() as instruments:
        yield instruments


async def test_the_span_tells_model_and_tokens_by_the_conventions(kept: KeptMetrics) -> None:
    with otlp_sink() as sink:
        tracing = configure_tracing("orchestrator", "1", sink.endpoint)
        with model_span("gpt-deployment", "s-1") as told:
            told(ANSWERED)
        await tracing.aclose()
    assert (sink.spans[0].name, sink.spans[0].kind) == ("chat gpt-deployment", 3)
    assert sink.spans[0].attributes == {
        "gen_ai.conversation.id": "s-1",
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "gpt-deployment",
        "gen_ai.provider.name": "openai",
        "gen_ai.response.model": "gpt-x",
        "gen_ai.usage.input_tokens": 90,
        "gen_ai.usage.output_tokens": 7,
    }


def test_tokens_are_counted_by_direction(kept: KeptMetrics) -> None:
    with model_span() as told:
        told(ANSWERED)
    tokens = {
        labels["direction"]: value for value, labels in kept.of("voicemesh_model_tokens_total")
    }
    assert tokens == {"input": 90, "cached_input": 64, "output": 7}


@pytest.mark.parametrize(
    ("error", "outcome"),
    [(None, "ok"), (ValueError("said"), "failed"), (asyncio.CancelledError(), "cancelled")],
)
def test_an_answer_is_timed_however_it_ends(
    kept: KeptMetrics, error: BaseException | None, outcome: str
) -> None:
    times = iter((1.0, 3.5))
    try:
        with model_span(clock=lambda: next(times)):
            if error:
                raise error
    except type(error or ValueError()):
        pass
    assert kept.of("voicemesh_model_seconds") == [(2.5, {"outcome": outcome})]
