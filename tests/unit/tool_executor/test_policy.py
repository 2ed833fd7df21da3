"""The table of what policy allows and refuses."""

from __future__ import annotations

from typing import Any

import pytest

from tool_executor.ledger import Counts
from tool_executor.policy import NOTHING, Allowed, Refused, Verified, accept_proof, decide
from toolkit import Policy, Proof, Registry, Tool

ALICE = Verified("alice", frozenset({"identity"}))
ALICE_MFA = Verified("alice", frozenset({"identity", "mfa"}))
ACCOUNT = Policy(requires=frozenset({"identity"}), client_argument="client_id")
REFUND = Policy(requires=frozenset({"identity", "mfa"}), agents=frozenset({"billing"}))
VERIFY = Policy(proves="identity", attempts=3)
OPEN = Policy()


def tool(policy: Policy) -> Tool:
    parameters = {"type": "object", "properties": {"client_id": {"type": "string"}}}
    return Registry().register("it", {"parameters": parameters}, lambda args: args, policy=policy)


@pytest.mark.parametrize(
    ("policy", "given", "verified", "runs_with"),
    [
        (OPEN, {"query": "fee"}, NOTHING, {"query": "fee"}),
        (ACCOUNT, {}, ALICE, {"client_id": "alice"}),
        (ACCOUNT, {"client_id": None}, ALICE, {"client_id": "alice"}),
        (ACCOUNT, {"client_id": ""}, ALICE, {"client_id": "alice"}),
        (ACCOUNT, {"client_id": "alice", "limit": 2}, ALICE, {"client_id": "alice", "limit": 2}),
        (ACCOUNT, {}, ALICE_MFA, {"client_id": "alice"}),
        (VERIFY, {"full_name": "x"}, NOTHING, {"full_name": "x"}),
        (REFUND, {}, ALICE_MFA, {}),
    ],
)
def test_allowed(
    policy: Policy, given: dict[str, Any], verified: Verified, runs_with: dict[str, Any]
) -> None:
    decision = decide(tool(policy), given, agent="billing", verified=verified)
    assert decision == Allowed(runs_with)


@pytest.mark.parametrize(
    ("policy", "given", "verified", "agent", "failed", "reason", "said"),
    [
        (ACCOUNT, {}, NOTHING, "billing", 0, "NOT_VERIFIED", "full name and the last four digits"),
        (ACCOUNT, {"client_id": "alice"}, NOTHING, "billing", 0, "NOT_VERIFIED", "full name"),
        (ACCOUNT, {"client_id": "bob"}, ALICE, "billing", 0, "POLICY_REFUSED", "person who was"),
        (ACCOUNT, {"client_id": ["alice"]}, ALICE, "billing", 0, "POLICY_REFUSED", "person"),
        (ACCOUNT, {"client_id": "ALICE"}, ALICE, "billing", 0, "POLICY_REFUSED", "person who was"),
        (ACCOUNT, {}, Verified("alice"), "billing", 0, "NOT_VERIFIED", "full name"),
        (REFUND, {}, ALICE, "billing", 0, "NOT_VERIFIED", "security code"),
        (REFUND, {}, ALICE_MFA, "concierge", 0, "POLICY_REFUSED", "not something I can do here"),
        (VERIFY, {}, NOTHING, "billing", 3, "POLICY_REFUSED", "after several attempts"),
        (VERIFY, {}, NOTHING, "billing", 99, "POLICY_REFUSED", "colleague"),
        (Policy(requires=frozenset({"x"})), {}, ALICE, "billing", 0, "NOT_VERIFIED", "check"),
    ],
)
def test_refused(
    policy: Policy,
    given: dict[str, Any],
    verified: Verified,
    agent: str,
    failed: int,
    reason: str,
    said: str,
) -> None:
    counts = Counts(failed=failed)
    decision = decide(tool(policy), given, agent=agent, verified=verified, counts=counts)
    assert isinstance(decision, Refused)
    assert decision.failure.reason == reason
    assert said in decision.failure.message
    assert decision.failure.retryable == (reason == "NOT_VERIFIED")


def test_a_verified_record_without_a_client_fills_nothing_in() -> None:
    nobody = Verified("", frozenset({"identity"}))
    named = decide(tool(ACCOUNT), {"client_id": "alice"}, agent="a", verified=nobody)
    assert isinstance(named, Refused)


def test_the_arguments_of_the_model_are_not_changed_in_place() -> None:
    given: dict[str, Any] = {}
    decide(tool(ACCOUNT), given, agent="a", verified=ALICE)
    assert given == {}


def test_a_proof_of_somebody_else_is_not_accepted() -> None:
    assert accept_proof(Proof("alice", "name_and_last4"), NOTHING) is None
    assert accept_proof(Proof("alice", "name_and_last4"), ALICE) is None
    refused = accept_proof(Proof("bob", "name_and_last4"), ALICE)
    assert refused is not None
    assert refused.reason == "POLICY_REFUSED"
    assert "bob" not in refused.message


def test_a_proof_of_nobody_is_a_bug_of_the_tool() -> None:
    with pytest.raises(ValueError, match="names a client"):
        accept_proof(Proof("", "guess"), NOTHING)


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        (Counts(repeats=3), "same arguments"),
        (Counts(in_turn=20), "Too many tools"),
        (Counts(in_call=500), "Too many tools"),
    ],
)
def test_limits(counts: Counts, said: str) -> None:
    decision = decide(tool(OPEN), {}, agent="a", verified=NOTHING, counts=counts)
    assert isinstance(decision, Refused)
    assert decision.failure.reason == "POLICY_REFUSED"
    assert said in decision.failure.message


def test_just_below_the_limits() -> None:
    counts = Counts(failed=99, repeats=2, in_turn=19, in_call=499)
    assert isinstance(decide(tool(OPEN), {}, agent="a", verified=NOTHING, counts=counts), Allowed)
