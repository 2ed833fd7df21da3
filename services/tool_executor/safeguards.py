"""What holds an act back until it may be: the caller's consent, their yes, and the limits.

Where any of it cannot be known, the act does not take place, and the model is told so in words.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from meshkit.errors import MeshError
from meshkit.logging import get_logger
from tool_executor.confirmation import (
    CONFIRMATION_NEEDED,
    Journal,
    NoJournal,
    Question,
    agreed_to,
)
from tool_executor.limits import (
    Counters,
    Demand,
    NoCounters,
    argument,
    demands_of,
    did_nothing,
    reached,
    subject_of,
)
from tool_executor.outcomes import Failure, Outcome
from tool_executor.policy import CONSENT_NEEDED, Refused, Verified, in_scope
from tool_executor.requests import Request
from tool_executor.verified import VerifiedRecords
from toolkit import ArgumentsInvalid, Proof, Tool, check_arguments, parse_arguments
from toolkit.asking import SHALL_I, question_of
from voicemesh.session.v1.journal_event_pb2 import ToolCall

logger = get_logger("tool_executor.safeguards")

CANNOT_CHECK = (
    "I am sorry, I cannot check at the moment whether I may do that, so I have not done it. Please"
    " ask me again in a little while."
)
CANNOT_SAY = "That is too long to be read out before it is done. Shorten the arguments."
USED = (
    "That was done once already, by this yes. Ask me again if it is to be done another time, and I"
    " will confirm it with you first."
)
CONSENT_METHOD = "spoken_yes"


class Safeguards:
    """Asks for consent and for a yes, and counts what is limited."""

    def __init__(self, journal: Journal, counters: Counters, records: VerifiedRecords) -> None:
        self._journal, self._counters, self._records = journal, counters, records

    async def consented(
        self, tool: Tool, request: Request, verified: Verified
    ) -> Verified | Failure:
        """What is proved once the consent that the tool asks for is; what to ask otherwise."""
        message = tool.policy.consent
        question = Question(CONSENT_NEEDED, message, heard=message)

        def same(call: ToolCall) -> bool:
            return call.tool == f"tools/{tool.name}"

        try:
            events = await self._journal.events(request.session)
        except MeshError as error:
            return _unchecked(error)
        if not agreed_to(events, request.request_id, question, same):
            return Failure(CONSENT_NEEDED, message, retryable=True)
        level = tool.policy.consent_level
        proof = Proof(verified.client_id, CONSENT_METHOD)
        refused = await self._records.add(request.session, level, request.request_id, proof)
        return refused or Verified(verified.client_id, verified.levels | {level})

    async def demands(
        self, tool: Tool, request: Request, given: Any, verified: Verified
    ) -> list[Demand] | Failure:
        """What a run on checked arguments is to be counted as; the use of the yes is one of them."""
        demands = demands_of(tool, given)
        if isinstance(demands, Failure) or not tool.policy.confirm:
            return demands
        try:
            message = question_of(tool.policy.confirm, _arguments(tool, given))
        except ValueError:
            return Failure("ARGUMENTS_INVALID", CANNOT_SAY, retryable=True)
        asked = await self._yes_to(tool, request, given, verified, message)
        if isinstance(asked, Failure):
            return asked
        return [*demands, Demand(f"yes/{asked}", "CALL", 1, 1)]

    async def reserve(
        self, tool: Tool, request: Request, verified: Verified, demands: Sequence[Demand]
    ) -> Failure | None:
        """Count the run, durably; why it may not take place, if it may not."""
        if not demands:
            return None
        subject = subject_of(tool.policy, verified, request.session)
        try:
            refused = await self._counters.reserve(request.request_id, subject, demands)
        except MeshError as error:
            return _unchecked(error)
        if refused is None:
            return None
        if refused.counter.startswith("yes/"):
            return Failure("POLICY_REFUSED", USED)
        return reached(refused)

    async def settle(
        self,
        tool: Tool,
        request: Request,
        verified: Verified,
        demands: Sequence[Demand],
        outcome: Outcome,
    ) -> None:
        """Take the run out of the counts if it did nothing. What fails stays counted."""
        if not demands or not did_nothing(tool, outcome):
            return
        subject = subject_of(tool.policy, verified, request.session)
        try:
            await self._counters.give_back(request.request_id, subject)
        except MeshError as error:
            logger.warning("run not given back", extra={"reason": error.reason})

    async def _yes_to(
        self, tool: Tool, request: Request, given: Any, verified: Verified, message: str
    ) -> str | Failure:
        """The question that the caller said yes to, or the question to ask."""
        exact = canonical(given)
        heard = message[: message.index(SHALL_I) + len(SHALL_I)]

        def same(call: ToolCall) -> bool:
            named = call.tool == f"tools/{tool.name}"
            return named and _canonical_of(tool, call.arguments_json, verified) == exact

        try:
            events = await self._journal.events(request.session)
        except MeshError as error:
            return _unchecked(error)
        question = Question(CONFIRMATION_NEEDED, message, heard)
        asked = agreed_to(events, request.request_id, question, same)
        return asked or Failure(CONFIRMATION_NEEDED, message, retryable=True)


def canonical(given: Any) -> str:
    """Checked arguments as one text: the same for the same arguments, however they were written."""
    plain = given.model_dump(mode="json") if isinstance(given, BaseModel) else given
    return json.dumps(plain, sort_keys=True, ensure_ascii=True)


def _canonical_of(tool: Tool, arguments_json: str, verified: Verified) -> str:
    """Those of an earlier call, taken as this client's; empty if they are not right."""
    try:
        scoped = in_scope(tool.policy.client_argument, parse_arguments(arguments_json), verified)
        return (
            ""
            if isinstance(scoped, Refused)
            else canonical(check_arguments(tool, scoped.arguments))
        )
    except ArgumentsInvalid:
        return ""


def _arguments(tool: Tool, given: Any) -> dict[str, Any]:
    return {name: argument(given, name) for name in tool.parameters.get("properties", {})}


def _unchecked(error: MeshError) -> Failure:
    logger.error("policy cannot be checked", extra={"reason": error.reason})
    return Failure("POLICY_UNCHECKED", CANNOT_CHECK, retryable=True)


def without_store(records: VerifiedRecords) -> Safeguards:
    """Safeguards that can ask nobody: what is limited or confirmed does not run."""
    return Safeguards(NoJournal(), NoCounters(), records)
