"""What a span is told leaves redacted."""

from __future__ import annotations

from meshkit.context import new_trace
from meshkit.redaction import redact_attributes
from meshkit.telemetry import annotate, configure_tracing, span
from tests.support.otlp_sink import otlp_sink


async def test_attributes_leave_redacted() -> None:
    with otlp_sink() as sink:
        tracing = configure_tracing("gateway", "1.2.3", sink.endpoint)
        with new_trace(), span("turn", voicemesh__why="call +1 415 555 2671", said="I am Ada"):
            annotate(gen_ai__tool__name="verify_identity", cause="ssn 123-45-6789", tokens=12)
        await tracing.aclose()
    (turn,) = [s for s in sink.spans if s.name == "turn"]
    assert turn.attributes["voicemesh.why"] == "call [phone]"
    assert turn.attributes["said"] == "[withheld]"
    assert turn.attributes["gen_ai.tool.name"] == "verify_identity"
    assert turn.attributes["cause"] == "ssn [number]"


def test_the_conventions_names_of_models_pass_and_a_providers_name_elsewhere_does_not() -> None:
    told = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai"}
    assert redact_attributes(told) == told
    assert redact_attributes({"provider.name": "Ada"}) != {"provider.name": "Ada"}
