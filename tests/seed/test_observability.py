"""The seed's observability samples run as written, with our module paths."""

from __future__ import annotations

import json
import logging

import pytest

from meshkit.logging import configure_logging, get_logger
from meshkit.telemetry import span
from tests.support.otlp_sink import otlp_sink


def test_structured_logging(capsys: pytest.CaptureFixture[str]) -> None:
    before = logging.root.handlers[:], logging.root.level
    session_id, call_connection_id = "s-1", "c-1"
    configure_logging("gateway")
    try:
        logger = get_logger("api.v1.media")
        logger.info(
            "Session started",
            extra={
                "session_id": session_id,
                "call_connection_id": call_connection_id,
            },
        )
    finally:
        logging.root.handlers[:], level = before
        logging.root.setLevel(level)
    record = json.loads(capsys.readouterr().err)
    assert (record["session_id"], record["call_connection_id"]) == ("s-1", "c-1")


async def test_configure_tracing_as_the_source_has_it() -> None:
    with otlp_sink() as sink:
        OTEL_EXPORTER_OTLP_ENDPOINT = sink.endpoint  # noqa: N806 (the source's name)

        from meshkit.telemetry import configure_tracing

        tracing = configure_tracing(
            service_name="voice-agent-api",
            service_version="v1.0.0",
            otlp_endpoint=OTEL_EXPORTER_OTLP_ENDPOINT,
        )
        with span("turn"):
            pass
        await tracing.aclose()
    assert [(span.service, span.name) for span in sink.spans] == [("voice-agent-api", "turn")]
