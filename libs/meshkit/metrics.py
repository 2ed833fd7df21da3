"""Counting and measuring: `add`, `record` and `gauge` by the names of `metrics_table`.

Off, which is how a process starts, each costs a look at a variable. `metrics_export` switches it on
and is the only one to know where the numbers go. Gauges are set on the event loop, every few seconds, by
what `watch` was given: a scrape never reads a service's state from another thread.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Protocol

from meshkit.metrics_table import METRICS, OPEN_VALUES, OTHER, Metric

logger = logging.getLogger("voicemesh.meshkit.metrics")

SAMPLE_SECONDS = 5.0
"""Between two looks at what is watched, and at the event loop's lag: waking an idle process costs more
than what it then does, and a scrape comes less often."""

Watcher = Callable[[], None]


class Instruments(Protocol):
    """Where numbers go. Labels are complete and bounded."""

    def take(self, name: str, value: float, labels: dict[str, str]) -> None:
        """Add to a counter, record in a histogram, set a gauge."""
        ...


class LabelBounds:
    """Keeps labels to their declared values, and open ones to their first OPEN_VALUES."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], set[str]] = {}

    def bounded(self, name: str, metric: Metric, given: dict[str, str]) -> dict[str, str]:
        """The declared labels with values that may be told; what is not declared is left out."""
        return {
            label: self._value(name, label, given.get(label, ""), allowed)
            for label, allowed in metric.labels.items()
        }

    def _value(self, name: str, label: str, value: str, allowed: frozenset[str]) -> str:
        if allowed:
            return value if value in allowed else OTHER
        seen = self._seen.setdefault((name, label), set())
        if value in seen:
            return value
        if len(seen) >= OPEN_VALUES:
            return OTHER
        seen.add(value)
        return value


class _State:
    instruments: Instruments | None = None
    bounds = LabelBounds()
    watchers: list[Watcher] = []  # noqa: RUF012 (of the process, like the others)


def is_on() -> bool:
    """Whether anything is counted."""
    return _State.instruments is not None


def switch(instruments: Instruments | None) -> None:
    """Count into `instruments` from now on; None: nowhere."""
    _State.instruments, _State.bounds, _State.watchers = instruments, LabelBounds(), []


def add(name: str, amount: float = 1, **labels: str) -> None:
    """Add to a counter; nothing that is not positive."""
    if _State.instruments is not None and amount > 0:
        _take(_State.instruments, name, amount, labels)


def record(name: str, value: float, **labels: str) -> None:
    """Record a value in a histogram."""
    if _State.instruments is not None:
        _take(_State.instruments, name, value, labels)


def gauge(name: str, value: float, **labels: str) -> None:
    """Set a gauge; within what `watch` was given."""
    if _State.instruments is not None:
        _take(_State.instruments, name, value, labels)


def watch(watcher: Watcher) -> Callable[[], None]:
    """Call `watcher` every SAMPLE_SECONDS, to set gauges, until the returned function is called."""
    if _State.instruments is None:
        return lambda: None
    watchers = _State.watchers
    watchers.append(watcher)

    def end() -> None:
        if watcher in watchers:
            watchers.remove(watcher)

    return end


def sample(lag_seconds: float) -> None:
    """Take the lag of the loop, and have every watcher set its gauges."""
    record("voicemesh_event_loop_lag_seconds", max(0.0, lag_seconds))
    for watcher in list(_State.watchers):
        try:
            watcher()
        except Exception:
            logger.exception("a watcher failed, and is not asked again")
            _State.watchers.remove(watcher)


async def sampling() -> None:
    """Sample until cancelled. A task of whoever switched metrics on."""
    while True:
        due = time.monotonic() + SAMPLE_SECONDS  # uvloop's own clock has whole milliseconds
        await asyncio.sleep(SAMPLE_SECONDS)
        sample(time.monotonic() - due)


def _take(instruments: Instruments, name: str, value: float, labels: dict[str, str]) -> None:
    instruments.take(name, value, _State.bounds.bounded(name, METRICS[name], labels))
