"""The processes of a local mesh: what each is, with what environment, and when it is up. Pure."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cli.ports import Ports

_COSMOS = "VOICEMESH_COSMOS_ENDPOINT"
"""Names an archive in Cosmos DB, beside which a session-store takes no file."""


@dataclass(frozen=True, slots=True)
class Part:
    """One process of the mesh."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    grpc_port: int = 0
    """Where gRPC health is asked, if the part has it."""
    health_url: str = ""
    """Where HTTP health is asked, otherwise."""


def mesh_parts(
    ports: Ports,
    redis_url: str,
    data: Path,
    extra: Mapping[str, str],
    *,
    planner: bool,
    ring: bool = False,
    said: Collection[str] = (),
) -> list[Part]:
    """The processes in the order of their start. `extra` goes to each, and wins.

    `said`: variables by which whoever starts the mesh says something; what we only suggest gives way.
    `data` is the folder in which the mesh remembers. `planner` False: the model endpoint is somebody
    else's, named in `extra`. `ring`: the gateway keeps the newest traces and metrics of all services.
    """
    said = {*said, *extra}
    archive = {} if _COSMOS in said else {"VOICEMESH_ARCHIVE_PATH": str(data / "archive.db")}
    tools = {
        "VOICEMESH_DATA_FOLDER": str(data / "tool-executor"),
        "VOICEMESH_AUDIT_FOLDER": str(data / "tool-executor" / "audit"),
    }
    store = {"VOICEMESH_REDIS_URL": redis_url, **_unless(said, archive)}
    tools, model = _unless(said, tools), _unless(said, _model(ports))
    parts = [
        _service("session-store", ports.session_store, store),
        _service("tool-executor", ports.tool_executor, tools | _peers(ports) | model),
        _service("speech-pool", ports.speech_pool, _peers(ports)),
        _service("orchestrator", ports.orchestrator, _peers(ports) | model),
        _gateway(ports),
    ]
    if ring:
        told = {"VOICEMESH_TELEMETRY_RING_PORT": str(ports.telemetry_ring)}
        parts = [_with(part, told) for part in parts]
    if planner:
        parts.insert(0, _planner(ports))
    return [_with(part, extra) for part in parts]


def _unless(said: Collection[str], suggested: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in suggested.items() if name not in said}


def _service(name: str, port: int, environment: Mapping[str, str]) -> Part:
    module = name.replace("-", "_")
    return Part(
        name,
        (sys.executable, "-m", module),
        {"VOICEMESH_GRPC_PORT": str(port), **environment},
        grpc_port=port,
    )


def _gateway(ports: Ports) -> Part:
    own = {
        "VOICEMESH_HTTP_PORT": str(ports.gateway_http),
        "VOICEMESH_MEDIA_PORT": str(ports.gateway_media),
    }
    url = f"http://127.0.0.1:{ports.gateway_http}/readyz"
    command = (sys.executable, "-m", "gateway")
    return Part("gateway", command, own | _peers(ports), health_url=url)


def _planner(ports: Ports) -> Part:
    url = f"http://127.0.0.1:{ports.planner}/healthz"
    command = (sys.executable, "-m", "planner", "--port", str(ports.planner))
    return Part("planner", command, health_url=url)


def _peers(ports: Ports) -> dict[str, str]:
    where = {
        "SPEECH_POOL": ports.speech_pool,
        "ORCHESTRATOR": ports.orchestrator,
        "TOOL_EXECUTOR": ports.tool_executor,
        "SESSION_STORE": ports.session_store,
    }
    return {f"VOICEMESH_{k}_TARGET": f"static:127.0.0.1:{v}" for k, v in where.items()}


def _model(ports: Ports) -> dict[str, str]:
    base = f"http://127.0.0.1:{ports.planner}/v1"
    return {"VOICEMESH_MODEL_BASE_URL": base, "VOICEMESH_EMBEDDINGS_BASE_URL": base}


def _with(part: Part, extra: Mapping[str, str]) -> Part:
    environment = {**part.environment, **extra}
    return Part(part.name, part.command, environment, part.grpc_port, part.health_url)
