"""A ring of traces: the newest calls of a local mesh, span by span, for the console page. Pure.

    ring = SpanRing()
    ring.take(spans)
    for trace in ring.calls(): ...

Bounded in traces, spans and bytes: what was not heard of for longest goes first, so that a call that
lasts stays. A span that is delivered twice is kept once. `meshkit.ring_receiver` fills it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

AttributeValue = str | int | float | bool
SESSION = "voicemesh.session"
"""Attribute of the spans of a call."""
_SPAN_BYTES = 400
"""About what a span takes in memory, besides the text of its attributes."""


@dataclass(frozen=True, slots=True)
class RingSpan:
    """A span that has ended. Times are nanoseconds of the Unix epoch, ids hexadecimal."""

    service: str
    name: str
    trace: str
    id: str
    parent: str
    """Empty: it is a root."""
    began: int
    ended: int
    attributes: Mapping[str, AttributeValue] = field(default_factory=dict)
    failed: bool = False

    @property
    def size(self) -> int:
        """Bytes that it counts for."""
        texts = sum(len(key) + len(str(value)) for key, value in self.attributes.items())
        return _SPAN_BYTES + len(self.name) + texts


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class RingTrace:
    """What is known of one trace: the same object until a span comes to it."""

    id: str
    session: str
    """Empty: it is of no call."""
    spans: Sequence[RingSpan]
    """In the order of their beginnings."""
    dropped: int
    """Spans that did not fit."""

    @property
    def began(self) -> int:
        """When its first span began."""
        return self.spans[0].began

    @property
    def root(self) -> RingSpan | None:
        """The span of the whole call, which is there once the call is over."""
        return next((span for span in self.spans if span.name == "call"), None)


@dataclass(frozen=True, slots=True)
class RingBounds:
    """How much is kept."""

    calls: int = 200
    others: int = 50
    """Traces of no call, such as of a probe."""
    trace_spans: int = 2_000
    """Of one trace."""
    spans: int = 20_000
    size: int = 16 * 1024 * 1024
    """Bytes, roughly."""


@dataclass(slots=True)
class _Kept:
    session: str = ""
    spans: dict[str, RingSpan] = field(default_factory=dict)
    size: int = 0
    dropped: int = 0
    told: RingTrace | None = None


class SpanRing:
    """The newest traces. Not for use from several threads."""

    def __init__(self, bounds: RingBounds | None = None) -> None:
        self._bounds = bounds or RingBounds()
        self._calls: OrderedDict[str, _Kept] = OrderedDict()
        self._others: OrderedDict[str, _Kept] = OrderedDict()
        self.spans = 0
        """Spans that are kept."""
        self.size = 0
        """Bytes that they count for."""
        self.forgotten = 0
        """Traces that had to go."""

    def take(self, spans: Iterable[RingSpan]) -> None:
        """Keep these, and let go of what is too much."""
        for span in spans:
            self._take(span)
            self._let_go()

    def calls(self) -> list[RingTrace]:
        """The traces of calls, newest beginning first."""
        told = [_told(trace, kept) for trace, kept in self._calls.items()]
        return sorted(told, key=lambda trace: trace.began, reverse=True)

    def of_session(self, session: str) -> list[RingTrace]:
        """A session's traces, one for each leg of its call, newest beginning first."""
        return [trace for trace in self.calls() if trace.session == session]

    def _take(self, span: RingSpan) -> None:
        kept = self._kept(span)
        if span.id in kept.spans:
            return
        kept.told = None
        if len(kept.spans) >= self._bounds.trace_spans:
            kept.dropped += 1
            return
        kept.spans[span.id] = span
        kept.size += span.size
        self.spans += 1
        self.size += span.size

    def _kept(self, span: RingSpan) -> _Kept:
        """Where the span belongs, now the newest; a trace is a call's once one span says so."""
        session = str(span.attributes.get(SESSION, ""))
        if span.trace not in self._calls and not session:
            kept = self._others.setdefault(span.trace, _Kept())
            self._others.move_to_end(span.trace)
            return kept
        if span.trace not in self._calls:
            self._calls[span.trace] = self._others.pop(span.trace, _Kept())
        kept = self._calls[span.trace]
        kept.session = kept.session or session
        self._calls.move_to_end(span.trace)
        return kept

    def _let_go(self) -> None:
        bounds = self._bounds
        while len(self._others) > bounds.others:
            self._forget(self._others)
        while len(self._calls) > bounds.calls:
            self._forget(self._calls)
        while self.spans > bounds.spans or self.size > bounds.size:
            self._forget(self._others or self._calls)

    def _forget(self, traces: OrderedDict[str, _Kept]) -> None:
        _, kept = traces.popitem(last=False)
        self.spans -= len(kept.spans)
        self.size -= kept.size
        self.forgotten += 1


def _told(trace: str, kept: _Kept) -> RingTrace:
    if kept.told is None:
        spans = sorted(kept.spans.values(), key=lambda span: (span.began, -span.ended))
        kept.told = RingTrace(trace, kept.session, spans, kept.dropped)
    return kept.told
