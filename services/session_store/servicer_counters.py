"""PolicyCounterService over the wire: checks a request, runs the operation, answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from meshkit.errors import invalid
from meshkit.names import parse_tool_request_id
from session_store.budgets import budget
from session_store.changes import checked_id
from session_store.policy_counters import Counter, PolicyCounters
from session_store.settings import SessionStoreSettings
from voicemesh.session.v1 import policy_counter_pb2 as pb
from voicemesh.session.v1.policy_counter_pb2_grpc import PolicyCounterServiceServicer

if TYPE_CHECKING:
    import grpc

    Context = grpc.aio.ServicerContext[Any, Any]

MAX_COUNTERS = 16
MOST = 10**15
"""What a script still counts exactly."""
_WINDOWS = {pb.PolicyCounter.WINDOW_CALL: "CALL", pb.PolicyCounter.WINDOW_DAY: "DAY"}


class PolicyCounterServicer(PolicyCounterServiceServicer):
    """Limits on what tools do. For the tool-executor; see SessionServicer on who is let in."""

    def __init__(self, counters: PolicyCounters, settings: SessionStoreSettings) -> None:
        self._counters, self._settings = counters, settings

    async def ReservePolicyCounters(
        self, request: pb.ReservePolicyCountersRequest, context: Context
    ) -> pb.ReservePolicyCountersResponse:
        """Count a run, all of its counters or none; on disk before it answers."""
        parse_tool_request_id(request.request_id)
        subject = checked_id(request.subject, "subject")
        passed = await self._counters.reserve(
            request.request_id, subject, _counters(request.counters), self._budget(context)
        )
        if passed is None:
            return pb.ReservePolicyCountersResponse(granted=True)
        return pb.ReservePolicyCountersResponse(
            refused_counter=passed.name,
            refused_window=f"WINDOW_{passed.window}",
            counted=passed.counted,
        )

    async def GiveBackPolicyCounters(
        self, request: pb.GiveBackPolicyCountersRequest, context: Context
    ) -> pb.GiveBackPolicyCountersResponse:
        """Take a run out of the counts."""
        parse_tool_request_id(request.request_id)
        subject = checked_id(request.subject, "subject")
        await self._counters.give_back(request.request_id, subject, self._budget(context))
        return pb.GiveBackPolicyCountersResponse()

    def _budget(self, context: Context) -> float:
        return budget(context, self._settings.store_seconds)


def _counters(given: Sequence[pb.PolicyCounter]) -> list[Counter]:
    if not 0 < len(given) <= MAX_COUNTERS:
        raise invalid("counters", f"must be 1 to {MAX_COUNTERS}")
    counters = [_counter(counter, f"counters[{index}]") for index, counter in enumerate(given)]
    if len({(counter.name, counter.window) for counter in counters}) < len(counters):
        raise invalid("counters", "name a counter and window twice")
    if len({(counter.name, counter.amount) for counter in counters}) > len(
        {counter.name for counter in counters}
    ):
        raise invalid("counters", "add different amounts to one counter")
    return counters


def _counter(given: pb.PolicyCounter, where: str) -> Counter:
    name = checked_id(given.counter, f"{where}.counter")
    if given.window not in _WINDOWS:
        raise invalid(f"{where}.window", "must be WINDOW_CALL or WINDOW_DAY")
    if not 0 < given.amount <= MOST:
        raise invalid(f"{where}.amount", f"must be 1 to {MOST}")
    if not 0 < given.most <= MOST:
        raise invalid(f"{where}.most", f"must be 1 to {MOST}")
    return Counter(name, _WINDOWS[given.window], given.amount, given.most)
