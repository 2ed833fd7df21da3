"""The call graph: what its rows must keep to, whoever adds one."""

from __future__ import annotations

import ast
import inspect
import sys
from collections import Counter

import pytest

from meshkit import call_graph
from meshkit.call_graph import EDGES, OUTSIDE_EDGES, SERVICES, Edge, built, callees, callers


def test_an_edge_between_services_names_services() -> None:
    for edge in EDGES:
        assert {edge.caller, edge.callee} <= set(SERVICES), edge
        assert edge.port == "grpc", edge


def test_an_edge_out_of_the_mesh_leaves_it() -> None:
    for edge in OUTSIDE_EDGES:
        assert edge.caller in SERVICES, edge
        assert edge.callee not in SERVICES, edge
        assert edge.port == "outside", edge


def test_no_pair_is_told_twice() -> None:
    pairs = Counter((edge.caller, edge.callee) for edge in (*EDGES, *OUTSIDE_EDGES))
    assert [pair for pair, times in pairs.items() if times > 1] == []


def test_each_edge_says_what_passes() -> None:
    assert [edge for edge in (*EDGES, *OUTSIDE_EDGES) if not edge.purpose] == []


def test_call_control_is_an_outcome_not_a_call() -> None:
    reach = {edge.callee for edge in OUTSIDE_EDGES if edge.caller == "tool-executor"}
    assert "acs" not in reach


def test_nobody_but_the_session_store_reaches_redis() -> None:
    assert callers("redis", OUTSIDE_EDGES) == {"session-store"}


def test_the_session_store_calls_no_service() -> None:
    assert callees("session-store") == frozenset()


@pytest.mark.parametrize("service", SERVICES)
def test_both_directions_tell_the_same(service: str) -> None:
    assert {other for other in SERVICES if service in callees(other)} == callers(service)


def test_what_is_not_built_is_nobodys_call() -> None:
    planned = Edge("gateway", "orchestrator", "later", built=False)
    assert built([planned]) == ()
    assert callees("gateway", [planned]) == frozenset()
    assert callers("orchestrator", [planned]) == frozenset()


def test_the_mesh_has_no_cycle_among_different_services() -> None:
    """A cycle would let two services wait for each other, and readiness never come."""

    def reached(start: str) -> set[str]:
        seen: set[str] = set()
        waiting = [start]
        while waiting:
            new = {e.callee for e in EDGES if e.caller == waiting[-1] and e.callee != e.caller}
            waiting.pop()
            waiting += new - seen
            seen |= new
        return seen

    assert [service for service in SERVICES if service in reached(service)] == []


def test_the_table_needs_the_standard_library_only() -> None:
    tree = ast.parse(inspect.getsource(call_graph))
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {str(module).split(".")[0] for module in modules} <= sys.stdlib_module_names
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Import)]
