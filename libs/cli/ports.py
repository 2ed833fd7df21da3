"""Where the parts of a local mesh listen."""

from __future__ import annotations

import socket
from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class Ports:
    """One TCP port each, all on loopback."""

    gateway_http: int = 8080
    gateway_media: int = 8081
    speech_pool: int = 50051
    orchestrator: int = 50052
    tool_executor: int = 50053
    session_store: int = 50054
    planner: int = 8090
    valkey: int = 6390
    telemetry_ring: int = 14317
    """Where the services tell the gateway what the console page shows."""

    @classmethod
    def free(cls) -> Ports:
        """Ports that are free now. Another process could take one before ours does."""
        names = [field.name for field in fields(cls)]
        sockets = [socket.create_server(("127.0.0.1", 0)) for _ in names]
        try:
            return cls(**{n: s.getsockname()[1] for n, s in zip(names, sockets, strict=True)})
        finally:
            for opened in sockets:
                opened.close()
