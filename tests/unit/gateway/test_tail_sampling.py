"""The collector that the chart shows as an example keeps the calls that it says it keeps.

The policies are read as the collector's tail sampler defines them, on spans as they leave.
https://github.com/open-telemetry/opentelemetry-collector-contrib/tree/v0.135.0/processor/tailsamplingprocessor
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from gateway import turn_spans
from gateway.settings import GatewaySettings
from gateway.timeline import TurnTimes
from gateway.turns import Outcome, Turn
from meshkit.context import call_context, new_trace
from meshkit.spans_table import ATTRIBUTES
from meshkit.telemetry import configure_tracing, span
from tests.support.otlp_sink import ReceivedSpan, otlp_sink
from tests.support.strict_yaml import read_strictly

CONFIG = Path(__file__).parents[3] / "charts/voicemesh/examples/collector.yaml"
SAMPLER = read_strictly(CONFIG.read_text())["processors"]["tail_sampling"]
POLICIES: Sequence[dict[str, Any]] = SAMPLER["policies"]
FAILED = Outcome("failed", failure_reason="MODEL_UNAVAILABLE")


def matching(spans: Sequence[ReceivedSpan]) -> set[str]:
    """Names of the policies that keep a trace for what is in it."""
    return {policy["name"] for policy in POLICIES if any(map(matcher(policy), spans))}


def matcher(policy: dict[str, Any]) -> Any:
    told = policy[policy["type"]]
    match policy["type"]:
        case "status_code":
            assert told["status_codes"] == ["ERROR"]
            return lambda span: span.failed
        case "boolean_attribute":
            return lambda span: span.attributes.get(told["key"]) is told["value"]
        case "probabilistic":
            return lambda span: False
    raise AssertionError(policy["type"])


async def spans_of(turns: Sequence[Turn], *, resumed: bool = False) -> list[ReceivedSpan]:
    with otlp_sink() as sink:
        tracing = configure_tracing("gateway", "1", sink.endpoint)
        with new_trace(), call_context(session="s-1"):
            with span("invoke_agent", voicemesh__resumed=resumed):
                pass
            for turn in turns:
                turn_spans.tell(turn)
        await tracing.aclose()
    return sink.spans


def turn(first_frame: float = 11.0, outcome: Outcome | None = None) -> Turn:
    times = TurnTimes(10.0, final=10.2, first_frame=first_frame)
    return Turn("t1", "u1", "concierge", times, outcome=outcome or Outcome("completed"))


@pytest.mark.parametrize(
    ("turns", "resumed", "kept"),
    [
        ([turn(), turn()], False, set()),
        ([turn(), turn(first_frame=12.0)], False, {"slow"}),
        ([turn(), turn(outcome=FAILED)], False, {"failed"}),
        ([turn()], True, {"resumed"}),
        ([turn(outcome=Outcome("interrupted"))], False, set()),
    ],
)
async def test_a_call_is_kept_for_its_worst_turn(
    turns: list[Turn], resumed: bool, kept: set[str]
) -> None:
    assert matching(await spans_of(turns, resumed=resumed)) == kept


def test_it_looks_at_attributes_that_there_are() -> None:
    keys = {p["boolean_attribute"]["key"] for p in POLICIES if "boolean_attribute" in p}
    assert keys
    assert {ATTRIBUTES[key][0] for key in keys} == {"bool"}


def test_the_decision_waits_for_the_longest_call() -> None:
    waits = float(SAMPLER["decision_wait"].removesuffix("s"))
    assert waits >= GatewaySettings().max_call_seconds + 10
