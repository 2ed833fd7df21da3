"""One run of a tool, in order: parse, verified record, policy, arguments, body, proof, outcome."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from meshkit.errors import MeshError, Reason
from meshkit.logging import get_logger
from tool_executor.outcomes import (
    Failure,
    NotJson,
    Outcome,
    OutputTooLarge,
    refusal,
    shown_json,
)
from tool_executor.policy import Refused, Verified, accept_proof, decide
from tool_executor.running import Slots, ToolRaised, ToolTimedOut, run_body
from tool_executor.runs import Runs
from tool_executor.verified import VerifiedRecords
from toolkit import (
    ArgumentsInvalid,
    Effect,
    Registry,
    Tool,
    ToolContext,
    ToolNotFound,
    ToolResult,
    check_arguments,
    parse_arguments,
)

logger = get_logger("tool_executor.execution")

MAX_SESSIONS_COUNTED = 10_000

_APOLOGY = "I am sorry, something went wrong on our side while I looked into that."
_NO_ANSWER = "I am sorry, that is taking longer than it should, and I have no answer yet."


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for. Names are ids: `get_account_summary`, `concierge`."""

    tool: str
    session: str
    """`sessions/{session}`."""
    agent: str
    request_id: str
    arguments_json: str


class Execution:
    """Runs the registry's tools, each request_id once."""

    def __init__(
        self,
        registry: Registry,
        records: VerifiedRecords,
        *,
        max_runs: int,
        kept_outcomes: int,
    ) -> None:
        self._registry, self._records = registry, records
        self._slots = Slots(max_runs)
        self._runs = Runs(kept_outcomes)
        self._attempts = Attempts()
        self._draining = False

    async def execute(self, request: Request) -> Outcome:
        """The outcome of the run. Raises MeshError if it did not take place.

        Cancelling this stops waiting, not the tool.
        """
        content = (request.tool, request.session, request.arguments_json)
        return await self._runs.once(request.request_id, *content, start=lambda: self._run(request))

    @property
    def running(self) -> int:
        """How many bodies run now, those that nobody waits for any more included."""
        return self._slots.taken

    async def refuse_new(self) -> None:
        """Begin to drain: what runs goes on, nothing new begins."""
        self._draining = True

    async def finish(self, seconds: float) -> None:
        """Wait for what runs, at most so long."""
        await self._runs.drain(seconds)

    async def _run(self, request: Request) -> Outcome:
        if self._draining:
            raise MeshError(Reason.POD_DRAINING, "this pod takes no new runs")
        try:
            tool = self._registry.get(request.tool)
            arguments = parse_arguments(request.arguments_json)
        except ToolNotFound:
            return refusal("TOOL_NOT_FOUND", _not_found(request.tool))
        except ArgumentsInvalid as error:
            return refusal("ARGUMENTS_INVALID", str(error), retryable=True)
        verified = await self._records.read(request.session)
        decision = decide(
            tool,
            arguments,
            agent=request.agent,
            verified=verified,
            failed_attempts=self._attempts.failed(request.session, tool),
        )
        if isinstance(decision, Refused):
            return Outcome(failure=decision.failure)
        return await self._run_allowed(tool, request, decision.arguments, verified)

    async def _run_allowed(
        self, tool: Tool, request: Request, arguments: Mapping[str, Any], verified: Verified
    ) -> Outcome:
        try:
            given = check_arguments(tool, arguments)
        except ArgumentsInvalid as error:
            return refusal("ARGUMENTS_INVALID", str(error), retryable=True)
        context = ToolContext(
            session=request.session,
            agent=f"agents/{request.agent}",
            request_id=request.request_id,
            client_id=verified.client_id,
        )
        self._slots.take(tool)
        self._attempts.begun(request.session, tool)
        time = asyncio.get_running_loop().time
        began = time()
        answer = await self._answer(tool, given, context)
        seconds = time() - began
        if isinstance(answer, Failure):
            return Outcome(failure=answer, seconds=seconds)
        return await self._concluded(tool, request, answer, verified, seconds)

    async def _answer(self, tool: Tool, given: Any, context: ToolContext) -> ToolResult | Failure:
        again = tool.effect is not Effect.EFFECTFUL
        try:
            return await run_body(tool, given, context, self._slots)
        except ToolTimedOut:
            unknown = (
                "" if again else " I do not know whether it was done, so I will not repeat it."
            )
            return Failure("TIMED_OUT", _NO_ANSWER + unknown, retryable=again)
        except ToolRaised:
            return Failure("TOOL_RAISED", _APOLOGY, retryable=again)

    async def _concluded(
        self, tool: Tool, request: Request, result: ToolResult, verified: Verified, seconds: float
    ) -> Outcome:
        """Write down what was proved, then give what the model may see."""
        if result.success:
            self._attempts.succeeded(request.session, tool)
            failure = await self._prove(tool, request, result, verified)
            if failure:
                return Outcome(failure=failure, seconds=seconds)
        try:
            return Outcome(result_json=shown_json(result, tool.policy), seconds=seconds)
        except OutputTooLarge:
            too_much = f"{tool.name} found more than I can take in. Ask for less at once."
            return Outcome(failure=Failure("OUTPUT_TOO_LARGE", too_much), seconds=seconds)
        except NotJson:
            logger.error("tool returned what is not JSON", extra={"tool": tool.name})
            return Outcome(failure=Failure("TOOL_RAISED", _APOLOGY), seconds=seconds)

    async def _prove(
        self, tool: Tool, request: Request, result: ToolResult, verified: Verified
    ) -> Failure | None:
        proof, level = result.proof, tool.policy.proves
        if bool(proof) != bool(level):
            logger.error("tool proved what it does not declare", extra={"tool": tool.name})
            return Failure("TOOL_RAISED", _APOLOGY)
        if proof is None:
            return None
        refused = accept_proof(proof, verified)
        return refused or await self._records.add(request.session, level, request.request_id, proof)


class Attempts:
    """Unsuccessful runs of the tools that limit them, by session, on this pod.

    A run counts as unsuccessful from its start, so that several at once count too. The oldest of
    10,000 sessions is forgotten.
    """

    def __init__(self, most: int = MAX_SESSIONS_COUNTED) -> None:
        self._most = most
        self._failed: OrderedDict[tuple[str, str], int] = OrderedDict()

    def failed(self, session: str, tool: Tool) -> int:
        """How many, so far."""
        return self._failed.get((session, tool.name), 0)

    def begun(self, session: str, tool: Tool) -> None:
        """A run begins."""
        if tool.policy.attempts is None:
            return
        key = (session, tool.name)
        self._failed[key] = self._failed.get(key, 0) + 1
        self._failed.move_to_end(key)
        if len(self._failed) > self._most:
            self._failed.popitem(last=False)

    def succeeded(self, session: str, tool: Tool) -> None:
        """A run was successful; those before it count no more."""
        self._failed.pop((session, tool.name), None)


def _not_found(name: str) -> str:
    return f"There is no tool {name}. Use only the tools you were given."
