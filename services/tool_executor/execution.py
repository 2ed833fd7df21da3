"""One run of a tool, in order: parse, verified record, policy, claim, body, proof, outcome."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Mapping
from typing import Any

from meshkit import metrics
from meshkit.errors import MeshError, Reason
from meshkit.logging import get_logger
from meshkit.telemetry import failed, link, span, traceparent
from tool_executor.attempts import Attempts, CountedHere
from tool_executor.audit import Audit
from tool_executor.claims import OUTCOME_UNKNOWN, UNKNOWN, Claims, Held, is_claimed, run_of
from tool_executor.known import Known
from tool_executor.ledger import Ledger
from tool_executor.limits import Demand
from tool_executor.outcomes import (
    Failure,
    NotJson,
    Outcome,
    OutputTooLarge,
    refusal,
    shown_json,
)
from tool_executor.policy import (
    CONSENT_NEEDED,
    DEFAULT_LIMITS,
    NOTHING,
    TOO_MANY_ATTEMPTS,
    Limits,
    Refused,
    Verified,
    accept_proof,
    decide,
)
from tool_executor.requests import Request
from tool_executor.running import Slots, ToolRaised, ToolStopped, ToolTimedOut, run_body
from tool_executor.runs import Runs
from tool_executor.safeguards import Safeguards, without_store
from tool_executor.steering import Listener, Steering
from tool_executor.verified import VerifiedRecords
from toolkit import (
    ArgumentsInvalid,
    Effect,
    OutcomeUnknown,
    Registry,
    Tool,
    ToolContext,
    ToolNotFound,
    ToolResult,
    check_arguments,
    parse_arguments,
)

logger = get_logger("tool_executor.execution")

_APOLOGY = "I am sorry, something went wrong on our side while I looked into that."
_STOPPED = (
    "This was stopped before it was finished, because the caller interrupted or hung up. Nothing was"
    " done."
)
_NO_ANSWER = "I am sorry, that is taking longer than it should, and I have no answer yet."


class Execution:
    """Runs the registry's tools, each request_id once."""

    def __init__(
        self,
        registry: Registry,
        records: VerifiedRecords,
        audit: Audit,
        claims: Claims,
        *,
        known: Known,
        attempts: Attempts | None = None,
        safeguards: Safeguards | None = None,
        limits: Limits = DEFAULT_LIMITS,
        max_runs: int,
        kept_outcomes: int,
    ) -> None:
        self._registry, self._records = registry, records
        self._audit, self._claims, self._limits = audit, claims, limits
        self._attempts = attempts or CountedHere()
        self._safeguards = safeguards or without_store(records)
        self._before = known
        self._slots = Slots(max_runs)
        self._runs = Runs(kept_outcomes)
        self._ledger = Ledger()
        self._steering = Steering()
        self._draining = False

    def limit(self, **limits: int) -> None:
        """Hold runs to other limits from now on, by the names of Limits."""
        self._limits = dataclasses.replace(self._limits, **limits)

    async def execute(self, request: Request, listener: Listener | None = None) -> Outcome:
        """The outcome of the run. Raises MeshError if it did not take place.

        Cancelling this stops waiting, not the tool. `listener` hears of a long tool's progress.
        """
        content = (request.tool, request.session, request.arguments_json)
        ours = False

        def start() -> Awaitable[Outcome]:
            nonlocal ours
            ours = True
            return self._run(request)

        run = self._runs.once(request.request_id, *content, start=start)
        if listener is None:
            outcome = await run
        else:
            with self._steering.listening(request.request_id, listener):
                outcome = await run
        if outcome.earlier or not ours:
            link(outcome.traceparent)
        return outcome

    def cancel(self, request_id: str) -> None:
        """Stop a run, if it is under way here and its tool declares that safe."""
        self._steering.stop(request_id)

    @property
    def running(self) -> int:
        """How many bodies run now, those that nobody waits for any more included."""
        return self._slots.taken

    async def refuse_new(self) -> None:
        """Begin to drain: what runs goes on, nothing new begins."""
        self._draining = True

    async def finish(self, seconds: float) -> None:
        """Wait for what runs and for what came out of it to be stored, at most so long."""
        time = asyncio.get_running_loop().time
        until = time() + seconds
        await self._runs.drain(seconds)
        await self._claims.finish(max(0.0, until - time()))

    async def _run(self, request: Request) -> Outcome:
        if self._draining:
            raise MeshError(Reason.POD_DRAINING, "this pod takes no new runs")
        with self._steering.steered(request.request_id):
            client_id, outcome = await self._come_out(request)
        self._audit.decided(request, client_id, outcome)
        return outcome

    async def _come_out(self, request: Request) -> tuple[str, Outcome]:
        """Whose data the run may touch, and its outcome."""
        try:
            tool = self._registry.get(request.tool)
            arguments = parse_arguments(request.arguments_json)
        except ToolNotFound:
            return "", refusal("TOOL_NOT_FOUND", _not_found(request.tool))
        except ArgumentsInvalid as error:
            return "", refusal("ARGUMENTS_INVALID", str(error), retryable=True)
        verified, earlier = await self._known(tool, request)
        outcome = earlier or await self._decided(tool, request, arguments, verified)
        return verified.client_id, outcome

    async def _known(self, tool: Tool, request: Request) -> tuple[Verified, Outcome | None]:
        """What the caller has proved; and how the run came out before, on whichever pod: decided
        once, it is not decided again."""
        if not is_claimed(tool):
            return await self._verified(tool, request), None
        return await self._before.before(request.session, run_of(tool, request))

    async def _verified(self, tool: Tool, request: Request) -> Verified:
        """What the policy reads. Without the store, only what reads and asks for nothing may run."""
        try:
            return await self._records.read(request.session)
        except MeshError as error:
            policy = tool.policy
            open_to_all = not (policy.requires or policy.proves or policy.client_argument)
            harmless = tool.effect is Effect.READ_ONLY and open_to_all
            if harmless and error.is_reason(Reason.STORE_UNAVAILABLE):
                return NOTHING
            raise

    async def _decided(
        self, tool: Tool, request: Request, arguments: Mapping[str, Any], verified: Verified
    ) -> Outcome:
        counted = (request.session, request.turn, tool.name, arguments)
        decision = decide(
            tool,
            arguments,
            agent=request.agent,
            verified=verified,
            counts=self._ledger.counts(*counted).at_least(request.earlier),
            limits=self._limits,
        )
        if isinstance(decision, Refused):
            if decision.failure.reason == CONSENT_NEEDED:
                return await self._asked_for_consent(tool, request, arguments, verified)
            return Outcome(failure=decision.failure)
        try:
            given = check_arguments(tool, decision.arguments)
        except ArgumentsInvalid as error:
            return refusal("ARGUMENTS_INVALID", str(error), retryable=True)
        demands = await self._safeguards.demands(tool, request, given, verified)
        if not isinstance(demands, Failure):
            self._slots.take(tool)
        self._ledger.begun(*counted)
        if isinstance(demands, Failure):
            return Outcome(failure=demands)
        return await self._with_leave(tool, request, given, verified, demands)

    async def _asked_for_consent(
        self, tool: Tool, request: Request, arguments: Mapping[str, Any], verified: Verified
    ) -> Outcome:
        """How the run comes out once the caller has consented; the question until then."""
        consented = await self._safeguards.consented(tool, request, verified)
        if isinstance(consented, Failure):
            return Outcome(failure=consented)
        return await self._decided(tool, request, arguments, consented)

    async def _with_leave(
        self, tool: Tool, request: Request, given: Any, verified: Verified, demands: list[Demand]
    ) -> Outcome:
        """The body, where the store allows it; the slot is taken, and given back if it does not run."""
        try:
            leave = await self._leave(tool, request)
        except BaseException:
            self._slots.give_back(tool)
            raise
        if isinstance(leave, Outcome):
            self._slots.give_back(tool)
            return leave
        if leave is None:
            return await self._counted(tool, request, given, verified, demands)
        async with self._claims.renewed(leave):
            outcome = await self._counted(tool, request, given, verified, demands)
            return await self._claims.complete(leave, outcome)

    async def _counted(
        self, tool: Tool, request: Request, given: Any, verified: Verified, demands: list[Demand]
    ) -> Outcome:
        """The body within the tool's limits; the slot is given back if it does not run."""
        try:
            refused = await self._safeguards.reserve(tool, request, verified, demands)
        except BaseException:
            self._slots.give_back(tool)
            raise
        if refused:
            self._slots.give_back(tool)
            return Outcome(failure=refused)
        outcome = await self._body(tool, request, given, verified)
        await self._safeguards.settle(tool, request, verified, demands, outcome)
        return outcome

    async def _leave(self, tool: Tool, request: Request) -> Held | Outcome | None:
        """Leave to run, a claim with it if the tool needs one; or how it comes out without a run."""
        if not await self._attempts.begin(tool, request):
            return refusal("POLICY_REFUSED", TOO_MANY_ATTEMPTS)
        return await self._claims.claim(run_of(tool, request)) if is_claimed(tool) else None

    async def _body(self, tool: Tool, request: Request, given: Any, verified: Verified) -> Outcome:
        context = ToolContext(
            session=request.session,
            agent=f"agents/{request.agent}",
            request_id=request.request_id,
            client_id=verified.client_id,
        )
        if report := self._steering.report_of(tool, request.request_id):
            context = dataclasses.replace(context, report=report)
        time = asyncio.get_running_loop().time
        began = time()
        with span(
            "execute_tool",
            of=tool.name,
            gen_ai__operation__name="execute_tool",
            gen_ai__tool__name=tool.name,
        ):
            told_by = traceparent()
            answer = await self._answer(tool, given, context)
            seconds = time() - began
            outcome = "failed" if isinstance(answer, Failure) else "ok"
            metrics.record("voicemesh_tool_seconds", seconds, tool=tool.name, outcome=outcome)
            if isinstance(answer, Failure):
                failed(answer.reason)
        if isinstance(answer, Failure):
            return Outcome(failure=answer, seconds=seconds, traceparent=told_by)
        concluded = await self._concluded(tool, request, answer, verified, seconds)
        return dataclasses.replace(concluded, traceparent=told_by) if told_by else concluded

    async def _answer(self, tool: Tool, given: Any, context: ToolContext) -> ToolResult | Failure:
        again = tool.effect is not Effect.EFFECTFUL
        try:
            stop = self._steering.stop_of(tool, context.request_id)
            return await run_body(tool, given, context, self._slots, stop)
        except ToolTimedOut:
            unknown = (
                "" if again else " I do not know whether it was done, so I will not repeat it."
            )
            return Failure("TIMED_OUT", _NO_ANSWER + unknown, retryable=again)
        except ToolStopped as stopped:
            if stopped.clean or again:
                return Failure("CANCELLED", _STOPPED, retryable=True)
            return Failure(OUTCOME_UNKNOWN, UNKNOWN)
        except OutcomeUnknown:
            if again:
                return Failure("TOOL_RAISED", _APOLOGY, retryable=True)
            return Failure(OUTCOME_UNKNOWN, UNKNOWN)
        except ToolRaised:
            return Failure("TOOL_RAISED", _APOLOGY, retryable=again)

    async def _concluded(
        self, tool: Tool, request: Request, result: ToolResult, verified: Verified, seconds: float
    ) -> Outcome:
        """Write down what was proved, then give what the model may see."""
        if result.success:
            self._ledger.succeeded(request.session, tool.name)
            await self._attempts.succeeded(tool, request)
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


def _not_found(name: str) -> str:
    return f"There is no tool {name}. Use only the tools you were given."
