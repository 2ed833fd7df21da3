"""The deployment's policy file tightens, and says by file and line what it cannot keep."""

from __future__ import annotations

import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from meshkit.documents import DocumentError
from tool_executor.policy import Allowed, Refused, Verified, decide
from tool_executor.policy_file import tighten
from toolkit import Limit, Policy, Registry, Tool

ALICE = Verified("alice", frozenset({"identity"}))
AMOUNT = {"properties": {"amount": {"type": "number"}}, "required": ["amount"], "type": "object"}
REFUND = Policy(
    requires=frozenset({"identity"}),
    agents=frozenset({"concierge", "billing"}),
    limits=(Limit("amount", per_day=100),),
)

ASK = Policy(confirm="Say it.", shows=frozenset({"name"}))


def registry() -> Registry:
    made = Registry()
    made.register("refund", {"parameters": AMOUNT}, lambda args: args, policy=REFUND)
    made.register("ask", {}, lambda args: args, policy=ASK)
    made.register("greet", {}, lambda args: args, policy=Policy(attempts=3))
    return made


def tightened(folder: Path, text: str, name: str = "refund") -> Tool:
    (folder / "policy.yaml").write_text(text)
    tools = registry()
    tighten(tools, folder / "policy.yaml")
    return tools.get(name)


def test_a_tool_is_switched_off(tmp_path: Path) -> None:
    tool = tightened(tmp_path, "tools:\n  refund: {disabled: true}\n")
    decision = decide(tool, {"amount": 1}, agent="billing", verified=ALICE)
    assert isinstance(decision, Refused)
    assert decision.failure.reason == "POLICY_REFUSED"
    assert "cannot be done here" in decision.failure.message


def test_fewer_agents_and_more_proof(tmp_path: Path) -> None:
    text = "tools:\n  refund: {agents: [billing], requires: [mfa]}\n"
    policy = tightened(tmp_path, text).policy
    assert policy.agents == {"billing"}
    assert policy.requires == {"identity", "mfa"}


def test_a_limit_is_added_and_none_is_taken_away(tmp_path: Path) -> None:
    text = 'tools:\n  refund:\n    limits:\n      - {argument: amount, per_day: "50.00"}\n'
    policy = tightened(tmp_path, text).policy
    assert policy.limits == (*REFUND.limits, Limit("amount", per_day=Decimal("50.00")))


@pytest.mark.parametrize(("attempts", "kept"), [(2, 2), (9, 3)])
def test_attempts_only_go_down(tmp_path: Path, attempts: int, kept: int) -> None:
    tool = tightened(tmp_path, f"tools:\n  greet: {{attempts: {attempts}}}\n", "greet")
    assert tool.policy.attempts == kept


def test_a_question_is_added_where_the_author_asks_none(tmp_path: Path) -> None:
    text = "tools:\n  refund: {confirm: 'Refund {amount} dollars.', shows: [left]}\n"
    policy = tightened(tmp_path, text).policy
    assert policy.confirm == "Refund {amount} dollars."
    assert policy.shows == {"left"}
    text = "tools:\n  refund: {requires: [consent], consent: 'May I record this?'}\n"
    assert tightened(tmp_path, text).policy.consent_level == "consent"


@pytest.mark.parametrize(("here", "kept"), [("2, concurrency: 3", (2, 3)), ("99", (10, 16))])
def test_deadline_and_concurrency_only_go_down(
    tmp_path: Path, here: str, kept: tuple[float, int]
) -> None:
    tool = tightened(tmp_path, f"tools:\n  greet: {{timeout_seconds: {here}}}\n", "greet")
    assert (tool.timeout_seconds, tool.concurrency) == kept


def test_what_is_not_named_stays_as_it_is(tmp_path: Path) -> None:
    tool = tightened(tmp_path, "tools:\n  greet: {disabled: true}\n")
    decision = decide(tool, {"amount": 1}, agent="billing", verified=ALICE)
    assert decision == Allowed({"amount": 1})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tools:\n  refnud: {}\n", "policy.yaml:2: unknown tool 'refnud'; did you mean 'refund'?"),
        ("tools:\n  refund:\n    disable: true\n", "policy.yaml:3: unknown key"),
        ("tool: {}\n", "policy.yaml:1"),
        ("tools:\n  refund:\n    disabled: perhaps\n", "policy.yaml:3: key"),
        ("tools:\n  refund:\n    agents: [stranger]\n", "policy.yaml:3: refund is not for agent"),
        ("tools:\n  refund:\n    agents: []\n", "policy.yaml:3"),
        ("tools:\n  refund:\n    requires: [consent]\n", "policy.yaml:3: refund declares no"),
        ("tools:\n  refund:\n    limits: [{argument: amount, per_day: 9.99}]\n", "in quotes"),
        ("tools:\n  refund:\n    limits: [{argument: amount, per_day: -1}]\n", "over 0"),
        ("tools:\n  refund:\n    limits: [{argument: fee, per_day: 5}]\n", "'fee' must be one"),
        ("tools:\n  refund:\n    limits: [{argument: amount}]\n", "per_run, per_call or per_day"),
        ("tools:\n  greet: {limits: [{per_day: 5}]}\n", "needs `requires`"),
        ("tools:\n  ask: {confirm: 'Do it.'}\n", "ask declares its own `confirm`"),
        ("tools:\n  refund: {confirm: 'Refund {sum}.'}\n", "confirm names required arguments"),
        ("tools:\n  refund: {confirm: 'Refund it.'}\n", "must say {amount}, which is limited"),
        ("tools:\n  ask: {shows: [number]}\n", "policy.yaml:2: ask does not show 'number'"),
        ("tools: [", "is not YAML"),
    ],
)
def test_what_cannot_be_kept_is_said(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(DocumentError) as failure:
        tightened(tmp_path, text)
    assert said in str(failure.value)
    assert "policy.yaml" in str(failure.value)


def test_nothing_is_tightened_by_a_file_that_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text("tools:\n  greet: {disabled: true}\n  other: {}\n")
    tools = registry()
    with pytest.raises(DocumentError):
        tighten(tools, tmp_path / "policy.yaml")
    assert not tools.get("greet").policy.disabled


def test_the_service_does_not_start_with_it(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text("tools:\n  refund_fees: {disabled: true}\n")
    done = subprocess.run(
        [sys.executable, "-m", "tool_executor"],
        env={"VOICEMESH_POLICY_FILE": str(tmp_path / "policy.yaml"), "PATH": ""},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "policy.yaml:2: unknown tool 'refund_fees'" in done.stderr
