"""The table of callers is whole, fits the call graph, and gives no service more than its code calls."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from google.protobuf.descriptor import ServiceDescriptor

from meshkit.authorization import (
    CALLERS,
    OPERATOR,
    ROLES,
    SPEECH_CLIENT,
    allowed,
    name_of,
    parts_of,
)
from meshkit.call_graph import EDGES, SERVICES, built
from meshkit.settings import MeshSettings, SettingsError, load_settings

ROOT = Path(__file__).parents[3]
PACKAGES = {
    "voicemesh.speech.v1": "speech-pool",
    "voicemesh.orchestrator.v1": "orchestrator",
    "voicemesh.tools.v1": "tool-executor",
    "voicemesh.session.v1": "session-store",
}
"""Which service serves the RPCs of a package."""
SET_VERIFIED = "/voicemesh.session.v1.SessionStoreService/SetVerified"
ACQUIRE_CALL = "/voicemesh.session.v1.CallOwnershipService/AcquireCall"
ALLOCATE = "/voicemesh.speech.v1.SpeechPoolService/AllocateClient"


def services() -> Iterator[ServiceDescriptor]:
    """Every gRPC service of the protos."""
    for path in sorted((ROOT / "protos" / "voicemesh").rglob("*.proto")):
        name = path.relative_to(ROOT / "protos").with_suffix("")
        module = importlib.import_module(f"{'.'.join(name.parts)}_pb2")
        yield from module.DESCRIPTOR.services_by_name.values()


METHODS = {f"/{s.full_name}/{m.name}" for s in services() for m in s.methods}


def callee_of(method: str) -> str:
    return PACKAGES[method[1:].split("/")[0].rpartition(".")[0]]


@cache
def source_of(service: str) -> str:
    """The code of a service."""
    folder = ROOT / "services" / service.replace("-", "_")
    return "\n".join(path.read_text() for path in sorted(folder.rglob("*.py")))


def called_by(service: str) -> set[str]:
    """The methods that a service's code names, as an attribute of a stub or as text."""
    return {
        method
        for method in METHODS
        if re.search(rf"""["'.]{method.rpartition("/")[2]}\b""", source_of(service))
    }


# ------------------------------------------------------------------ the table


def test_every_rpc_has_a_row_and_every_row_an_rpc() -> None:
    assert set(CALLERS) == METHODS


def test_each_row_names_services_and_roles() -> None:
    for method, parts in CALLERS.items():
        assert parts, method
        assert parts <= {*SERVICES, *ROLES}, method


def test_the_table_and_the_call_graph_tell_the_same() -> None:
    told = {
        (caller, callee_of(method))
        for method, parts in CALLERS.items()
        for caller in parts & set(SERVICES)
    }
    assert told == {(edge.caller, edge.callee) for edge in built(EDGES)}


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_may_call_what_its_code_calls_and_nothing_else(service: str) -> None:
    may = {method for method, parts in CALLERS.items() if service in parts}
    assert may == called_by(service)


def test_who_has_proved_what_is_written_by_the_tool_executor_alone() -> None:
    assert CALLERS[SET_VERIFIED] == {"tool-executor"}


def test_a_call_is_owned_by_gateways_alone() -> None:
    assert CALLERS[ACQUIRE_CALL] == {"gateway"}


def test_a_role_reaches_no_more_than_it_is_for() -> None:
    speech = {method for method, parts in CALLERS.items() if SPEECH_CLIENT in parts}
    assert {callee_of(method) for method in speech} == {"speech-pool"}
    for method, parts in CALLERS.items():
        if OPERATOR in parts:
            assert not re.search(r"/(Append|Acquire|Set|Take|Claim|Execute|Allocate)", method)


# ------------------------------------------------------------------ the decision


def test_the_decision() -> None:
    assert allowed(ACQUIRE_CALL, {"gateway"})
    assert allowed(ACQUIRE_CALL, {"speech-pool", "gateway"})
    assert not allowed(ACQUIRE_CALL, {"orchestrator"})
    assert not allowed(ACQUIRE_CALL, set())


def test_what_has_no_row_is_nobodys() -> None:
    for parts in (*SERVICES, *ROLES):
        assert not allowed("/voicemesh.session.v1.SessionStoreService/Unheard", {parts})


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_known_by_its_name(service: str) -> None:
    assert parts_of([name_of(service)], {}) == {service}


@pytest.mark.parametrize(
    "name",
    [
        "gateway",
        "voicemesh",
        ".voicemesh",
        "Gateway.voicemesh",
        "gateway.voicemesh.example.com",
        "",
    ],
)
def test_a_name_that_only_resembles_is_nobodys(name: str) -> None:
    assert parts_of([name], {}) == frozenset()


def test_callers_outside_the_mesh_are_what_the_setting_says() -> None:
    callers = {"ivr.example.com": [SPEECH_CLIENT], "spiffe://bank/ops": [OPERATOR]}
    assert parts_of(["ivr.example.com"], callers) == {SPEECH_CLIENT}
    assert parts_of(["spiffe://bank/ops", "other"], callers) == {OPERATOR}
    assert parts_of(["gateway.voicemesh", "ivr.example.com"], callers) == {"gateway", SPEECH_CLIENT}
    assert not allowed(ALLOCATE, parts_of(["spiffe://bank/ops"], callers))


def test_the_setting_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOICEMESH_CALLERS", '{"ivr.example.com": ["speech-client"]}')
    assert load_settings(MeshSettings).callers == {"ivr.example.com": ["speech-client"]}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ('{"ivr.example.com": ["spech-client"]}', "'spech-client', which is no service or role"),
        ('{"ivr.example.com": []}', "given nothing"),
        ('{"": ["operator"]}', "given nothing"),
        ('{"gateway.voicemesh": ["operator"]}', "a service of the mesh already"),
        ('["ivr.example.com"]', "VOICEMESH_CALLERS"),
    ],
)
def test_a_setting_without_meaning_is_refused(
    given: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOICEMESH_CALLERS", given)
    with pytest.raises(SettingsError, match=said):
        load_settings(MeshSettings)
