"""One answer of the model as a span and as numbers, by the GenAI conventions; never what was said.

https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from meshkit import metrics
from meshkit.telemetry import annotate, span
from orchestrator.llm import Answered


@contextmanager
def model_span(
    model: str = "", session: str = "", clock: Callable[[], float] = time.monotonic
) -> Iterator[Callable[[Answered], None]]:
    """A span around the block, which tells how the model answered by calling what it is given.

    `model` is the one that is asked; empty: the span is named after the operation alone. `session` is
    the id of the conversation.
    """
    began, outcome = clock(), "failed"
    with span(
        "chat",
        "client",
        of=model,
        gen_ai__operation__name="chat",
        gen_ai__request__model=model,
        gen_ai__conversation__id=session,
    ):
        try:
            yield answered
            outcome = "ok"
        except asyncio.CancelledError:
            outcome = "cancelled"
            raise
        finally:
            # Within the span, so that the number's exemplar is of it.
            metrics.record("voicemesh_model_seconds", clock() - began, outcome=outcome)


def answered(by: Answered) -> None:
    """Put what the model says of its answer on the span at hand, and count its tokens."""
    annotate(
        gen_ai__response__model=by.model,
        gen_ai__provider__name=by.provider,
        gen_ai__usage__input_tokens=by.input_tokens,
        gen_ai__usage__output_tokens=by.output_tokens,
    )
    for direction, tokens in (
        ("input", by.input_tokens),
        ("cached_input", by.cached_input_tokens),
        ("output", by.output_tokens),
    ):
        metrics.add("voicemesh_model_tokens_total", tokens, model=by.model, direction=direction)
