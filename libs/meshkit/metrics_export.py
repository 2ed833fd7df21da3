"""Where metrics go: to a collector by OTLP, to whoever scrapes `/metrics`, or both.

The SDK and the exporters are imported only where one of them is wanted. Exports leave by a thread of
their own, with short deadlines, so that a collector that is away costs nothing but its numbers.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from meshkit import metrics
from meshkit.metrics_table import METRICS
from meshkit.tasks import off_the_loop

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics import MeterProvider

    from meshkit.settings import MeshSettings

EXPORT_EACH_SECONDS = 60.0
"""As OpenTelemetry has it; each export tells all that there is, whether it changed or not."""
EXPORT_SECONDS = 3.0
"""Time that one export may take."""
FLUSH_SECONDS = 4.0
"""Time that a process which ends gives its last numbers."""
RING_EACH_SECONDS = 5.0
"""Instead of EXPORT_EACH_SECONDS where a person watches: numbers go to the ring of a local mesh."""
RING_FLUSH_SECONDS = 0.1
"""Instead of FLUSH_SECONDS: the ring is near, or it has ended with the mesh and nobody would look."""


@asynccontextmanager
async def measured(service: str, version: str, settings: MeshSettings) -> AsyncIterator[int | None]:
    """Count within the block as the settings say. Gives the port of `/metrics`; None: there is none.

    Raises StartupError where the port cannot be listened on.
    """
    endpoint, near = settings.telemetry_endpoint, settings.uses_ring
    if not endpoint and settings.metrics_port is None:
        yield None
        return
    port, stop = None, None
    readers: list[Any] = []
    if endpoint:
        readers.append(_pushing(endpoint, RING_EACH_SECONDS if near else EXPORT_EACH_SECONDS))
    if settings.metrics_port is not None:
        from meshkit.metrics_page import scraped  # what it needs is nobody else's to load

        reader, port, stop = scraped(settings.bind_host, settings.metrics_port)
        readers.append(reader)
    provider = _provider(service, version, readers)
    metrics.switch(OtelInstruments(provider))
    sampling = asyncio.create_task(metrics.sampling())
    with _silent_exporters() if near else nullcontext():
        try:
            yield port
        finally:
            sampling.cancel()
            await asyncio.gather(sampling, return_exceptions=True)
            metrics.switch(None)
            await off_the_loop(
                lambda: _end(provider, stop), RING_FLUSH_SECONDS if near else FLUSH_SECONDS
            )


class OtelInstruments:
    """The table's metrics as instruments of a meter."""

    def __init__(self, provider: MeterProvider) -> None:
        meter = provider.get_meter("voicemesh")
        self._take: dict[str, Callable[[float, dict[str, str]], None]] = {}
        for name, metric in METRICS.items():
            told = {"unit": metric.unit, "description": metric.meaning}
            if metric.kind == "counter":
                self._take[name] = meter.create_counter(name, **told).add
            elif metric.kind == "gauge":
                self._take[name] = meter.create_gauge(name, **told).set
            else:
                self._take[name] = meter.create_histogram(
                    name, explicit_bucket_boundaries_advisory=metric.buckets, **told
                ).record

    def take(self, name: str, value: float, labels: dict[str, str]) -> None:
        """See `metrics.Instruments`."""
        self._take[name](value, labels)


def _provider(service: str, version: str, readers: list[Any]) -> MeterProvider:
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.resources import Resource

    resource = Resource.create({"service.name": service, "service.version": version})
    return MeterProvider(metric_readers=readers, resource=resource, shutdown_on_exit=False)


@contextmanager
def _silent_exporters() -> Iterator[None]:
    """Say nothing of a ring that is away: it comes and goes with the gateway beside us, and whoever
    started both need do nothing."""
    exporters = logging.getLogger("opentelemetry.exporter.otlp")
    level = exporters.level
    exporters.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        exporters.setLevel(level)


def _pushing(endpoint: str, each_seconds: float) -> Any:
    from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

    exporter = OTLPMetricExporter(
        endpoint=endpoint, insecure=endpoint.startswith("http://"), timeout=EXPORT_SECONDS
    )
    return PeriodicExportingMetricReader(
        exporter,
        export_interval_millis=each_seconds * 1000,
        export_timeout_millis=EXPORT_SECONDS * 1000,
    )


def _end(provider: MeterProvider, stop: Callable[[], None] | None) -> None:
    if stop is not None:
        stop()
    provider.shutdown(timeout_millis=FLUSH_SECONDS * 1000)
