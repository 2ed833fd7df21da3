"""The calls of the console: what their traces tell, joined with what this gateway knows of them."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

from gateway.call import Call
from gateway.calls import Calls
from gateway.console_view import call_row, moment_of
from meshkit.ring import RingTrace, SpanRing

SAME_SECONDS = 1.0
"""A leg of a call and its trace begin at the same time, by two readings of the clock."""


class KnownCalls:
    """Rows of calls. What a trace tells is worked out once, until a span comes to it."""

    def __init__(self, spans: SpanRing | None) -> None:
        self._spans = spans
        self._rows: WeakKeyDictionary[RingTrace, dict[str, Any]] = WeakKeyDictionary()

    def rows(self, calls: Calls, limit: int) -> list[dict[str, Any]]:
        """One for each trace of a call, and for each known call without any: the newest, in order."""
        rows, traced = [], set()
        for trace in self._spans.calls()[:limit] if self._spans else []:
            call = calls.get(trace.session)
            if call is not None and is_of(trace, call):
                traced.add(call)
                rows.append(self._row(trace) | of_gateway(call))
            else:
                rows.append(self._row(trace))
        rows += [untraced_row(call) for call in calls.known if call not in traced]
        return sorted(rows, key=lambda row: str(row["began"]), reverse=True)[:limit]

    def _row(self, trace: RingTrace) -> dict[str, Any]:
        row = self._rows.get(trace)
        if row is None:
            row = self._rows[trace] = call_row(trace)
        return row


def is_of(trace: RingTrace, call: Call) -> bool:
    """Whether the trace is of this leg of its session's call, not of one before."""
    return trace.began / 1e9 > call.began.timestamp() - SAME_SECONDS


def of_gateway(call: Call) -> dict[str, Any]:
    """What only the gateway knows, and only of calls that it keeps."""
    ended = call.parts.events.closed
    cost = call.parts.events.newest("call_cost") if ended else None
    over = call.parts.events.newest("call_ended") if ended else None
    return {
        "state": "ended" if ended else "live",
        "scenario": call.spec.scenario,
        "duration_ms": call.duration_ms,
        "cost": {key: cost.data[key] for key in ("total", "currency")} if cost else None,
        "reason": over.data["reason"] if over else "",
    }


def untraced_row(call: Call) -> dict[str, Any]:
    """The row of a call of which no span came, or is kept."""
    turns = call.parts.turns.all()
    return {
        "session": call.spec.session,
        "trace": "",
        "began": moment_of(call.began),
        "agents": list(dict.fromkeys(turn.agent for turn in turns if turn.agent)),
        "turns": len(turns),
        "first_frame_ms": None,
        "slow_turns": 0,
        "services": [],
        "spans": 0,
        "failed_spans": 0,
        "failures": [],
        **of_gateway(call),
    }
