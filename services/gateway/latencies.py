"""How long turns took on this pod, by scenario, agent and cause: percentiles over the newest. Pure.

Bounded: of each row the newest turns, of rows the newest used. Nothing of it survives the pod;
what a deployment keeps are the metrics.
"""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.timeline import MARKS, parts
from gateway.turns import Turn

KEPT_TURNS = 500
"""Of each row."""
KEPT_ROWS = 200
SHARES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


@dataclass(frozen=True, slots=True)
class RowKey:
    """Turns that are counted together."""

    scenario: str
    agent: str
    cause: str
    """`greeting`, counted from media connect; `utterance`, from the end of speech; `other`."""


class Latencies:
    """The parts of turns and their mouth-to-ear time, in milliseconds."""

    def __init__(self, kept_turns: int = KEPT_TURNS, kept_rows: int = KEPT_ROWS) -> None:
        self._kept_turns, self._kept_rows = kept_turns, kept_rows
        self._rows: OrderedDict[RowKey, deque[Mapping[str, float]]] = OrderedDict()

    def add(self, scenario: str, turns: Sequence[Turn]) -> None:
        """The turns of a call that is over; those of which nothing was sent are left out."""
        for turn in turns:
            times = turn.times.as_milliseconds()
            heard = times["to_first_frame_ms"]
            if heard is not None:
                measured = {part.name: part.ms for part in parts(times)}
                key = RowKey(scenario, turn.agent, _cause(turn))
                self._row(key).append({**measured, "mouth_to_ear": heard})

    def as_json(self) -> list[dict[str, Any]]:
        """A row each, newest used first."""
        return [_summary(key, turns) for key, turns in reversed(self._rows.items())]

    def _row(self, key: RowKey) -> deque[Mapping[str, float]]:
        row = self._rows.setdefault(key, deque(maxlen=self._kept_turns))
        self._rows.move_to_end(key)
        if len(self._rows) > self._kept_rows:
            self._rows.popitem(last=False)
        return row


def percentile(ordered: Sequence[float], share: float) -> float:
    """The nearest rank of an ordered, non-empty sequence."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def _cause(turn: Turn) -> str:
    if turn.cause == "greeting":
        return "greeting"
    return "utterance" if turn.times.sent is not None else "other"


def _summary(key: RowKey, turns: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    return {
        "scenario": key.scenario,
        "agent": key.agent,
        "cause": key.cause,
        "turns": len(turns),
        "ms": {name: found for name in (*MARKS, "mouth_to_ear") if (found := _of(name, turns))},
    }


def _of(name: str, turns: Sequence[Mapping[str, float]]) -> dict[str, float]:
    ordered = sorted(turn[name] for turn in turns if name in turn)
    return {label: percentile(ordered, share) for label, share in SHARES.items() if ordered}
