"""What the console shows of traces and metrics, as plain values. Pure.

Times are milliseconds: of a span, from the beginning of its trace. Whatever order spans came in, and
whatever parents they name, each is told once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from gateway.latencies import percentile
from meshkit.ring import RingSpan, RingTrace
from meshkit.ring_series import RingSeries

MAX_FAILURES = 20
"""Failed spans that the row of a call names."""


def call_row(trace: RingTrace) -> dict[str, Any]:
    """A call in one row: when, how long, who answered how soon, what failed."""
    answers = [span for span in trace.spans if span.name == "answer"]
    failed = [span for span in trace.spans if span.failed]
    to_first_frame = sorted(_ms(span.ended - span.began) for span in answers)
    return {
        "session": trace.session,
        "trace": trace.id,
        "began": moment(trace.began),
        "duration_ms": _ms(trace.root.ended - trace.root.began) if trace.root else None,
        "state": "ended" if trace.root else "unknown",
        "scenario": "",
        "cost": None,
        "reason": "",
        "agents": _in_order(span.attributes.get("gen_ai.agent.name") for span in answers),
        "turns": len(answers),
        "first_frame_ms": percentile(to_first_frame, 0.5) if to_first_frame else None,
        "slow_turns": sum(span.attributes.get("voicemesh.slow") is True for span in answers),
        "services": sorted({span.service for span in trace.spans}),
        "spans": len(trace.spans),
        "failed_spans": len(failed),
        "failures": [_failure(trace, span) for span in failed[:MAX_FAILURES]],
    }


def waterfall(trace: RingTrace) -> dict[str, Any]:
    """A trace with its spans, each after its parent, and how deep it stands."""
    return {
        "trace": trace.id,
        "began": moment(trace.began),
        "duration_ms": _ms(max(span.ended for span in trace.spans) - trace.began),
        "complete": trace.root is not None and not trace.dropped,
        "dropped_spans": trace.dropped,
        "spans": [_row(trace, span, depth) for span, depth in nested(trace.spans)],
    }


def nested(spans: Sequence[RingSpan]) -> list[tuple[RingSpan, int]]:
    """Spans in the order of a tree, with their depth; one whose parent is missing stands at the top."""
    ids = {span.id for span in spans}
    children: dict[str, list[RingSpan]] = defaultdict(list)
    for span in spans:
        children[span.parent if span.parent in ids else ""].append(span)
    told: dict[str, tuple[RingSpan, int]] = {}
    _descend(children[""], children, told)
    _descend([span for span in spans if span.id not in told], children, told)  # a circle of parents
    return list(told.values())


def series_row(series: RingSeries, *, history: bool = False) -> dict[str, Any]:
    """A series of a metric; of a histogram the mean and the bounds under which shares lie."""
    point = series.newest
    row: dict[str, Any] = {
        "name": point.name,
        "service": point.service,
        "kind": point.kind,
        "unit": point.unit,
        "labels": dict(point.labels),
        "at": moment(round(point.at * 1e9)),
    }
    if point.kind == "histogram":
        row |= {
            "count": point.count,
            "mean": point.value / point.count if point.count else None,
            "p50_at_most": point.at_most(0.5),
            "p95_at_most": point.at_most(0.95),
        }
    else:
        row["value"] = point.value
    if history:
        row["history"] = [{"at": moment(round(at * 1e9)), "value": v} for at, v in series.history]
    return row


def moment(nanoseconds: int) -> str:
    """ISO 8601 in UTC, to the millisecond; what no calendar has is told as its beginning."""
    try:
        when = datetime.fromtimestamp(nanoseconds / 1e9, UTC)
    except (OverflowError, ValueError, OSError):
        when = datetime.fromtimestamp(0, UTC)
    return moment_of(when)


def moment_of(when: datetime) -> str:
    """The same of a moment in UTC."""
    return when.isoformat(timespec="milliseconds")


def _descend(
    roots: Iterable[RingSpan],
    children: dict[str, list[RingSpan]],
    told: dict[str, tuple[RingSpan, int]],
) -> None:
    """Without recursion: a sender may nest as deep as it likes."""
    waiting = [(span, 0) for span in reversed(list(roots))]
    while waiting:
        span, depth = waiting.pop()
        if span.id not in told:
            told[span.id] = (span, depth)
            waiting += [(child, depth + 1) for child in reversed(children[span.id])]


def _row(trace: RingTrace, span: RingSpan, depth: int) -> dict[str, Any]:
    return {
        "id": span.id,
        "parent": span.parent,
        "depth": depth,
        "service": span.service,
        "name": span.name,
        "start_ms": _ms(span.began - trace.began),
        "duration_ms": _ms(span.ended - span.began),
        "failed": span.failed,
        "attributes": dict(span.attributes),
    }


def _failure(trace: RingTrace, span: RingSpan) -> dict[str, Any]:
    return {
        "service": span.service,
        "name": span.name,
        "reason": str(span.attributes.get("error.type", "")),
        "at_ms": _ms(span.ended - trace.began),
    }


def _in_order(names: Iterable[Any]) -> list[str]:
    return list(dict.fromkeys(str(name) for name in names if name))


def _ms(nanoseconds: int) -> float:
    return round(nanoseconds / 1e6, 2)
