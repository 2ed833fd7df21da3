"""A local mesh's processes find one another, and the caller's settings win."""

from __future__ import annotations

from pathlib import Path

from cli.parts import mesh_parts
from cli.ports import Ports

DATA = Path("/data")


def test_the_parts_and_their_order() -> None:
    names = [part.name for part in mesh_parts(Ports(), "redis://x", DATA, {}, planner=True)]
    assert names == [
        "planner",
        "session-store",
        "tool-executor",
        "speech-pool",
        "orchestrator",
        "gateway",
    ]
    without = mesh_parts(Ports(), "redis://x", DATA, {}, planner=False)
    assert "planner" not in [part.name for part in without]


def test_each_part_is_told_where_its_peers_are() -> None:
    ports = Ports.free()
    parts = {part.name: part for part in mesh_parts(ports, "redis://x", DATA, {}, planner=True)}
    assert parts["session-store"].environment["VOICEMESH_REDIS_URL"] == "redis://x"
    assert parts["session-store"].environment["VOICEMESH_ARCHIVE_PATH"] == "/data/archive.db"
    target = parts["gateway"].environment["VOICEMESH_SPEECH_POOL_TARGET"]
    assert target == f"static:127.0.0.1:{ports.speech_pool}"
    assert parts["speech-pool"].environment["VOICEMESH_GRPC_PORT"] == str(ports.speech_pool)
    model = parts["orchestrator"].environment["VOICEMESH_MODEL_BASE_URL"]
    assert model == f"http://127.0.0.1:{ports.planner}/v1"


def test_the_callers_settings_win() -> None:
    extra = {"VOICEMESH_MODEL_BASE_URL": "https://models.example/v1"}
    for part in mesh_parts(Ports(), "redis://x", DATA, extra, planner=True):
        assert part.environment["VOICEMESH_MODEL_BASE_URL"] == "https://models.example/v1"


def test_free_ports_differ() -> None:
    ports = Ports.free()
    taken = [getattr(ports, name) for name in Ports.__dataclass_fields__]
    assert len(set(taken)) == len(taken)
