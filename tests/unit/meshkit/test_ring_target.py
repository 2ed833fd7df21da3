"""Which telemetry goes to the ring, and that a ring which is gone holds up no process that ends."""

from __future__ import annotations

import asyncio
import logging
import time

import pytest
from pydantic import ValidationError

from meshkit import metrics, telemetry
from meshkit.metrics_export import measured
from meshkit.settings import MeshSettings
from meshkit.trace_export import TO_COLLECTOR, traced

NOBODY = 9
"""The discard port: nothing listens there."""


@pytest.mark.parametrize(
    ("given", "endpoint", "ring"),
    [
        ({}, "", False),
        ({"telemetry_ring_port": 14317}, "http://127.0.0.1:14317", True),
        ({"otlp_endpoint": "http://mine:4317"}, "http://mine:4317", False),
        (
            {"telemetry_ring_port": 14317, "otlp_endpoint": "http://mine:4317"},
            "http://mine:4317",
            False,
        ),
    ],
)
def test_a_collector_that_is_named_goes_before_the_ring(
    given: dict[str, object], endpoint: str, ring: bool
) -> None:
    settings = MeshSettings(**given)
    assert (settings.telemetry_endpoint, settings.uses_ring) == (endpoint, ring)


@pytest.mark.parametrize("port", [0, -1, 65_536])
def test_a_ring_has_a_port_that_others_know(port: int) -> None:
    with pytest.raises(ValidationError, match="telemetry_ring_port"):
        MeshSettings(telemetry_ring_port=port)


async def test_a_ring_that_is_gone_holds_up_nobody_and_is_not_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    settings = MeshSettings(telemetry_ring_port=NOBODY)
    async with measured("gateway", "1", settings), traced("gateway", "1", settings):
        metrics.gauge("voicemesh_calls_live", 1)
        with telemetry.span("turn"):
            await asyncio.sleep(0)
        ending = time.monotonic()
    assert time.monotonic() - ending < TO_COLLECTOR.flush_seconds, "a collector is given more"
    assert [record.name for record in caplog.records if "opentelemetry" in record.name] == []
    assert logging.getLogger("opentelemetry.exporter.otlp").level == logging.NOTSET, "as before"
