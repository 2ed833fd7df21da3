"""Instruments that keep what they are given, for tests of what is counted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from meshkit import metrics


class KeptMetrics:
    """Every number with its name and labels, in order."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, float, dict[str, str]]] = []

    def take(self, name: str, value: float, labels: dict[str, str]) -> None:
        self.taken.append((name, value, labels))

    def of(self, name: str) -> list[tuple[float, dict[str, str]]]:
        return [(value, labels) for taken, value, labels in self.taken if taken == name]


@contextmanager
def kept_metrics() -> Iterator[KeptMetrics]:
    """Metrics switched on for the block."""
    instruments = KeptMetrics()
    metrics.switch(instruments)
    try:
        yield instruments
    finally:
        metrics.switch(None)
