"""Who may run what, on what arguments: decided from what the caller has proved. Pure.

The prompt is not the guard. What an agent was told, or talked into, changes nothing here: only the
verified record does. Refusals are written to be spoken.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tool_executor.ledger import NONE, Counts
from tool_executor.outcomes import Failure
from toolkit import Proof, Tool
from toolkit.tool import is_consent

IDENTITY = "identity"
CONSENT_NEEDED = "CONSENT_NEEDED"
"""Of a tool whose question of consent is to be asked, and for whom nothing else is missing."""

_ASK_FIRST = {
    IDENTITY: "Before I can do that, I need to verify who you are. Please tell me your full name and"
    " the last four digits of your social security number.",
    "mfa": "Before I can do that, I need to send you a security code and have you read it back.",
    "business_caller": "Before I can do that, I need your company's name and the claim number.",
}
OTHER_CLIENT = "I can only help with the account of the person who was verified on this call."
TOO_MANY_ATTEMPTS = (
    "I am sorry, but I could not verify you after several attempts, so I cannot try again on this"
    " call. I can connect you to a colleague instead."
)
REPEATED = (
    "This tool was already run with the same arguments in this turn. Use the result you have, or"
    " ask the caller for something that changes it."
)
TOO_MANY_RUNS = (
    "Too many tools were run for this. Tell the caller what you know so far, and offer to connect"
    " them to a colleague."
)
SWITCHED_OFF = "That cannot be done here at the moment. I can connect you to a colleague."
NOT_THIS_AGENT = "That is not something I can do here. I can connect you to a colleague who can."


@dataclass(frozen=True, slots=True)
class Verified:
    """What a session has proved, at this moment."""

    client_id: str = ""
    levels: frozenset[str] = frozenset()


NOTHING = Verified()


@dataclass(frozen=True, slots=True)
class Limits:
    """How much tools may be run for one caller."""

    same_in_turn: int = 3
    """Runs of one tool with the same arguments: more is a model going round in circles."""
    in_turn: int = 20
    in_call: int = 500


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Allowed:
    """The run may take place, on these arguments."""

    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Refused:
    """It may not."""

    failure: Failure


def decide(
    tool: Tool,
    arguments: Mapping[str, Any],
    *,
    agent: str,
    verified: Verified,
    counts: Counts = NONE,
    limits: Limits = DEFAULT_LIMITS,
) -> Allowed | Refused:
    """Whether `agent` (its name) may run the tool for this caller, after the runs counted."""
    policy = tool.policy
    if policy.disabled:
        return _refused(SWITCHED_OFF)
    if policy.agents and agent not in policy.agents:
        return _refused(NOT_THIS_AGENT)
    missing = sorted(
        policy.requires - verified.levels, key=lambda level: (is_consent(level), level)
    )
    if missing and is_consent(missing[0]):
        return Refused(Failure(CONSENT_NEEDED, policy.consent, retryable=True))
    if missing:
        return Refused(Failure("NOT_VERIFIED", ask_for(missing[0]), retryable=True))
    if policy.attempts is not None and counts.failed >= policy.attempts:
        return _refused(TOO_MANY_ATTEMPTS)
    if counts.repeats >= limits.same_in_turn:
        return _refused(REPEATED)
    if counts.in_turn >= limits.in_turn or counts.in_call >= limits.in_call:
        return _refused(TOO_MANY_RUNS)
    return in_scope(policy.client_argument, arguments, verified)


def accept_proof(proof: Proof, verified: Verified) -> Failure | None:
    """Why a proof may not be written down; None if it may."""
    if not proof.client_id:
        raise ValueError("a proof names a client")
    if verified.client_id and verified.client_id != proof.client_id:
        return Failure("POLICY_REFUSED", OTHER_CLIENT)
    return None


def ask_for(level: str) -> str:
    """What to say to a caller who has not proved `level`."""
    return _ASK_FIRST.get(level, f"Before I can do that, one more check is needed: {level}.")


def in_scope(name: str, arguments: Mapping[str, Any], verified: Verified) -> Allowed | Refused:
    """The client that the arguments name is the verified one, or is not named and is filled in."""
    if not name:
        return Allowed(arguments)
    if arguments.get(name) in (None, ""):
        return Allowed({**arguments, name: verified.client_id})
    if not verified.client_id or arguments[name] != verified.client_id:
        return _refused(OTHER_CLIENT)
    return Allowed(arguments)


def _refused(message: str) -> Refused:
    return Refused(Failure("POLICY_REFUSED", message))
