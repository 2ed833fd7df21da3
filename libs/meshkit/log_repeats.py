"""Which of many equal log records pass: some, then one that says how many did not. Pure.

A store that is away makes every call complain at once. Within a window the first records of a kind
pass; the rest are counted, and the count is told when the window is over.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

ADMITTED = 20
WINDOW_SECONDS = 10.0
MAX_KINDS = 1024
"""Kinds that are watched at a time; the one that began first is told of and forgotten."""


@dataclass(slots=True)
class _Window:
    began: float
    seen: int = 0


@dataclass
class RepeatLimit(Generic[K]):
    """Admits `admitted` records of a kind in each `seconds`. Time is in seconds of any clock."""

    admitted: int = ADMITTED
    seconds: float = WINDOW_SECONDS
    _windows: dict[K, _Window] = field(default_factory=dict)

    def admits(self, kind: K, now: float) -> bool:
        """Whether a record of this kind passes now. Ask `over` first."""
        window = self._windows.get(kind)
        if window is None:
            window = self._windows[kind] = _Window(now)
        window.seen += 1
        return window.seen <= self.admitted

    def over(self, now: float) -> list[tuple[K, int]]:
        """Kinds whose window is over, with how many of their records did not pass."""
        ended: list[tuple[K, int]] = []
        # Windows are in the order of their beginnings, so the look stops at the first young one.
        while self._windows:
            kind, window = next(iter(self._windows.items()))
            if now - window.began < self.seconds and len(self._windows) < MAX_KINDS:
                break
            del self._windows[kind]
            if window.seen > self.admitted:
                ended.append((kind, window.seen - self.admitted))
        return ended
