"""A ring of metrics: the newest value of each series and a short history of it. Pure.

    series = SeriesRing()
    series.take([RingPoint("gateway", "voicemesh_calls_live", "1", "gauge", {}, at=1.0, value=3)])

The numbers are cumulative, as they come. Bounded in series, of which the one that was not heard of
for longest goes first, and in the history of each. `meshkit.ring_receiver` fills it.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["counter", "gauge", "histogram"]


@dataclass(frozen=True, slots=True)
class RingPoint:
    """The state of a series at a moment."""

    service: str
    name: str
    unit: str
    kind: Kind
    labels: Mapping[str, str]
    at: float
    """Seconds of the Unix epoch."""
    value: float
    """Of a histogram the sum."""
    count: int = 0
    """Of a histogram what was recorded."""
    bounds: tuple[float, ...] = ()
    """Of a histogram: the upper bounds of its buckets, the last bucket having none."""
    buckets: tuple[int, ...] = ()
    """Of a histogram: what each bucket holds."""

    @property
    def key(self) -> SeriesKey:
        """What makes it the same series."""
        return self.service, self.name, frozenset(self.labels.items())

    def at_most(self, share: float) -> float | None:
        """Of a histogram: the bound under which this share lies; None: nothing, or past the last."""
        wanted, seen = share * self.count, 0
        for bound, held in zip(self.bounds, self.buckets, strict=False):
            seen += held
            if self.count and seen >= wanted:
                return bound
        return None


SeriesKey = tuple[str, str, frozenset[tuple[str, str]]]


@dataclass(frozen=True, slots=True)
class SeriesBounds:
    """How much is kept."""

    series: int = 2_000
    history: int = 60
    """Moments of each series."""


@dataclass(frozen=True, slots=True)
class RingSeries:
    """A series."""

    newest: RingPoint
    history: tuple[tuple[float, float], ...]
    """Seconds of the Unix epoch and the value then, of a histogram its count; oldest first."""


@dataclass(slots=True)
class _Kept:
    newest: RingPoint
    history: deque[tuple[float, float]] = field(default_factory=deque)


class SeriesRing:
    """The newest of each series. Not for use from several threads."""

    def __init__(self, bounds: SeriesBounds | None = None) -> None:
        self._bounds = bounds or SeriesBounds()
        self._kept: OrderedDict[SeriesKey, _Kept] = OrderedDict()

    def __len__(self) -> int:
        """How many series are kept."""
        return len(self._kept)

    def take(self, points: Iterable[RingPoint]) -> None:
        """Keep these. One that is older than what is known of its series is passed over."""
        for point in points:
            self._take(point)

    def series(self, name: str = "") -> list[RingSeries]:
        """Those of a metric, or all, by name, service and labels."""
        found = [kept for kept in self._kept.values() if name in ("", kept.newest.name)]
        found.sort(key=lambda kept: _place(kept.newest))
        return [RingSeries(kept.newest, tuple(kept.history)) for kept in found]

    def _take(self, point: RingPoint) -> None:
        kept = self._kept.get(point.key)
        if kept is None:
            kept = self._kept[point.key] = _Kept(point, deque(maxlen=self._bounds.history))
        elif point.at < kept.newest.at:
            return
        kept.newest = point
        kept.history.append((point.at, point.count if point.kind == "histogram" else point.value))
        self._kept.move_to_end(point.key)
        if len(self._kept) > self._bounds.series:
            self._kept.popitem(last=False)


def _place(point: RingPoint) -> tuple[str, str, list[tuple[str, str]]]:
    return point.name, point.service, sorted(point.labels.items())
