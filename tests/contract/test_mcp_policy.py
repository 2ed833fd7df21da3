"""Policy holds for tools of MCP servers as for our own, whatever their server says of itself."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.support.mcp_desk import VARIABLES, http, running_http_server
from tests.support.policy_call import CONSENT, REFUNDED, PolicyCall, policy_call, refund_of
from tool_executor.audit import AuditLog
from tool_executor.mcp_servers import DeclaredTool, McpServers
from tool_executor.policy_file import LimitHere, read_policy
from toolkit import Effect, Registry

QUESTION = "Refund 20 dollars to your account. Shall I go ahead? Say yes or no, or press 1 for yes."
MINE = {"requires": {"identity"}, "client_argument": "client_id"}
LIMITS = (LimitHere(argument="amount", per_run=50, per_call=80, per_day=100),)
TOOLS = {
    "refund": DeclaredTool(**MINE, limits=LIMITS, confirm=REFUNDED),
    "find_customer": DeclaredTool(**MINE, effect=Effect.READ_ONLY, shows={"segment"}),
    "open_ticket": DeclaredTool(requires={"identity", "consent"}, consent=CONSENT),
    "token": DeclaredTool(requires={"mfa"}),
    "inherits": DeclaredTool(agents={"cards"}),
    "fail": DeclaredTool(),
    "die": DeclaredTool(disabled=True),
}
POLICY = """
tools:
  desk_fail: {disabled: true}
  desk_refund: {limits: [{argument: amount, per_run: 40}]}
"""


@pytest.fixture(scope="module")
def acts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the server writes what it did."""
    return tmp_path_factory.mktemp("mcp") / "acts"


@pytest.fixture(scope="module")
def url(acts: Path) -> Iterator[str]:
    with running_http_server(EFFECTS=str(acts)) as address:
        yield address


@pytest.fixture
async def desk(url: str, tmp_path: Path, acts: Path) -> AsyncIterator[Registry]:
    """The server's tools, under what is declared and the deployment's policy file."""
    acts.unlink(missing_ok=True)
    (tmp_path / "policy.yaml").write_text(POLICY)
    registry, policy = Registry(), read_policy(tmp_path / "policy.yaml")
    servers = McpServers(
        {"desk": http(url, TOOLS)}, registry, VARIABLES, start_seconds=20, policy=policy
    )
    async with servers.running():
        yield registry


@pytest.fixture
async def call(desk: Registry, tmp_path: Path) -> AsyncIterator[PolicyCall]:
    async with policy_call(tmp_path / "call", tools=desk) as running:
        yield running


async def test_refused(call: PolicyCall, acts: Path) -> None:
    """One call for the whole table: nothing of it runs."""
    table = [
        ("another client's", "find_customer", '{"client_id": "bob"}',
         "POLICY_REFUSED", "person who was verified"),
        ("to another client", "refund", '{"amount": 5, "client_id": "bob"}',
         "POLICY_REFUSED", "person who was verified"),
        ("MFA is not proved", "token", "{}", "NOT_VERIFIED", "security code"),
        ("not that agent's", "inherits", "{}", "POLICY_REFUSED", "not something I can do"),
        ("switched off by the policy file", "fail", "{}", "POLICY_REFUSED", "cannot be done here"),
        ("switched off beside the server", "die", "{}", "POLICY_REFUSED", "cannot be done here"),
        ("past the policy file's limit", "refund", refund_of("40.01"), "LIMIT_REACHED", "at once"),
        ("half a cent", "refund", refund_of("1.005"), "ARGUMENTS_INVALID", "2 decimals"),
        ("not confirmed", "refund", refund_of("20"), "CONFIRMATION_NEEDED", "Refund 20 dollars"),
        ("no consent", "open_ticket", '{"subject": "x"}', "CONSENT_NEEDED", CONSENT),
    ]  # fmt: skip
    for why, tool, arguments, reason, said in table:
        outcome = await call.wants(f"desk_{tool}", arguments)
        assert outcome.failure.reason == reason, why
        assert said in outcome.failure.message
        assert not outcome.HasField("execution_duration")
    assert not acts.exists()


async def test_a_yes_to_one_amount_lets_it_run_once_and_confirms_no_other(
    call: PolicyCall, acts: Path
) -> None:
    await call.wants("desk_refund", refund_of("20"))
    await call.hears(QUESTION)
    await call.says("Yes.")
    other = await call.wants("desk_refund", refund_of("30"))
    assert other.failure.reason == "CONFIRMATION_NEEDED"
    assert "30 dollars" in other.failure.message
    await call.hears(other.failure.message)
    await call.says("Yes.")
    done = await call.wants("desk_refund", refund_of("30"))
    assert json.loads(done.result_json)["message"] == "I refunded 30.0 dollars."
    again = (await call.executor.send(call.last)).outcome
    assert again == done, "asked again it is the same run"
    assert acts.read_text() == "refund 30.0 alice\n", "once, and for the client who is verified"


async def test_the_call_s_limit_holds(call: PolicyCall, acts: Path) -> None:
    for amount in ("40", "39"):
        assert (await call.confirmed("desk_refund", refund_of(amount))).result_json
    outcome = await call.confirmed("desk_refund", refund_of("21"))
    assert outcome.failure.reason == "LIMIT_REACHED"
    assert len(acts.read_text().splitlines()) == 2


async def test_the_audit_log_and_what_is_shown(desk: Registry, tmp_path: Path) -> None:
    audit = AuditLog(tmp_path / "audit", days=1)
    async with policy_call(tmp_path / "call", tools=desk, audit=audit) as call:
        shown = await call.wants("desk_find_customer")
        await call.wants("desk_find_customer", '{"client_id": "bob"}')
    audit.close()
    assert json.loads(shown.result_json) == {"success": True, "message": "", "segment": "gold"}
    written = "".join(file.read_text() for file in (tmp_path / "audit").iterdir())
    decisions = [json.loads(line)["decision"] for line in written.splitlines()]
    assert decisions == ["ALLOWED", "POLICY_REFUSED"]


async def test_a_tool_whose_policy_would_not_hold_is_not_served(url: str, tmp_path: Path) -> None:
    """Its schema is known only when the server answers: `amount` is no argument of `token`."""
    text = "tools:\n  desk_token: {limits: [{argument: amount, per_run: 5}]}\n"
    (tmp_path / "policy.yaml").write_text(text)
    registry, policy = Registry(), read_policy(tmp_path / "policy.yaml")
    servers = McpServers(
        {"desk": http(url, TOOLS)}, registry, VARIABLES, start_seconds=20, policy=policy
    )
    async with servers.running():
        assert "desk_refund" in registry
        assert "desk_token" not in registry
