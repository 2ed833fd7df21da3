"""Every metric of the mesh, declared once: kind, unit, meaning, and the values its labels may take.

Names end in their unit, as Prometheus has it, and are the same over OTLP. A label takes one of its
declared values, or one of its first OPEN_VALUES where names are the deployment's (agents, tools,
models); anything else is counted as `other`, so that no caller can make series without bound. No label
holds a session, a caller or what was said.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from meshkit.authorization import CALLERS
from meshkit.budget import THRESHOLDS
from meshkit.usage import Unit

OPEN: frozenset[str] = frozenset()
"""Marks a label whose values the deployment names."""
OPEN_VALUES = 64
"""Values of such a label that are told apart."""
OTHER = "other"

_TURN_SECONDS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0)
_SHORT_SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)

_KINDS = frozenset({"recognizer", "synthesizer"})
_TIERS = frozenset({"dedicated", "warm", "cold"})
_PARTS = frozenset(unit.value for unit in Unit)
_METHODS = frozenset(method.rpartition(".")[2] for method in CALLERS)
_REQUEST = {"method": _METHODS, "outcome": frozenset({"ok", "refused", "failed", "cancelled"})}
"""`refused`: what was asked for cannot be had; `failed`: something went wrong."""
_BREAKER = frozenset({"closed", "open", "half_open"})


@dataclass(frozen=True, slots=True)
class Metric:
    """One declared metric."""

    kind: Literal["counter", "gauge", "histogram"]
    unit: str
    """UCUM: `s`, or `1` for a count."""
    meaning: str
    labels: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Label to its values; OPEN: named by the deployment."""
    buckets: tuple[float, ...] = ()
    """Upper bounds of a histogram."""


METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        "voicemesh_calls_live": Metric("gauge", "1", "gateway: calls under way"),
        "voicemesh_calls_total": Metric(
            "counter",
            "1",
            "gateway: calls that ended, by reason",
            {
                "reason": frozenset(
                    {
                        "caller_hung_up",
                        "taken_over",
                        "max_length",
                        "draining",
                        "internal_error",
                        "no_capacity",
                        "service_lost",
                        "service_refused",
                        "session_ended",
                    }
                )
            },
        ),
        "voicemesh_turns_total": Metric(
            "counter",
            "1",
            "gateway: agent turns that ended",
            {"agent": OPEN, "outcome": frozenset({"completed", "interrupted", "failed"})},
        ),
        "voicemesh_turn_stage_seconds": Metric(
            "histogram",
            "s",
            "gateway: from the caller's end of speech (of a turn without one, from its start) to a"
            " stage of the turn",
            {
                "agent": OPEN,
                "stage": frozenset(
                    {"final", "first_token", "first_segment", "first_audio", "first_frame"}
                ),
            },
            _TURN_SECONDS,
        ),
        "voicemesh_frames_total": Metric(
            "counter",
            "1",
            "gateway: frames of agent audio that left, by how late they left",
            {"late": frozenset({"under_5ms", "under_20ms", "under_60ms", "more"})},
        ),
        "voicemesh_audio_gaps_total": Metric(
            "counter", "1", "gateway: silences inside a segment that a caller heard"
        ),
        "voicemesh_audio_seconds_total": Metric(
            "counter",
            "s",
            "gateway: audio that came from callers and went to them",
            {"direction": frozenset({"from_caller", "to_caller"})},
        ),
        "voicemesh_agent_cost_total": Metric(
            "counter",
            "1",
            "gateway: money that calls cost, in the price table's currency, by the agent that had the"
            " floor (`none`: the line, the recogniser) and by what it was for",
            {"agent": OPEN, "part": _PARTS},
        ),
        "voicemesh_tier_cost_total": Metric(
            "counter",
            "1",
            "gateway: the same money by the tier of the speech client (`none`: no client did it)",
            {"tier": _TIERS | {"none"}, "part": _PARTS},
        ),
        "voicemesh_tenant_cost_total": Metric(
            "counter", "1", "gateway: the same money by tenant", {"tenant": OPEN}
        ),
        "voicemesh_budget_alarms_total": Metric(
            "counter",
            "1",
            "gateway: budgets of which a part was used up",
            {
                "scope": frozenset({"call", "tenant_day"}),
                "threshold": frozenset(str(part) for part in THRESHOLDS),
            },
        ),
        "voicemesh_unpriced_calls_total": Metric(
            "counter", "1", "gateway: calls that used a thing without a price"
        ),
        "voicemesh_model_seconds": Metric(
            "histogram",
            "s",
            "orchestrator: one answer of the model, from question to end",
            {"outcome": frozenset({"ok", "failed", "cancelled"})},
            _TURN_SECONDS,
        ),
        "voicemesh_model_tokens_total": Metric(
            "counter",
            "1",
            "orchestrator: tokens that the model read (cached ones among the input) and wrote",
            {"model": OPEN, "direction": frozenset({"input", "cached_input", "output"})},
        ),
        "voicemesh_tool_seconds": Metric(
            "histogram",
            "s",
            "tool-executor: one run of a tool's body",
            {"tool": OPEN, "outcome": frozenset({"ok", "failed"})},
            _TURN_SECONDS,
        ),
        "voicemesh_pool_clients": Metric(
            "gauge",
            "1",
            "speech-pool: clients by what they are doing; `max` and `warm_target` are the bounds",
            {
                "kind": _KINDS,
                "state": frozenset(
                    {"warm", "leased", "opening", "closing", "waiting", "max", "warm_target"}
                ),
            },
        ),
        "voicemesh_pool_breaker": Metric(
            "gauge",
            "1",
            "speech-pool: 1 for the state that the provider's breaker is in",
            {"kind": _KINDS, "state": _BREAKER},
        ),
        "voicemesh_pool_allocation_seconds": Metric(
            "histogram",
            "s",
            "speech-pool: wait for a lease; its count by tier tells where clients came from",
            {"kind": _KINDS, "tier": _TIERS},
            _SHORT_SECONDS,
        ),
        "voicemesh_pool_refusals_total": Metric(
            "counter", "1", "speech-pool: requests for a lease that were refused", {"kind": _KINDS}
        ),
        "voicemesh_pool_open_seconds": Metric(
            "histogram",
            "s",
            "speech-pool: opening and verifying a client",
            {"kind": _KINDS, "outcome": frozenset({"ok", "failed"})},
            _SHORT_SECONDS,
        ),
        "voicemesh_pool_closed_total": Metric(
            "counter",
            "1",
            "speech-pool: clients let go of, by cause",
            {
                "kind": _KINDS,
                "cause": frozenset(
                    {
                        "discard",
                        "retired",
                        "expired",
                        "failed_warm",
                        "failed_check",
                        "failed_reset",
                        "cancelled",
                        "max_age",
                        "max_idle",
                        "max_uses",
                        "generation",
                        "displaced",
                        "closed",
                    }
                ),
            },
        ),
        "voicemesh_rpc_server_seconds": Metric(
            "histogram",
            "s",
            "every service: handling a request; of a stream, all of it",
            _REQUEST,
            _SHORT_SECONDS,
        ),
        "voicemesh_rpc_client_seconds": Metric(
            "histogram",
            "s",
            "every service: one attempt at a unary request to another, way there and back included",
            _REQUEST,
            _SHORT_SECONDS,
        ),
        "voicemesh_redis_seconds": Metric(
            "histogram",
            "s",
            "session-store: one round trip to Redis with its retries",
            {"operation": OPEN, "outcome": frozenset({"ok", "failed", "cancelled"})},
            _SHORT_SECONDS,
        ),
        "voicemesh_spans_total": Metric(
            "counter",
            "1",
            "every service: spans that ended, and those a collector took; the rest wait or are lost",
            {"result": frozenset({"ended", "sent"})},
        ),
        "voicemesh_event_loop_lag_seconds": Metric(
            "histogram",
            "s",
            "every service: by how much a timer of the event loop fires late",
            {},
            _SHORT_SECONDS,
        ),
    }
)
