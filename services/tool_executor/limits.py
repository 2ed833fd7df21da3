"""The limits of a tool as counters of the session-store: counted before it acts, kept if it may have.

A run is taken out of the counts only where it is certain that it did nothing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import BaseModel

from meshkit.errors import MeshError, Reason
from meshkit.fleet import Fleet
from meshkit.rpc import Retry
from tool_executor.outcomes import Failure, Outcome
from tool_executor.policy import Verified
from toolkit import Effect, Policy, Tool
from toolkit.limits import NotCountable, units_of
from voicemesh.session.v1 import policy_counter_pb2 as pb
from voicemesh.session.v1.policy_counter_pb2_grpc import PolicyCounterServiceStub

LIMIT_REACHED = "LIMIT_REACHED"
PER_RUN = (
    "I am sorry, that is more than I may do at once. I can connect you to a colleague who may."
)
PER_CALL = "I am sorry, I may not do more of that on this call. I can connect you to a colleague."
PER_DAY = (
    "I am sorry, the most that I may do of that in one day is reached. I can connect you to a"
    " colleague."
)
_WINDOWS = (("per_call", "CALL"), ("per_day", "DAY"))
_UNDONE = frozenset({"CANCELLED"})
"""Failures of a body that say nothing was done."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What a run adds to a counter, and the most that the counter may be."""

    counter: str
    window: str
    """`CALL` or `DAY`."""
    amount: int
    most: int


class Counters(Protocol):
    """Where runs are counted. Both raise MeshError."""

    async def reserve(
        self, request_id: str, subject: str, demands: Sequence[Demand]
    ) -> Demand | None:
        """Count a run, once for its request_id; the demand that is refused, if one is."""
        ...

    async def give_back(self, request_id: str, subject: str) -> None:
        """Take a run out of the counts."""
        ...


class StoredCounters:
    """Those of the session-store; one request takes `seconds` at most."""

    def __init__(self, store: Fleet, *, seconds: float) -> None:
        self._store, self._seconds = store, seconds

    async def reserve(
        self, request_id: str, subject: str, demands: Sequence[Demand]
    ) -> Demand | None:
        """See Counters."""
        request = pb.ReservePolicyCountersRequest(
            request_id=request_id, subject=subject, counters=[_told(demand) for demand in demands]
        )
        answer = await self._ask("ReservePolicyCounters", request)
        if answer.granted:
            return None
        window = pb.PolicyCounter.Window.Name(answer.refused_window).removeprefix("WINDOW_")
        refused = (answer.refused_counter, window)
        return next((d for d in demands if (d.counter, d.window) == refused), demands[0])

    async def give_back(self, request_id: str, subject: str) -> None:
        """See Counters."""
        request = pb.GiveBackPolicyCountersRequest(request_id=request_id, subject=subject)
        await self._ask("GiveBackPolicyCounters", request)

    async def _ask(self, method: str, request: Any) -> Any:
        # Retrying is safe: a request_id is counted, and given back, once.
        return await self._store.unary(
            PolicyCounterServiceStub, method, request, timeout=self._seconds, retry=Retry()
        )


def demands_of(tool: Tool, given: Any) -> list[Demand] | Failure:
    """What a run of the tool on checked arguments would count; a Failure if it is too much alone."""
    demands: dict[tuple[str, str], Demand] = {}
    for limit in tool.policy.limits:
        try:
            units = units_of(limit, argument(given, limit.argument))
        except NotCountable as error:
            return Failure("ARGUMENTS_INVALID", f"{error}. Mend it and call again.", retryable=True)
        bounds = {name: limit.units(most) for name, most in limit.bounds().items() if most}
        if any(units > most for most in bounds.values()):
            return Failure(LIMIT_REACHED, PER_RUN)
        # A counter holds units of its own fineness; two limits of one argument share it.
        counter = f"{tool.name}/{limit.argument or 'runs'}/{limit.decimals}"
        for name, window in _WINDOWS:
            if name in bounds:
                demand = Demand(counter, window, units, bounds[name])
                before = demands.get((counter, window), demand)
                demands[counter, window] = min(demand, before, key=lambda one: one.most)
    return list(demands.values())


def reached(demand: Demand) -> Failure:
    """What is said of a limit that a run would pass."""
    return Failure(LIMIT_REACHED, PER_DAY if demand.window == "DAY" else PER_CALL)


def subject_of(policy: Policy, verified: Verified, session: str) -> str:
    """Who is counted: the verified client where the tool requires one, otherwise the session."""
    return verified.client_id if policy.requires and verified.client_id else session


def argument(given: Any, name: str) -> Any:
    """An argument of a model or of a dict; None if it is not there."""
    return getattr(given, name, None) if isinstance(given, BaseModel) else given.get(name)


def did_nothing(tool: Tool, outcome: Outcome) -> bool:
    """Whether it is certain that the run had no effect, so that it need not count."""
    if outcome.failure is not None:
        return outcome.failure.reason in _UNDONE and outcome.failure.retryable
    # A server's refusal may be a connection that broke while it acted.
    if tool.effect is Effect.READ_ONLY or "mcp" in tool.tags:
        return False
    return json.loads(outcome.result_json).get("success") is False


def _told(demand: Demand) -> pb.PolicyCounter:
    window = pb.PolicyCounter.WINDOW_DAY if demand.window == "DAY" else pb.PolicyCounter.WINDOW_CALL
    return pb.PolicyCounter(
        counter=demand.counter,
        window=window,
        amount=demand.amount,
        most=demand.most,
    )


class NoCounters:
    """Nothing can be counted, so what is limited does not run."""

    async def reserve(
        self, request_id: str, subject: str, demands: Sequence[Demand]
    ) -> Demand | None:
        """Raises STORE_UNAVAILABLE."""
        raise _away()

    async def give_back(self, request_id: str, subject: str) -> None:
        """Raises STORE_UNAVAILABLE."""
        raise _away()


def _away() -> MeshError:
    return MeshError(Reason.STORE_UNAVAILABLE, "no session-store", retry_after_seconds=1.0)
