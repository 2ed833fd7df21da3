"""Metrics: what is told, what is bounded, and that nobody waits for whoever takes them."""

from __future__ import annotations

import ast
import asyncio
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from meshkit import metrics, metrics_export
from meshkit.context import new_trace
from meshkit.metrics_export import measured
from meshkit.metrics_table import METRICS, OPEN, OPEN_VALUES, OTHER
from meshkit.settings import MeshSettings
from meshkit.startup import StartupError
from meshkit.telemetry import configure_tracing
from tests.support.kept_metrics import KeptMetrics, kept_metrics
from tests.support.otlp_sink import otlp_sink

ROOT = Path(__file__).parents[3]


@pytest.fixture
def kept() -> Iterator[KeptMetrics]:
    with kept_metrics() as instruments:
        yield instruments


async def scrape(port: int) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    def get() -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            return str(answer.read().decode())

    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(await asyncio.to_thread(get))
        for sample in family.samples
    }


async def test_prometheus_reads_what_was_counted_under_the_declared_names() -> None:
    async with measured("gateway", "1", MeshSettings(metrics_port=0)) as port:
        assert port
        metrics.add("voicemesh_turns_total", agent="concierge", outcome="completed")
        metrics.add("voicemesh_turns_total", agent="concierge", outcome="completed")
        metrics.record("voicemesh_turn_stage_seconds", 0.35, agent="concierge", stage="final")
        metrics.watch(lambda: metrics.gauge("voicemesh_calls_live", 3))
        metrics.sample(0.0)
        read = await scrape(port)
    agent = ("agent", "concierge")
    assert read["voicemesh_turns_total", (agent, ("outcome", "completed"))] == 2
    assert read["voicemesh_calls_live", ()] == 3
    final = (agent, ("stage", "final"))
    assert read["voicemesh_turn_stage_seconds_sum", final] == 0.35
    assert read["voicemesh_turn_stage_seconds_bucket", (agent, ("le", "0.3"), final[1])] == 0
    assert read["voicemesh_turn_stage_seconds_bucket", (agent, ("le", "0.4"), final[1])] == 1


async def test_a_collector_is_given_the_same_with_the_trace_it_happened_in() -> None:
    with otlp_sink() as sink:
        tracing = configure_tracing("gateway", "1", sink.endpoint)
        async with measured("gateway", "1", MeshSettings(otlp_endpoint=sink.endpoint)):
            with new_trace():
                metrics.record("voicemesh_tool_seconds", 0.2, tool="transfer", outcome="ok")
        await tracing.aclose()
    (point,) = [point for point in sink.points if point.name == "voicemesh_tool_seconds"]
    assert (point.service, point.unit, point.count, point.value) == ("gateway", "s", 1, 0.2)
    assert point.labels == {"tool": "transfer", "outcome": "ok"}
    assert point.exemplar_traces == (sink.spans[0].trace,)


async def test_a_collector_that_hangs_does_not_hold_up_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(metrics_export, "FLUSH_SECONDS", 0.3)
    with otlp_sink() as sink:
        sink.hangs = threading.Event()
        async with measured("gateway", "1", MeshSettings(otlp_endpoint=sink.endpoint)):
            metrics.add("voicemesh_audio_gaps_total")
            ending = time.monotonic()
        assert time.monotonic() - ending < 2


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::1"])
async def test_the_page_ends_at_once_though_nothing_looks_whether_it_should(host: str) -> None:
    async with measured("gateway", "1", MeshSettings(metrics_port=0, bind_host=host)) as port:
        assert port
        ending = time.monotonic()
    assert time.monotonic() - ending < 2
    with pytest.raises(OSError, match="refused"):
        socket.create_connection((host, port), 1)


async def test_a_port_in_use_is_one_sentence() -> None:
    async with measured("gateway", "1", MeshSettings(metrics_port=0)) as port:
        with pytest.raises(StartupError, match="VOICEMESH_METRICS_PORT"):
            async with measured("gateway", "1", MeshSettings(metrics_port=port)):
                pass


async def test_without_settings_nothing_is_counted() -> None:
    async with measured("gateway", "1", MeshSettings()) as port:
        assert port is None
        assert not metrics.is_on()
        metrics.add("voicemesh_audio_gaps_total")
        metrics.watch(lambda: pytest.fail("nobody looks"))()


