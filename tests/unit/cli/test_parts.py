"""A local mesh's processes find one another, and the caller's settings win."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.main import up
from cli.mesh import _said
from cli.parts import Part, mesh_parts
from cli.ports import Ports
from cli.process import MeshError

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


def parts_where(*said: str) -> dict[str, Part]:
    found = mesh_parts(Ports(), "redis://x", DATA, {}, planner=True, said=said)
    return {part.name: part for part in found}


def test_an_archive_in_cosmos_is_the_only_one() -> None:
    store = parts_where("VOICEMESH_COSMOS_ENDPOINT")["session-store"]
    assert "VOICEMESH_ARCHIVE_PATH" not in store.environment


def test_what_is_only_suggested_gives_way_to_what_is_said() -> None:
    suggested = {
        "session-store": ["VOICEMESH_ARCHIVE_PATH"],
        "tool-executor": [
            "VOICEMESH_DATA_FOLDER",
            "VOICEMESH_AUDIT_FOLDER",
            "VOICEMESH_EMBEDDINGS_BASE_URL",
        ],
        "orchestrator": ["VOICEMESH_MODEL_BASE_URL"],
    }
    for service, names in suggested.items():
        for name in names:
            assert name in parts_where()[service].environment
            assert name not in parts_where(name)[service].environment


def test_where_parts_listen_is_the_meshs_own() -> None:
    own = {"VOICEMESH_GRPC_PORT", "VOICEMESH_REDIS_URL", "VOICEMESH_SESSION_STORE_TARGET"}
    assert parts_where(*own)["session-store"].environment.keys() >= own - {
        "VOICEMESH_SESSION_STORE_TARGET"
    }
    assert "VOICEMESH_SESSION_STORE_TARGET" in parts_where(*own)["gateway"].environment


def test_the_environment_and_its_file_say(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("cosmos_endpoint: https://mine.example\narchive_path: ''\n")
    environment = {"VOICEMESH_CONFIG": str(file), "VOICEMESH_PROFILE": "local", "EMPTY": ""}
    assert _said(environment) == {
        "VOICEMESH_CONFIG",
        "VOICEMESH_PROFILE",
        "VOICEMESH_COSMOS_ENDPOINT",
    }
    with pytest.raises(MeshError, match="nowhere"):
        _said({"VOICEMESH_CONFIG": str(tmp_path / "nowhere.yaml")})


def test_only_with_a_ring_are_the_services_told_its_port() -> None:
    variable = "VOICEMESH_TELEMETRY_RING_PORT"
    for ring, port in ((True, "14317"), (False, None)):
        parts = mesh_parts(Ports(), "redis://x", DATA, {}, planner=True, ring=ring)
        told = {part.name: part.environment.get(variable) for part in parts}
        assert told.pop("planner") is None
        assert set(told.values()) == {port}


def test_a_collector_of_ones_own_is_not_overridden() -> None:
    for part in mesh_parts(Ports(), "redis://x", DATA, {}, planner=False, ring=True):
        assert not {name for name in part.environment if "OTLP" in name}


def test_free_ports_differ() -> None:
    ports = Ports.free()
    taken = [getattr(ports, name) for name in Ports.__dataclass_fields__]
    assert len(set(taken)) == len(taken)


def test_a_redis_of_the_environment_takes_the_place_of_the_embedded_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("VOICEMESH_REDIS_URL", "rediss://cache.example.com:6380/0")
    assert up.make_context("up", []).params["redis_url"] == "rediss://cache.example.com:6380/0"
    own = up.make_context("up", ["--redis-url", "redis://mine"])
    assert own.params["redis_url"] == "redis://mine"
