"""What a turn gets from the tool-executors, whatever happens to them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from meshkit.endpoints import endpoint_source
from meshkit.errors import MeshError, Reason
from meshkit.fleet import Fleet
from orchestrator.history import ToolCall
from orchestrator.tools import TOOLS_UNAVAILABLE, TRIES, Caller, Tools, told_to_model
from tests.support.tool_double import SHIPPED, ToolDouble, tool_double
from voicemesh.tools.v1 import outcome_pb2
from voicemesh.tools.v1 import tool_executor_pb2 as pb

CALLER = Caller("sessions/a", "agents/front", 3)
CALL = ToolCall("sessions/a/t1/0/0", "call_1", "get_account_summary", '{"client_id": "x"}')
NOBODY = "127.0.0.1:9"


@asynccontextmanager
async def tools_at(
    *addresses: str, seconds: float = 5.0, heartbeat: float = 0.25
) -> AsyncIterator[Tools]:
    target = "static:" + ",".join(addresses)
    async with Fleet("tool-executor", endpoint_source(target)) as fleet:
        yield Tools(fleet, seconds=seconds, heartbeat=heartbeat)


@pytest.fixture
async def pod() -> AsyncIterator[ToolDouble]:
    async with tool_double() as double:
        yield double


@asynccontextmanager
async def pods(count: int) -> AsyncIterator[list[ToolDouble]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(tool_double()) for _ in range(count)]


async def forever(_: dict[str, Any]) -> dict[str, Any]:
    await asyncio.Event().wait()
    return {}


# ---------------------------------------------------------------------- what there is


async def test_all_pages_are_listed(pod: ToolDouble) -> None:
    pod.page_size = 3
    async with tools_at(pod.address) as tools:
        assert tools.names == frozenset()
        await tools.refresh()
        assert tools.names == frozenset(SHIPPED)


async def test_a_model_is_offered_the_tools_of_its_agent_in_its_order(pod: ToolDouble) -> None:
    async with tools_at(pod.address) as tools:
        await tools.refresh()
        offered = tools.offered(["search_knowledge_base", "not_there", "get_account_summary"])
    assert [tool["function"]["name"] for tool in offered] == [
        "search_knowledge_base",
        "get_account_summary",
    ]
    assert offered[0] == {
        "type": "function",
        "function": {
            "name": "search_knowledge_base",
            "description": "Does search_knowledge_base.",
            "parameters": {"type": "object", "properties": {}},
        },
    }


async def test_a_model_is_told_which_tools_act(pod: ToolDouble) -> None:
    acting = ("get_account_summary", "refund_fee")
    pod.effects, pod.confirmed = dict.fromkeys(acting, pb.TOOL_EFFECT_EFFECTFUL), {"refund_fee"}
    async with tools_at(pod.address) as tools:
        await tools.refresh()
        offered = tools.offered(["search_knowledge_base", *acting])
    markers = [tool["function"]["parameters"].get("x-effect") for tool in offered]
    assert markers == [None, "effectful", "confirmed"]


async def test_a_new_listing_takes_the_place_of_the_old(pod: ToolDouble) -> None:
    async with tools_at(pod.address) as tools:
        await tools.refresh()
        del pod.bodies["get_account_summary"]
        await tools.refresh()
        assert tools.names == frozenset(SHIPPED) - {"get_account_summary"}


async def test_a_listing_that_fails_keeps_what_was_known() -> None:
    async with AsyncExitStack() as running:
        pod = await running.enter_async_context(tool_double())
        async with tools_at(pod.address) as tools:
            await tools.refresh()
            await running.aclose()
            with pytest.raises(MeshError):
                await tools.refresh()
            assert tools.names == frozenset(SHIPPED)


async def test_a_listing_without_end_is_not_followed_for_ever(pod: ToolDouble) -> None:
    pod.page_size = 0
    async with tools_at(pod.address) as tools:
        await asyncio.wait_for(tools.refresh(), 10)
        assert tools.names == frozenset()


async def test_only_tools_that_say_so_may_be_given_up(pod: ToolDouble) -> None:
    pod.effects = {
        "get_account_summary": pb.TOOL_EFFECT_EFFECTFUL,
        "verify_client_identity": pb.TOOL_EFFECT_IDEMPOTENT,
    }
    async with tools_at(pod.address) as tools:
        assert not tools.only_reads("search_knowledge_base"), "not known yet"
        await tools.refresh()
        assert tools.only_reads("search_knowledge_base")
        assert not tools.only_reads("get_account_summary")
        assert not tools.only_reads("verify_client_identity")
        assert not tools.only_reads("not_there")


# ---------------------------------------------------------------------- what comes of a call


async def test_a_call_says_who_asks_and_under_which_epoch(pod: ToolDouble) -> None:
    async with tools_at(pod.address) as tools:
        outcome = await tools.run(CALL, CALLER)
    assert json.loads(outcome.result_json)["success"] is True
    (asked,) = pod.asked
    assert asked == pb.ExecuteToolRequest(
        name="tools/get_account_summary",
        session="sessions/a",
        arguments_json='{"client_id": "x"}',
        request_id="sessions/a/t1/0/0",
        agent="agents/front",
        owner_epoch=3,
    )


@pytest.mark.parametrize("reason", [Reason.POD_DRAINING, Reason.TOOL_CONCURRENCY_EXCEEDED])
async def test_a_pod_that_refuses_sends_the_call_to_another_under_the_same_id(
    reason: Reason,
) -> None:
    async with pods(2) as both:
        for double in both:  # whichever is asked first refuses
            double.refuse = [MeshError(reason, "not here", retry_after_seconds=0.001)]
        async with tools_at(*(double.address for double in both)) as tools:
            outcome = await tools.run(CALL, CALLER)
        assert outcome.WhichOneof("outcome") == "result_json"
        asked = [request for double in both for request in double.asked]
        assert [len(double.asked) for double in both] in ([1, 2], [2, 1])
        assert {request.request_id for request in asked} == {CALL.request_id}


async def test_a_pod_that_is_gone(pod: ToolDouble) -> None:
    async with tools_at(NOBODY, pod.address) as tools:
        for _ in range(4):  # both are picked first sooner or later, and the dead one but once
            outcome = await tools.run(CALL, CALLER)
            assert outcome.WhichOneof("outcome") == "result_json"
    assert len(pod.asked) == 4


async def test_a_pod_that_falls_silent_is_left_for_another() -> None:
    async with pods(1) as (pod,), silent_pod() as silent:
        async with tools_at(silent.address, pod.address, heartbeat=0.02) as tools:
            async with asyncio.timeout(10):
                while not silent.asked:
                    outcome = await tools.run(CALL, CALLER)
                    assert outcome.WhichOneof("outcome") == "result_json"
        assert silent.asked[0].request_id == pod.asked[-1].request_id


class Silent(ToolDouble):
    """Takes a request and says nothing any more, as a stopped process does."""

    async def ExecuteTool(self, request: pb.ExecuteToolRequest, context: Any) -> None:
        self.asked.append(request)
        await asyncio.Event().wait()


@asynccontextmanager
async def silent_pod() -> AsyncIterator[ToolDouble]:
    async with tool_double(double=Silent()) as double:
        yield double


async def test_no_pod_at_all_is_an_outcome_to_speak_about() -> None:
    async with tools_at(NOBODY) as tools:
        outcome = await tools.run(CALL, CALLER)
    assert outcome.failure.reason == TOOLS_UNAVAILABLE
    assert outcome.failure.retryable
    assert outcome.failure.message.endswith("Please try again in a moment.")


@pytest.mark.parametrize(
    ("effect", "reason", "retryable"),
    [
        (pb.TOOL_EFFECT_EFFECTFUL, "OUTCOME_UNKNOWN", False),
        (pb.TOOL_EFFECT_UNSPECIFIED, "OUTCOME_UNKNOWN", False),
        (pb.TOOL_EFFECT_IDEMPOTENT, TOOLS_UNAVAILABLE, True),
        (pb.TOOL_EFFECT_READ_ONLY, TOOLS_UNAVAILABLE, True),
    ],
)
async def test_the_only_pod_dies_while_the_tool_runs(
    effect: int, reason: str, retryable: bool
) -> None:
    async with AsyncExitStack() as running:
        pod = await running.enter_async_context(tool_double())
        pod.bodies["get_account_summary"] = forever
        pod.effects["get_account_summary"] = effect
        async with tools_at(pod.address) as tools:
            await tools.refresh()
            call = asyncio.create_task(tools.run(CALL, CALLER))
            await asyncio.wait_for(pod.until_asked(), 5)
            await running.aclose()
            outcome = await call
    assert (outcome.failure.reason, outcome.failure.retryable) == (reason, retryable)


async def test_a_refusal_elsewhere_does_not_undo_what_a_lost_pod_may_have_done() -> None:
    draining = MeshError(Reason.POD_DRAINING, "not here", retry_after_seconds=0.001)
    async with AsyncExitStack() as running, tool_double() as other:
        pod = await running.enter_async_context(tool_double())
        for double in (pod, other):
            double.bodies["get_account_summary"] = forever
            double.effects["get_account_summary"] = pb.TOOL_EFFECT_EFFECTFUL
        other.refuse = [draining] * TRIES
        async with tools_at(pod.address, other.address) as tools:
            await tools.refresh()
            call = asyncio.create_task(tools.run(CALL, CALLER))
            await asyncio.wait_for(pod.until_asked(), 5)
            await running.aclose()
            outcome = await call
    assert (outcome.failure.reason, outcome.failure.retryable) == ("OUTCOME_UNKNOWN", False)


async def test_a_tool_that_acts_may_be_tried_again_if_no_pod_can_be_reached() -> None:
    async with AsyncExitStack() as running:
        pod = await running.enter_async_context(tool_double())
        pod.effects["get_account_summary"] = pb.TOOL_EFFECT_EFFECTFUL
        async with tools_at(pod.address) as tools:
            await tools.refresh()
            await running.aclose()
            outcome = await tools.run(CALL, CALLER)
    assert (outcome.failure.reason, outcome.failure.retryable) == (TOOLS_UNAVAILABLE, True)


async def test_a_tool_that_acts_may_be_tried_again_if_all_pods_refused(pod: ToolDouble) -> None:
    pod.effects["get_account_summary"] = pb.TOOL_EFFECT_EFFECTFUL
    pod.refuse = [MeshError(Reason.POD_DRAINING, "no", retry_after_seconds=0.001)] * TRIES
    async with tools_at(pod.address) as tools:
        await tools.refresh()
        outcome = await tools.run(CALL, CALLER)
    assert (outcome.failure.reason, outcome.failure.retryable) == (TOOLS_UNAVAILABLE, True)
    assert len(pod.asked) == TRIES


async def test_a_pod_that_is_full_is_asked_a_few_times_only(pod: ToolDouble) -> None:
    full = MeshError(Reason.TOOL_CONCURRENCY_EXCEEDED, "full", retry_after_seconds=0.001)
    pod.refuse = [full] * 9
    async with tools_at(pod.address) as tools:
        outcome = await tools.run(CALL, CALLER)
    assert outcome.failure.reason == TOOLS_UNAVAILABLE
    assert len(pod.asked) == TRIES


async def test_a_call_that_is_wrong_is_not_tried_again(pod: ToolDouble) -> None:
    pod.refuse = [MeshError(Reason.ARGUMENT_INVALID, "no such tool")]
    async with tools_at(pod.address) as tools:
        outcome = await tools.run(CALL, CALLER)
    assert outcome.failure.reason == TOOLS_UNAVAILABLE
    assert len(pod.asked) == 1


async def test_a_tool_that_takes_too_long_may_have_been_done(pod: ToolDouble) -> None:
    pod.bodies["get_account_summary"] = forever
    async with tools_at(pod.address, seconds=0.1) as tools:
        outcome = await tools.run(CALL, CALLER)
    assert outcome.failure.reason == "TIMED_OUT"
    assert not outcome.failure.retryable, "it is not known whether it was done"


async def test_a_call_that_is_no_longer_ours_is_no_outcome(pod: ToolDouble) -> None:
    pod.refuse = [MeshError(Reason.CALL_OWNER_SUPERSEDED, "another owner")]
    async with tools_at(pod.address) as tools:
        with pytest.raises(MeshError) as error:
            await tools.run(CALL, CALLER)
    assert error.value.is_reason(Reason.CALL_OWNER_SUPERSEDED)
    assert len(pod.asked) == 1


async def test_giving_a_call_up_reaches_the_tool(pod: ToolDouble) -> None:
    began = asyncio.Event()

    async def body(_: dict[str, Any]) -> dict[str, Any]:
        began.set()
        return await forever({})

    pod.bodies["get_account_summary"] = body
    async with tools_at(pod.address) as tools:
        running = asyncio.create_task(tools.run(CALL, CALLER))
        await asyncio.wait_for(began.wait(), 5)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        async with asyncio.timeout(5):
            while not pod.cancelled:
                await asyncio.sleep(0)
    assert pod.cancelled == ["get_account_summary"]


# ---------------------------------------------------------------------- what is not known


@pytest.mark.parametrize(
    ("effect", "reason", "retryable"),
    [
        (pb.TOOL_EFFECT_EFFECTFUL, "OUTCOME_UNKNOWN", False),
        (pb.TOOL_EFFECT_IDEMPOTENT, TOOLS_UNAVAILABLE, True),
    ],
)
async def test_a_run_that_another_pod_still_has_is_asked_for_again_then_not_known(
    pod: ToolDouble, effect: int, reason: str, retryable: bool
) -> None:
    pod.effects["get_account_summary"] = effect
    running = MeshError(Reason.TOOL_STILL_RUNNING, "pod b runs it", retry_after_seconds=0.001)
    away = MeshError(Reason.STORE_UNAVAILABLE, "away", retry_after_seconds=0.001)
    pod.refuse = [running, *[away] * TRIES]
    async with tools_at(pod.address) as tools:
        await tools.refresh()
        outcome = await tools.run(CALL, CALLER)
    assert (outcome.failure.reason, outcome.failure.retryable) == (reason, retryable)
    assert {request.request_id for request in pod.asked} == {CALL.request_id}
    assert len(pod.asked) == TRIES


@pytest.mark.parametrize("reason", [Reason.STORE_UNAVAILABLE, Reason.STORE_NOT_DURABLE])
async def test_without_a_store_it_is_said_that_nothing_was_done(
    pod: ToolDouble, reason: Reason
) -> None:
    pod.effects["get_account_summary"] = pb.TOOL_EFFECT_EFFECTFUL
    pod.refuse = [MeshError(reason, "away", retry_after_seconds=0.001)] * TRIES
    async with tools_at(pod.address) as tools:
        await tools.refresh()
        outcome = await tools.run(CALL, CALLER)
    assert outcome.failure.reason == TOOLS_UNAVAILABLE
    assert "nothing was done" in outcome.failure.message
    assert outcome.failure.retryable


# ---------------------------------------------------------------------- long ones, and stopping


async def test_a_call_is_stopped_at_the_pod_that_runs_it() -> None:
    async with pods(2) as both:
        for double in both:
            double.cancellable = {"get_account_summary"}
            double.bodies["get_account_summary"] = forever
        async with tools_at(*(double.address for double in both)) as tools:
            await tools.refresh()
            tools.stop(CALL)
            running = asyncio.create_task(tools.run(CALL, CALLER))
            asked = [asyncio.create_task(double.until_asked()) for double in both]
            await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
            tools.stop(CALL)
            await tools.finished()
            for task in (running, *asked):
                task.cancel()
            await asyncio.gather(running, *asked, return_exceptions=True)
    assert [double.stopped.qsize() for double in both] == [len(double.asked) for double in both]


async def test_what_does_not_declare_it_is_not_stopped(pod: ToolDouble) -> None:
    async with tools_at(pod.address) as tools:
        await tools.refresh()
        pod.bodies["get_account_summary"] = forever
        running = asyncio.create_task(tools.run(CALL, CALLER))
        await pod.until_asked()
        tools.stop(CALL)
        await tools.finished()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert pod.stopped.empty()


async def test_progress_is_told_and_a_long_tool_has_its_own_time(pod: ToolDouble) -> None:
    told: list[str] = []

    async def tell(message: str) -> None:
        told.append(message)

    pod.long, pod.progress = {"get_account_summary"}, ["One.", "", "Two."]
    async with tools_at(pod.address, seconds=0.0001) as tools:
        await tools.refresh()
        outcome = await tools.run(CALL, CALLER, tell)
        assert (await tools.run(CALL, CALLER)).result_json, "nobody need listen"
    assert told == ["One.", "Two."]
    assert outcome.result_json, "in less time than that nothing comes back"


# ---------------------------------------------------------------------- what the model is told


def test_a_result_is_told_as_the_tool_wrote_it() -> None:
    outcome = outcome_pb2.ToolOutcome(result_json='{"success":true,"name":"Zoë"}')
    assert told_to_model(outcome) == '{"success":true,"name":"Zoë"}'


def test_a_failure_is_told_with_its_reason_and_whether_to_try_again() -> None:
    failure = outcome_pb2.ToolFailure(reason="FORBIDDEN", message="Vérifiez.", retryable=True)
    told = told_to_model(outcome_pb2.ToolOutcome(failure=failure))
    assert "Vérifiez." in told, "not escaped: the model reads it"
    assert json.loads(told) == {
        "success": False,
        "reason": "FORBIDDEN",
        "message": "Vérifiez.",
        "retryable": True,
    }
