"""A body that is asked to stop: only where its tool declares it safe, and told as it came out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.claims_at_hand import ClaimsAtHand, KnownAtHand
from tool_executor import running
from tool_executor.audit import NoAudit
from tool_executor.execution import Execution
from tool_executor.outcomes import Failure, Outcome
from tool_executor.policy import NOTHING, Verified
from tool_executor.requests import Request
from toolkit import Effect, Proof, Registry, ToolContext, ToolkitError

REQUEST = Request("it", "sessions/a", "t1", "concierge", "sessions/a/t1/0/0", "{}")


class NoRecords:
    async def read(self, session: str) -> Verified:
        return NOTHING

    async def add(self, session: str, level: str, request_id: str, proof: Proof) -> Failure | None:
        raise AssertionError("nothing is proved here")


class Body:
    """A coroutine that waits to be stopped, and then does what the test says."""

    def __init__(self, at_stop: Callable[[], Any] | None = None) -> None:
        self.begun, self.go = asyncio.Event(), asyncio.Event()
        self.at_stop = at_stop
        self.ended = 0

    async def run(self, args: dict[str, Any]) -> dict[str, Any]:
        self.begun.set()
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            if self.at_stop is None:
                raise
            await self.at_stop()
        finally:
            self.ended += 1
        return {"message": "done"}


def executing(body: Callable[..., Any], **declared: Any) -> Execution:
    registry = Registry()
    registry.register("it", {}, body, **declared)
    records, claims = NoRecords(), ClaimsAtHand()
    return Execution(
        registry,
        records,
        NoAudit(),
        claims,
        known=KnownAtHand(records, claims),
        max_runs=2,
        kept_outcomes=2,
    )


async def stopped(execution: Execution, body: Body) -> Outcome:
    task = asyncio.create_task(execution.execute(REQUEST))
    await body.begun.wait()
    execution.cancel(REQUEST.request_id)
    return await task


@pytest.mark.parametrize("effect", list(Effect))
async def test_a_cancellable_tool_stops_and_says_that_nothing_was_done(effect: Effect) -> None:
    body = Body()
    outcome = await stopped(executing(body.run, effect=effect, cancellable=True), body)
    assert outcome.failure is not None
    assert outcome.failure.reason == "CANCELLED"
    assert outcome.failure.retryable
    assert body.ended == 1


@pytest.mark.parametrize("effect", list(Effect))
async def test_what_does_not_declare_it_goes_on(effect: Effect) -> None:
    body = Body()
    execution = executing(body.run, effect=effect)
    task = asyncio.create_task(execution.execute(REQUEST))
    await body.begun.wait()
    execution.cancel(REQUEST.request_id)
    body.go.set()
    assert (await task).failure is None


async def test_a_body_that_comes_to_a_result_all_the_same_has_it() -> None:
    async def finish() -> None:
        return None

    body = Body(at_stop=finish)
    outcome = await stopped(executing(body.run, cancellable=True), body)
    assert outcome.failure is None


async def test_a_body_that_will_not_stop_may_have_acted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "STOP_SECONDS", 0.02)
    held = asyncio.Event()

    async def hold() -> None:
        await held.wait()

    body = Body(at_stop=hold)
    execution = executing(body.run, effect=Effect.EFFECTFUL, cancellable=True)
    outcome = await stopped(execution, body)
    assert outcome.failure is not None
    assert outcome.failure.reason == "OUTCOME_UNKNOWN"
    assert not outcome.failure.retryable
    assert execution.running == 1, "it keeps its slot"
    held.set()


async def test_stopping_a_run_that_is_over_or_unknown_does_nothing() -> None:
    body = Body()
    body.go.set()
    execution = executing(body.run, cancellable=True)
    execution.cancel(REQUEST.request_id)
    outcome = await execution.execute(REQUEST)
    execution.cancel(REQUEST.request_id)
    assert await execution.execute(REQUEST) == outcome
    assert outcome.failure is None


def test_a_function_in_a_thread_cannot_declare_it() -> None:
    def body(args: dict[str, Any]) -> None:
        return None

    with pytest.raises(ToolkitError, match="thread cannot be stopped"):
        Registry().register("it", {}, body, cancellable=True)


@pytest.mark.parametrize("in_thread", [False, True])
async def test_a_long_tool_tells_its_progress_bounded(*, in_thread: bool) -> None:
    told: list[tuple[str, int]] = []

    def tell(args: dict[str, Any], context: ToolContext) -> dict[str, Any]:
        context.progress("One of two.", 50)
        context.progress("x" * 1000, 250)
        return {"message": "done"}

    async def tell_async(args: dict[str, Any], context: ToolContext) -> dict[str, Any]:
        return tell(args, context)

    execution = executing(tell if in_thread else tell_async, long_running=True)
    await execution.execute(REQUEST, lambda message, percent: told.append((message, percent)))
    assert told == [("One of two.", 50), ("x" * 300, 100)]


async def test_what_is_not_declared_long_is_not_heard() -> None:
    told: list[str] = []

    async def tell(args: dict[str, Any], context: ToolContext) -> None:
        context.progress("One of two.")

    await executing(tell).execute(REQUEST, lambda message, _: told.append(message))
    assert told == []


def test_a_tool_run_by_hand_may_tell_progress_too() -> None:
    ToolContext().progress("Nobody hears this.", 10)
