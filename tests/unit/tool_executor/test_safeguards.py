"""Where the policy cannot be checked nothing acts; a yes that came too late is none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from meshkit.errors import MeshError, Reason
from tests.support.claims_at_hand import ClaimsAtHand, KnownAtHand
from tool_executor.audit import NoAudit
from tool_executor.confirmation import CONFIRMATION_NEEDED, NoJournal, Question, agreed_to
from tool_executor.execution import Execution
from tool_executor.limits import Demand, NoCounters
from tool_executor.outcomes import Failure
from tool_executor.policy import Verified
from tool_executor.requests import Request
from tool_executor.safeguards import Safeguards
from toolkit import Limit, Policy, Proof, Registry
from voicemesh.session.v1.journal_event_pb2 import JournalEvent

QUESTION = Question(CONFIRMATION_NEEDED, "Shall I?", heard="Shall I?")


class Records:
    """Alice is verified."""

    async def read(self, session: str) -> Verified:
        return Verified("alice", frozenset({"identity"}))

    async def add(self, session: str, level: str, request_id: str, proof: Proof) -> Failure | None:
        return None


class AwayJournal:
    """The session-store cannot be reached."""

    async def events(self, session: str) -> Sequence[JournalEvent]:
        raise MeshError(Reason.STORE_UNAVAILABLE, "down", retry_after_seconds=1.0)


class BrokenReturns(NoCounters):
    """Counts, but cannot take anything out again."""

    async def reserve(
        self, request_id: str, subject: str, demands: Sequence[Demand]
    ) -> Demand | None:
        return None


@pytest.mark.parametrize(
    ("policy", "safeguards"),
    [
        (Policy(limits=(Limit(per_call=1),)), Safeguards(NoJournal(), NoCounters(), Records())),
        (Policy(confirm="Act now."), Safeguards(AwayJournal(), NoCounters(), Records())),
        (Policy(limits=(Limit(per_call=1),)), None),
    ],
)
async def test_without_the_store_an_act_is_refused_in_words(
    policy: Policy, safeguards: Safeguards | None
) -> None:
    done: list[Any] = []
    execution = executing(done.append, policy, safeguards)
    outcome = await execution.execute(request())
    assert outcome.failure is not None
    assert outcome.failure.reason == "POLICY_UNCHECKED"
    assert "I have not done it" in outcome.failure.message
    assert done == []
    assert execution.running == 0


async def test_what_cannot_be_given_back_changes_no_outcome() -> None:
    safeguards = Safeguards(NoJournal(), BrokenReturns(), Records())
    policy = Policy(limits=(Limit(per_call=1),))
    execution = executing(lambda _: {"success": False, "message": "No."}, policy, safeguards)
    assert (await execution.execute(request())).result_json


@pytest.mark.parametrize(("seconds", "agreed"), [(120, "sessions/a/t1/0/0"), (121, "")])
def test_a_yes_counts_for_two_minutes(seconds: int, agreed: str) -> None:
    events = asked_and_answered()
    events[-1].create_time.seconds = seconds
    assert agreed_to(events, "sessions/a/t2/0/0", QUESTION, lambda _: True) == agreed


def test_a_question_by_the_very_run_is_none() -> None:
    assert not agreed_to(asked_and_answered(), "sessions/a/t1/0/0", QUESTION, lambda _: True)


def test_an_empty_journal_confirms_nothing() -> None:
    assert not agreed_to([], "sessions/a/t2/0/0", QUESTION, lambda _: True)


def executing(body: Any, policy: Policy, safeguards: Safeguards | None) -> Execution:
    registry = Registry()
    registry.register("act", {}, lambda args: body(args) or {}, policy=policy)
    claims, records = ClaimsAtHand(), Records()
    return Execution(
        registry,
        records,
        NoAudit(),
        claims,
        known=KnownAtHand(records, claims),
        safeguards=safeguards,
        max_runs=2,
        kept_outcomes=2,
    )


def request() -> Request:
    return Request("act", "sessions/a", "t1", "concierge", "sessions/a/t1/0/0", "{}")


def asked_and_answered() -> list[JournalEvent]:
    """A question, heard, and a yes, all at second 0."""
    events = [JournalEvent() for _ in range(5)]
    call = events[0].round.tool_calls.add()
    call.request_id = events[1].tool.request_id = "sessions/a/t1/0/0"
    failure = events[1].tool.outcome.failure
    failure.reason, failure.message = QUESTION.reason, QUESTION.message
    events[2].segment.segment, events[2].segment.text = "t1/s0", "Shall I?"
    events[3].heard.segment, events[3].heard.heard_text_length = "t1/s0", 8
    events[4].utterance.transcript = "Yes."
    return events