def test_without_settings_the_sdk_is_not_imported() -> None:
    code = (
        "import sys, meshkit.service; assert 'opentelemetry.sdk' not in sys.modules;"
        "assert 'prometheus_client' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_value_that_is_not_declared_is_other(kept: KeptMetrics) -> None:
    metrics.add("voicemesh_turns_total", agent="a", outcome="exploded")
    assert kept.taken == [("voicemesh_turns_total", 1, {"agent": "a", "outcome": OTHER})]


def test_open_labels_do_not_grow_without_bound(kept: KeptMetrics) -> None:
    for number in range(OPEN_VALUES + 10):
        metrics.record("voicemesh_tool_seconds", 0.1, tool=f"tool_{number}", outcome="ok")
    metrics.record("voicemesh_tool_seconds", 0.1, tool="tool_0", outcome="ok")
    tools = [labels["tool"] for _, _, labels in kept.taken]
    assert len(set(tools)) == OPEN_VALUES + 1
    assert tools[-2:] == [OTHER, "tool_0"]


def test_a_label_that_is_not_declared_is_left_out(kept: KeptMetrics) -> None:
    metrics.add("voicemesh_audio_gaps_total", session="s-1")
    assert kept.taken == [("voicemesh_audio_gaps_total", 1, {})]


def test_a_counter_never_goes_back(kept: KeptMetrics) -> None:
    metrics.add("voicemesh_audio_gaps_total", -1)
    metrics.add("voicemesh_audio_gaps_total", 0)
    assert kept.taken == []


def test_a_watcher_that_fails_is_not_asked_again_and_others_are(kept: KeptMetrics) -> None:
    asked: list[str] = []

    def broken() -> None:
        asked.append("broken")
        raise ValueError

    metrics.watch(broken)
    end = metrics.watch(lambda: asked.append("whole"))
    metrics.sample(0.0)
    metrics.sample(-0.1)
    end()
    metrics.sample(0.0)
    assert asked == ["broken", "whole", "whole"]
    lags = [value for value, _ in kept.of("voicemesh_event_loop_lag_seconds")]
    assert lags == [0.0, 0.0, 0.0]


# ---------------------------------------------------------------------- the table


def test_names_end_in_their_unit_and_kind() -> None:
    for name, metric in METRICS.items():
        assert name.startswith("voicemesh_")
        seconds = name.removesuffix("_total").endswith("_seconds")
        assert seconds == (metric.unit == "s"), name
        assert name.endswith("_total") == (metric.kind == "counter"), name
        assert bool(metric.buckets) == (metric.kind == "histogram"), name
        assert list(metric.buckets) == sorted(set(metric.buckets))
        assert metric.meaning.split(":")[0] in {
            "gateway", "speech-pool", "orchestrator", "tool-executor", "session-store",
            "every service",
        }  # fmt: skip


def test_series_are_bounded() -> None:
    for name, metric in METRICS.items():
        series = 1
        for values in metric.labels.values():
            series *= OPEN_VALUES + 1 if values is OPEN else len(values) + 1
        assert series <= 500, name


def uses() -> Iterator[tuple[str, str, frozenset[str]]]:
    """Function, metric and labels of every place in the code that counts something."""
    kinds = {"add": "counter", "record": "histogram", "gauge": "gauge"}
    for folder in ("libs", "services"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if not isinstance(node, ast.Call) or not node.args:
                    continue
                called, first = node.func, node.args[0]
                name = called.attr if isinstance(called, ast.Attribute) else ""
                name = called.id if isinstance(called, ast.Name) else name
                metric = str(first.value) if isinstance(first, ast.Constant) else ""
                if name in kinds and metric.startswith("voicemesh_"):
                    yield kinds[name], metric, frozenset(word.arg or "" for word in node.keywords)


def test_the_code_counts_what_the_table_declares_and_nothing_else() -> None:
    used = list(uses())
    assert {name for _, name, _ in used} == set(METRICS)
    for kind, name, labels in used:
        assert METRICS[name].kind == kind, name
        assert labels == frozenset(METRICS[name].labels), name
