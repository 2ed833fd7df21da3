"""Who may call which RPC: the one table, and the decision. Pure.

    allowed("/voicemesh.session.v1.SessionStoreService/SetVerified", {"tool-executor"})   # True

A caller is its *parts*: services of the mesh, or roles for callers outside it. The name in its
certificate says which (`parts_of`). What the table does not name is refused. A test holds the table
against the protos, against `meshkit.call_graph`, and against what each service's code calls.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from meshkit.call_graph import SERVICES

SUFFIX = ".voicemesh"
"""A certificate names a service as `speech-pool.voicemesh`, the domain of that service's errors."""

OPERATOR = "operator"
"""A role: looks into the mesh and mends it."""
SPEECH_CLIENT = "speech-client"
"""A role: another product that leases recognisers and synthesisers."""
ROLES = (OPERATOR, SPEECH_CLIENT)

Parts = frozenset[str]

_GATEWAY, _SPEECH_POOL, _ORCHESTRATOR, _TOOL_EXECUTOR = (frozenset({s}) for s in SERVICES[:4])
_OPERATOR = frozenset({OPERATOR})
_SPEAKERS = _GATEWAY | {SPEECH_CLIENT}

_TABLE: dict[str, dict[str, Parts]] = {
    "voicemesh.mesh.v1.DiagnosticsService": {
        "GetStatus": _OPERATOR,
        "GetTaskDump": _OPERATOR,
        "CaptureProfile": _OPERATOR,
    },
    "voicemesh.speech.v1.SpeechPoolService": {
        "AllocateClient": _SPEAKERS,
        "RenewLease": _SPEAKERS,
        "ReleaseLease": _SPEAKERS,
        "GetPoolStats": _OPERATOR,
        "WatchPools": _OPERATOR,
    },
    "voicemesh.speech.v1.SpeechService": {
        "StreamingRecognize": _SPEAKERS,
        "StreamingSynthesize": _SPEAKERS,
    },
    "voicemesh.orchestrator.v1.OrchestratorService": {"Converse": _GATEWAY},
    "voicemesh.tools.v1.ToolExecutorService": {
        "ListTools": _ORCHESTRATOR | _OPERATOR,
        "ExecuteTool": _ORCHESTRATOR,
        "CancelTool": _ORCHESTRATOR,
    },
    "voicemesh.session.v1.SessionStoreService": {
        "CreateSession": _GATEWAY | _ORCHESTRATOR,
        "GetSession": _GATEWAY | _ORCHESTRATOR | _OPERATOR,
        "ListSessions": _OPERATOR,
        "UpdateSession": _ORCHESTRATOR | _OPERATOR,
        "DeleteSession": _OPERATOR,
        "GetVerified": _TOOL_EXECUTOR | _OPERATOR,
        "SetVerified": _TOOL_EXECUTOR,
    },
    "voicemesh.session.v1.JournalService": {
        "AppendEvents": _GATEWAY | _ORCHESTRATOR,
        "ListEvents": _GATEWAY | _ORCHESTRATOR | _TOOL_EXECUTOR | _OPERATOR,
        "WatchEvents": _OPERATOR,
        "ListMessages": _ORCHESTRATOR | _OPERATOR,
    },
    "voicemesh.session.v1.CallOwnershipService": {
        "AcquireCall": _GATEWAY,
        "RenewCall": _GATEWAY,
        "ReleaseCall": _GATEWAY,
        "GetCallOwner": _OPERATOR,
    },
    "voicemesh.session.v1.ToolClaimService": {
        "ClaimTool": _TOOL_EXECUTOR,
        "RenewToolClaim": _TOOL_EXECUTOR,
        "CompleteTool": _TOOL_EXECUTOR,
        "GetToolClaim": _TOOL_EXECUTOR | _OPERATOR,
    },
    "voicemesh.session.v1.PolicyCounterService": {
        "ReservePolicyCounters": _TOOL_EXECUTOR,
        "GiveBackPolicyCounters": _TOOL_EXECUTOR,
    },
    "voicemesh.session.v1.ErasureService": {"ErasePerson": _OPERATOR},
    "voicemesh.session.v1.QuotaService": {
        "TakeQuotas": _SPEECH_POOL,
        "GiveBackQuotas": _SPEECH_POOL,
        "RenewQuotas": _SPEECH_POOL,
    },
}

CALLERS: Mapping[str, Parts] = MappingProxyType(
    {f"/{s}/{m}": who for s, methods in _TABLE.items() for m, who in methods.items()}
)
"""Full method, as gRPC names it -> the parts that may call it."""


def allowed(method: str, parts: Iterable[str]) -> bool:
    """Whether a caller that is all of `parts` may call a full method. Unknown methods: nobody."""
    return not CALLERS.get(method, frozenset()).isdisjoint(parts)


def name_of(service: str) -> str:
    """The DNS name in the certificate of a service of the mesh."""
    return service + SUFFIX


def parts_of(names: Iterable[str], callers: Mapping[str, Iterable[str]]) -> Parts:
    """What a peer is, by the names in its certificate; empty: nobody that we know.

    `callers` is the setting of that name. A service's own name cannot be given away by it.
    """
    found: set[str] = set()
    services = {name_of(service): service for service in SERVICES}
    for name in names:
        if service := services.get(name):
            found.add(service)
        else:
            found.update(callers.get(name, ()))
    return frozenset(found)


def check_parts(identity: str, parts: Iterable[str]) -> None:
    """Refuse an entry of the setting `callers` that has no meaning. Raises ValueError."""
    known = (*SERVICES, *ROLES)
    if identity.endswith(SUFFIX) and identity.removesuffix(SUFFIX) in SERVICES:
        raise ValueError(f"{identity!r} is a service of the mesh already; take it out")
    if not identity or not parts:
        raise ValueError(f"{identity!r} is given nothing; name one of {', '.join(known)}")
    for part in parts:
        if part not in known:
            raise ValueError(
                f"{identity!r} is given {part!r}, which is no service or role; name one of"
                f" {', '.join(known)}"
            )
