"""Who may call whom, as data: the one table behind network policies, caller checks and trace tests.

    for edge in built(EDGES):
        policy.allow(edge.caller, edge.callee, edge.port)

Only the connection is told here, by the name of the port it goes to. Port numbers are settings, and
which RPCs pass along an edge is the callee's to say. Standard library only, so that a test or a
build step can read it with nothing installed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

SERVICES = ("gateway", "speech-pool", "orchestrator", "tool-executor", "session-store")
"""The services of the mesh, as the extras, images, compose and chart name them."""


@dataclass(frozen=True, slots=True)
class Edge:
    """One caller that opens connections to one callee."""

    caller: str
    """A service."""
    callee: str
    """A service, or something outside the mesh such as `redis`."""
    purpose: str
    """What passes, in a few words."""
    port: str = "grpc"
    """The callee's port by its name in the chart; `outside` where the mesh does not name it."""
    built: bool = True
    """False: the design has it, no code opens it yet, and so nothing may allow it yet."""
    optional: bool = False
    """True: opened only where a deployment configures it; nothing allows it until then."""


EDGES = (
    Edge("gateway", "speech-pool", "leases, recognition, synthesis"),
    Edge("gateway", "orchestrator", "the conversation of a call leg"),
    Edge("gateway", "session-store", "sessions, ownership, what the call appends"),
    Edge("gateway", "tool-executor", "listing tools, the outbox", built=False),
    Edge("gateway", "gateway", "forwarding to the pod that owns a call", built=False),
    Edge("speech-pool", "session-store", "quotas"),
    Edge("orchestrator", "tool-executor", "tools and their outcomes"),
    Edge("orchestrator", "session-store", "journal, history and context"),
    Edge("tool-executor", "session-store", "verified records, claims on tool runs, counters"),
)
"""Calls between services. A service that is nobody's caller here dials no other."""

OUTSIDE_EDGES = (
    Edge("gateway", "acs", "answering, placing and transferring calls", "outside", built=False),
    Edge("speech-pool", "speech-provider", "audio and text", "outside"),
    Edge("orchestrator", "model", "what the agent is to say or do", "outside"),
    Edge("tool-executor", "embeddings", "vectors of questions and passages", "outside"),
    Edge("tool-executor", "cosmos", "passages and their vectors", "outside", optional=True),
    Edge("tool-executor", "mcp", "tools of other servers", "outside", optional=True),
    Edge("session-store", "redis", "all state of calls", "outside"),
    Edge("session-store", "cosmos", "sessions that ended", "outside", optional=True),
    *(
        Edge(service, common, purpose, "outside", optional=True)
        for service in SERVICES
        for common, purpose in (
            ("app-configuration", "settings"),
            ("key-vault", "secrets that settings refer to"),
            ("entra", "tokens"),
            ("otlp", "traces"),
        )
    ),
)
"""Calls out of the mesh. The tool-executor never calls ACS: call control is an outcome that travels
back to the gateway."""


def built(edges: Iterable[Edge]) -> tuple[Edge, ...]:
    """Those that code opens today, in order."""
    return tuple(edge for edge in edges if edge.built)


def callees(caller: str, edges: Iterable[Edge] = EDGES) -> frozenset[str]:
    """Whom `caller` calls today."""
    return frozenset(edge.callee for edge in built(edges) if edge.caller == caller)


def callers(callee: str, edges: Iterable[Edge] = EDGES) -> frozenset[str]:
    """Who calls `callee` today."""
    return frozenset(edge.caller for edge in built(edges) if edge.callee == callee)
