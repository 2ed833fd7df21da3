"""The ports of the mesh by the names that the chart gives them: facts that every part must keep to."""

PORTS = {
    "gateway": {"http": 8080, "media": 8081},
    "speech-pool": {"grpc": 50051},
    "orchestrator": {"grpc": 50052},
    "tool-executor": {"grpc": 50053},
    "session-store": {"grpc": 50054},
}
"""Service -> its ports by name."""
