"""How long the stages of a session take, kept with the session.

    latency_tool = LatencyTool(memory_manager)
    latency_tool.start("greeting_ttfb")
    await send_greeting_audio()
    latency_tool.stop("greeting_ttfb")

Samples go into the memory's context under `latency`, the newest of each stage, and reach the store
when the memory is persisted: stopping writes nothing by itself.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

CONTEXT_KEY = "latency"
MAX_SAMPLES = 200
"""Kept of each stage, the newest."""
MAX_STAGES = 64


class SessionMemory(Protocol):
    """What a MemoManager offers of context."""

    def get_context(self, key: str, default: Any = None) -> Any:
        """The value kept under a key."""
        ...

    def set_context(self, key: str, value: Any) -> None:
        """Keep a value under a key."""
        ...


class LatencyError(Exception):
    """A stage was stopped that does not run, or there are too many. The message names it."""


@dataclass(frozen=True, slots=True)
class Summary:
    """One stage over a session; times in seconds, percentiles by nearest rank."""

    count: int
    p50: float
    p95: float
    p99: float
    worst: float


class LatencyTool:
    """Times stages of one session; `clock` gives seconds that never go back."""

    def __init__(
        self, memory_manager: SessionMemory, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._memory, self._clock = memory_manager, clock
        self._began: dict[str, float] = {}

    def start(self, stage: str) -> None:
        """Begin to time a stage; one that runs begins anew. Raises LatencyError past MAX_STAGES."""
        if stage not in self._began and len(self._began) >= MAX_STAGES:
            raise LatencyError(f"{MAX_STAGES} stages run already; stop one before {stage!r} begins")
        self._began[stage] = self._clock()

    def stop(self, stage: str) -> float:
        """The seconds since the stage began, which are kept. Raises LatencyError."""
        try:
            seconds = self._clock() - self._began.pop(stage)
        except KeyError:
            running = ", ".join(sorted(self._began)) or "none"
            raise LatencyError(f"stage {stage!r} was not started; running are: {running}") from None
        self._keep(stage, seconds)
        return seconds

    def session_summary(self) -> dict[str, Summary]:
        """Each stage that was stopped in this session, on whichever pod."""
        return {stage: _summary(samples) for stage, samples in self._samples().items()}

    def _keep(self, stage: str, seconds: float) -> None:
        samples = self._samples()
        if stage not in samples and len(samples) >= MAX_STAGES:
            raise LatencyError(f"{MAX_STAGES} stages are kept already; {stage!r} is one too many")
        kept = [*samples.get(stage, []), round(seconds, 6)][-MAX_SAMPLES:]
        self._memory.set_context(CONTEXT_KEY, {**samples, stage: kept})

    def _samples(self) -> dict[str, list[float]]:
        kept = self._memory.get_context(CONTEXT_KEY)
        return dict(kept) if isinstance(kept, dict) else {}


def _summary(samples: Sequence[float]) -> Summary:
    ordered = sorted(samples)

    def rank(share: float) -> float:
        return ordered[max(0, math.ceil(share * len(ordered)) - 1)]

    return Summary(len(ordered), rank(0.5), rank(0.95), rank(0.99), ordered[-1])
