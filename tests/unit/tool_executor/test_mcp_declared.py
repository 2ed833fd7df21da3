"""The file of MCP servers: what it may say, and how what is wrong is told."""

from __future__ import annotations

from decimal import Decimal
from inspect import signature
from pathlib import Path

import pytest

from meshkit.documents import DocumentError
from tool_executor.mcp_servers import DeclaredServer, DeclaredTool, read_servers
from toolkit import Effect, Limit, Policy
from toolkit import tool as tool_decorator

WHOLE = """
servers:
  crm:
    url: https://crm.example/mcp
    headers: {Authorization: CRM_AUTHORIZATION}
    tools:
      find_customer: {effect: read_only, requires: [identity], client_argument: client_id}
  desk:
    command: [python, -m, desk_server]
    environment: {DESK_TOKEN: OUR_TOKEN}
    tools:
      "*": {agents: [concierge], timeout_seconds: 3}
      open_ticket: {attempts: 2, shows: [number]}
"""
VARIABLES = {"CRM_AUTHORIZATION": "Bearer x", "OUR_TOKEN": "y"}


def read(
    tmp_path: Path, text: str, variables: dict[str, str] = VARIABLES
) -> dict[str, DeclaredServer]:
    path = tmp_path / "mcp.yaml"
    path.write_text(text)
    return read_servers(path, variables)


def test_a_whole_file(tmp_path: Path) -> None:
    servers = read(tmp_path, WHOLE)
    assert list(servers) == ["crm", "desk"]
    find = servers["crm"].tool("find_customer")
    assert find is not None
    assert find.effect is Effect.READ_ONLY
    assert find.policy().requires == {"identity"}
    assert find.policy().client_argument == "client_id"


def test_a_tool_that_is_not_named_is_served_only_under_the_star(tmp_path: Path) -> None:
    servers = read(tmp_path, WHOLE)
    assert servers["crm"].tool("delete_everything") is None
    other = servers["desk"].tool("anything")
    assert other is not None
    assert other.effect is Effect.EFFECTFUL, "what a server says of itself is not believed"
    assert other.policy().agents == {"concierge"}
    named = servers["desk"].tool("open_ticket")
    assert named is not None
    assert not named.policy().agents, "a named tool does not inherit from the star"


def test_everything_that_a_tool_of_ours_can_declare(tmp_path: Path) -> None:
    text = """
servers:
  desk:
    command: [x]
    tools:
      refund:
        requires: [identity, consent]
        consent: May I note this?
        confirm: "Refund {amount} dollars."
        limits: [{argument: amount, per_run: 50, per_day: "100.00"}, {per_call: 3}]
        claimed: true
        cancellable: true
        long_running: true
        concurrency: 2
        disabled: true
"""
    tool = read(tmp_path, text)["desk"].tool("refund")
    assert tool is not None
    assert tool.policy() == Policy(
        requires=frozenset({"identity", "consent"}),
        consent="May I note this?",
        confirm="Refund {amount} dollars.",
        limits=(
            Limit("amount", per_run=Decimal(50), per_day=Decimal("100.00")),
            Limit(per_call=Decimal(3)),
        ),
        disabled=True,
    )
    assert (tool.claimed, tool.cancellable, tool.long_running) == (True, True, True)
    declared = {*signature(tool_decorator).parameters} - {"description", "name", "proves"}
    assert declared <= set(DeclaredTool.model_fields), "whatever @tool can declare"


ONE = "servers:\n  desk:\n    command: [x]\n    tools:\n      a: {}\n"


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        (ONE.replace("command: [x]", "comand: [x]"), 3, "did you mean 'command'"),
        (ONE.replace("    command: [x]\n", ""), 2, "give either command or url"),
        (ONE.replace("tools:", "url: https://a.example\n    tools:"), 2, "either command or url"),
        (ONE.replace("command: [x]", "url: ftp://a"), 3, "url"),
        (ONE.replace("command: [x]", "url: https://user:secret@a.example/mcp"), 3, "url"),
        (ONE.replace("a: {}", "a: {effect: harmless}"), 5, "effect"),
        (ONE.replace("a: {}", "a: {timeout_seconds: 0}"), 5, "timeout_seconds"),
        (ONE.replace("a: {}", "a: {proves: identity}"), 5, "unknown key"),
        (ONE.replace("a: {}", "a: {limits: [{per_run: 1.5}]}"), 5, "in quotes"),
        (ONE.replace("a: {}", "a: {client_argument: id}"), 5, "needs `requires`"),
        (ONE.replace("      a: {}\n", "      {}\n"), 4, "tools"),
        (ONE.replace("desk", "Desk 1"), 2, "lower-case letters"),
        (ONE.replace("command: [x]", "command: [x]\n    headers: {A: B}"), 2, "headers are for"),
    ],
)
def test_what_is_wrong_is_told_by_its_line(tmp_path: Path, text: str, line: int, says: str) -> None:
    with pytest.raises(DocumentError) as refused:
        read(tmp_path, text)
    assert f"mcp.yaml:{line}: " in str(refused.value)
    assert says in str(refused.value)
    assert "secret" not in str(refused.value)


def test_a_variable_that_is_not_set_is_named(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match=r"mcp\.yaml:3: server 'crm': set CRM_AUTHORIZATION"):
        read(tmp_path, WHOLE, {"OUR_TOKEN": "y"})


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="cannot be read"):
        read_servers(tmp_path / "none.yaml", {})
