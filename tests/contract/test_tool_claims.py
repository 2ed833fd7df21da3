"""A tool acts at most once in the mesh: executors over real channels, one real session-store."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest

from meshkit.context import new_trace
from meshkit.errors import MeshError, Reason, from_rpc_error
from meshkit.telemetry import configure_tracing
from tests.support.executor import RunningExecutor, running_executor
from tests.support.otlp_sink import otlp_sink
from tests.support.store import RunningStore, running_store
from tests.support.store_calls import GATEWAY_A, GATEWAY_B, acquire, append, create, ended, journal
from tool_executor.audit import AuditLog
from tool_executor.claims import run_of
from tool_executor.requests import Request
from toolkit import Effect, Registry, ToolContext
from voicemesh.session.v1 import claim_pb2
from voicemesh.session.v1.ownership_pb2 import TAKEOVER_ALWAYS
from voicemesh.tools.v1 import tool_executor_pb2 as pb

ANY_ARGUMENTS: dict[str, Any] = {"parameters": {"type": "object"}}
RUN = "sessions/a/t1/0/0"
FIELD = "t1/0/0"
RUNNING = claim_pb2.ToolClaim.STATE_RUNNING


@dataclass
class Counted:
    """A tool of one pod: it counts its effects, and waits where the test holds it."""

    go: asyncio.Event = field(default_factory=asyncio.Event)
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    effects: list[str] = field(default_factory=list)

    async def body(self, args: dict[str, Any], context: ToolContext) -> dict[str, Any]:
        self.begun.set()
        context.progress("I have begun.", 10)
        await self.go.wait()
        self.effects.append(context.request_id)
        return {"message": "It is done.", "number": len(self.effects), "of": 0.1 + 0.2}


@dataclass
class Pods:
    """Two executors of one mesh, and what their tools did."""

    a: RunningExecutor
    b: RunningExecutor
    in_a: Counted
    in_b: Counted

    @property
    def effects(self) -> list[str]:
        return self.in_a.effects + self.in_b.effects


def registry_of(tool: Counted) -> Registry:
    registry = Registry()
    registry.register("act", ANY_ARGUMENTS, tool.body, effect=Effect.EFFECTFUL)
    registry.register("put", ANY_ARGUMENTS, tool.body, effect=Effect.IDEMPOTENT, claimed=True)
    registry.register("read", ANY_ARGUMENTS, tool.body, effect=Effect.READ_ONLY)
    registry.register("stop", ANY_ARGUMENTS, tool.body, cancellable=True, long_running=True)
    return registry


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[RunningStore]:
    async with running_store(tmp_path) as running:
        await create(running)
        yield running


@pytest.fixture
async def pods(store: RunningStore) -> AsyncIterator[Pods]:
    settings = {"claim_seconds": 1.0, "claim_wait_seconds": 5.0, "heartbeat_seconds": 0.05}
    tools = Counted(), Counted()
    async with AsyncExitStack() as stack:
        a, b = [
            await stack.enter_async_context(
                running_executor(registry_of(tool), store.address, **settings)
            )
            for tool in tools
        ]
        yield Pods(a, b, *tools)
        for tool in tools:
            tool.go.set()


def asked(tool: str = "act", arguments: str = "{}", **given: Any) -> pb.ExecuteToolRequest:
    return pb.ExecuteToolRequest(
        **{
            "name": f"tools/{tool}",
            "session": "sessions/a",
            "request_id": RUN,
            "agent": "agents/concierge",
            "arguments_json": arguments,
            **given,
        }
    )


async def left_by_a_dead_pod(store: RunningStore, tool: str = "act", arguments: str = "{}") -> None:
    """A claim of a pod that is not there any more, for the run of `asked`."""
    request = Request(tool, "sessions/a", "t1", "concierge", RUN, arguments)
    run = run_of(registry_of(Counted()).get(tool), request)
    await store.claims.ClaimTool(
        claim_pb2.ClaimToolRequest(request_id=RUN, fingerprint=run.fingerprint, holder="dead")
    )
    await store.hot.command("HSET", "voicemesh:{a}:claims", f"{FIELD}:expires", "1")


async def refusal_of(pod: RunningExecutor, request: pb.ExecuteToolRequest) -> MeshError:
    with pytest.raises(MeshError) as refused:
        await pod.send(request, timeout=20.0)
    return refused.value


@pytest.mark.parametrize("tool", ["act", "put"])
async def test_another_pod_answers_the_same_byte_for_byte(pods: Pods, tool: str) -> None:
    pods.in_a.go.set()
    first = (await pods.a.send(asked(tool))).outcome
    second = (await pods.b.send(asked(tool))).outcome
    assert json.loads(first.result_json)["number"] == 1
    assert first.SerializeToString(deterministic=True) == second.SerializeToString(
        deterministic=True
    )
    assert pods.effects == [RUN]


@pytest.mark.parametrize("again", ["a", "b"])
async def test_who_is_given_an_outcome_again_links_to_the_span_of_the_run(
    pods: Pods, again: str
) -> None:
    pods.in_a.go.set()
    with otlp_sink() as sink:
        tracing = configure_tracing("tool-executor", "1", sink.endpoint)
        for pod in (pods.a, getattr(pods, again)):
            with new_trace():
                await pod.send(asked())
        await tracing.aclose()
    (run,) = [span for span in sink.spans if span.name == "execute_tool act"]
    first, second = [span for span in sink.spans if span.name.endswith("/ExecuteTool")]
    assert (first.id, first.links) == (run.parent, ())
    assert second.trace != first.trace
    assert second.links == ((run.trace, run.id),)


async def test_the_audit_log_tells_one_run_and_one_answer_again(
    store: RunningStore, tmp_path: Path
) -> None:
    audit, tool = AuditLog(tmp_path / "audit", days=1), Counted()
    tool.go.set()
    for _ in range(2):
        async with running_executor(registry_of(tool), store.address, audit) as pod:
            await pod.send(asked())
    audit.close()
    (file,) = (tmp_path / "audit").iterdir()
    decisions = [json.loads(line)["decision"] for line in file.read_text().splitlines()]
    assert decisions == ["ALLOWED", "EARLIER"]


async def test_the_outcome_is_journalled_by_the_executor(store: RunningStore, pods: Pods) -> None:
    pods.in_a.go.set()
    outcome = (await pods.a.send(asked())).outcome
    events = (await journal(store)).events
    assert [event.tool.outcome for event in events] == [outcome]


async def test_a_run_alive_elsewhere_is_waited_for_with_heartbeats(pods: Pods) -> None:
    first = asyncio.create_task(pods.a.send(asked()))
    await pods.in_a.begun.wait()
    second = asyncio.create_task(pods.b.send(asked(), timeout=20.0))
    done, _ = await asyncio.wait({second}, timeout=1.5)
    assert not done, "the claim of a run that lasts longer than it is renewed"
    pods.in_a.go.set()
    assert (await first).outcome == (await second).outcome
    assert (await second).heartbeats > 0
    assert pods.effects == [RUN]


async def test_the_wait_for_another_pod_is_bounded_and_not_the_models_to_repeat(
    store: RunningStore, pods: Pods
) -> None:
    first = asyncio.create_task(pods.a.send(asked()))
    await pods.in_a.begun.wait()
    async with running_executor(
        registry_of(pods.in_b), store.address, claim_wait_seconds=0.2
    ) as impatient:
        error = await refusal_of(impatient, asked())
    assert error.is_reason(Reason.TOOL_STILL_RUNNING)
    assert error.retryable
    assert error.retry_after_seconds
    pods.in_a.go.set()
    await first
    assert (await pods.b.send(asked())).outcome == (await first).outcome
    assert pods.effects == [RUN]


async def test_both_asked_at_once_act_once(pods: Pods) -> None:
    pods.in_a.go.set()
    pods.in_b.go.set()
    outcomes = await asyncio.gather(pods.a.send(asked()), pods.b.send(asked()))
    assert outcomes[0].outcome == outcomes[1].outcome
    assert pods.effects == [RUN]


async def test_what_a_dead_pod_did_is_unknown_in_words_to_speak(
    store: RunningStore, pods: Pods
) -> None:
    await left_by_a_dead_pod(store)
    for pod in (pods.a, pods.b):
        failure = (await pod.send(asked())).outcome.failure
        assert failure.reason == "OUTCOME_UNKNOWN"
        assert "do not know whether it was done" in failure.message
        assert not failure.retryable
    assert pods.effects == []


async def test_an_idempotent_tool_of_a_dead_pod_runs_again(store: RunningStore, pods: Pods) -> None:
    await left_by_a_dead_pod(store, "put")
    pods.in_a.go.set()
    outcome = (await pods.a.send(asked("put"))).outcome
    assert json.loads(outcome.result_json)["message"] == "It is done."
    assert (await pods.b.send(asked("put"))).outcome == outcome
    assert pods.effects == [RUN]


async def test_the_same_id_with_other_arguments_is_refused_by_name(
    store: RunningStore, pods: Pods
) -> None:
    pods.in_a.go.set()
    await pods.a.send(asked(arguments='{"amount": 1}'))
    for changed in (asked(arguments='{"amount": 2}'), asked("put", '{"amount": 1}')):
        assert (await refusal_of(pods.b, changed)).is_reason(Reason.REQUEST_ID_REUSED)
    assert pods.effects == [RUN]


async def test_a_superseded_owner_begins_no_effect(store: RunningStore, pods: Pods) -> None:
    first = (await acquire(store, GATEWAY_A, "one")).owner.epoch
    second = (await acquire(store, GATEWAY_B, "two", takeover=TAKEOVER_ALWAYS)).owner.epoch
    pods.in_a.go.set()
    error = await refusal_of(pods.a, asked(owner_epoch=first))
    assert error.is_reason(Reason.CALL_OWNER_SUPERSEDED)
    assert pods.effects == []
    await pods.a.send(asked(owner_epoch=second))
    assert pods.effects == [RUN]


async def test_what_was_done_is_stored_though_the_owner_changed(
    store: RunningStore, pods: Pods
) -> None:
    first = (await acquire(store, GATEWAY_A, "one")).owner.epoch
    running = asyncio.create_task(pods.a.send(asked(owner_epoch=first)))
    await pods.in_a.begun.wait()
    second = (await acquire(store, GATEWAY_B, "two", takeover=TAKEOVER_ALWAYS)).owner.epoch
    pods.in_a.go.set()
    outcome = (await running).outcome
    assert (await pods.b.send(asked(owner_epoch=second))).outcome == outcome
    assert pods.effects == [RUN]


async def test_a_session_that_ended_has_no_more_effects(store: RunningStore, pods: Pods) -> None:
    await append(store, ended())
    assert (await refusal_of(pods.a, asked())).is_reason(Reason.SESSION_ENDED)
    assert pods.effects == []


async def test_without_a_store_what_only_reads_runs_and_nothing_else(tmp_path: Path) -> None:
    tool = Counted()
    tool.go.set()
    nowhere = "127.0.0.1:1"
    async with running_executor(registry_of(tool), nowhere, store_seconds=0.3) as pod:
        for name in ("act", "put"):
            error = await refusal_of(pod, asked(name))
            assert error.is_reason(Reason.STORE_UNAVAILABLE)
            assert error.retry_after_seconds
        assert tool.effects == []
        assert (await pod.send(asked("read"))).outcome.result_json
        assert pod.execution.running == 0


async def test_what_could_not_be_stored_is_answered_and_stored_later(store: RunningStore) -> None:
    tool = Counted()
    settings = {"store_seconds": 0.3, "claim_seconds": 60.0}
    async with running_executor(registry_of(tool), store.address, **settings) as pod:
        running = asyncio.create_task(pod.send(asked()))
        await tool.begun.wait()
        waiting = claim_pb2.GetToolClaimRequest(request_id=RUN)
        await store.claims.GetToolClaim(waiting)  # a script that is new would count as a write
        await store.everywhere("CLIENT", "PAUSE", 1500, "WRITE")
        tool.go.set()
        outcome = (await running).outcome
        assert (await store.claims.GetToolClaim(waiting)).claim.state == RUNNING
        waiting.max_wait.FromSeconds(20)
        stored = (await store.claims.GetToolClaim(waiting, timeout=30)).claim
    assert stored.outcome == outcome
    assert tool.effects == [RUN]


async def test_a_cancelled_run_says_so_to_everyone_and_tells_its_progress(pods: Pods) -> None:
    told: list[pb.ExecuteToolResponse] = []

    async def listen() -> None:
        async for message in pods.a.stub.ExecuteTool(asked("stop"), timeout=20.0):
            told.append(message)
            if message.HasField("progress"):
                await pods.b.stub.CancelTool(pb.CancelToolRequest(request_id=RUN))
                await pods.a.stub.CancelTool(pb.CancelToolRequest(request_id=RUN))

    await listen()
    progress = [message.progress for message in told if message.HasField("progress")]
    assert progress == [pb.ToolProgress(message="I have begun.", percent=10)]
    assert told[-1].outcome.failure.reason == "CANCELLED"
    assert (await pods.b.send(asked("stop"))).outcome == told[-1].outcome
    assert pods.effects == []


async def test_a_cancelled_run_is_named_as_a_run_is(pods: Pods) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await pods.a.stub.CancelTool(pb.CancelToolRequest(request_id="t1"))
    assert from_rpc_error(refused.value).is_reason(Reason.NAME_MALFORMED)


async def test_a_listed_tool_tells_whether_it_can_be_cancelled_and_is_long(pods: Pods) -> None:
    listed = (await pods.a.stub.ListTools(pb.ListToolsRequest())).tools
    assert {tool.name for tool in listed if tool.cancellable and tool.long_running} == {
        "tools/stop"
    }


async def test_a_run_that_was_taken_over_answers_as_the_one_that_took_it(
    store: RunningStore,
) -> None:
    """The first pod was out of touch for so long that its claim died; it is back, and finishes."""
    tools = Counted(), Counted()
    tools[1].effects.append("so that the second result is another")
    settings = {"claim_seconds": 60.0, "claim_wait_seconds": 10.0}
    async with (
        running_executor(registry_of(tools[0]), store.address, **settings) as first,
        running_executor(registry_of(tools[1]), store.address, **settings) as second,
    ):
        early = asyncio.create_task(first.send(asked("put")))
        await tools[0].begun.wait()
        await store.hot.command("HSET", "voicemesh:{a}:claims", f"{FIELD}:expires", "1")
        late = asyncio.create_task(second.send(asked("put")))
        await tools[1].begun.wait()
        tools[0].go.set()
        tools[1].go.set()
        assert (await early).outcome == (await late).outcome
        assert json.loads((await late).outcome.result_json)["number"] == 2


async def test_a_run_that_may_not_be_repeated_is_known_after_all(store: RunningStore) -> None:
    """Another pod had to answer that it is unknown; the pod that ran it finishes, and it is known."""
    tool = Counted()
    async with running_executor(registry_of(tool), store.address, claim_seconds=60.0) as first:
        running = asyncio.create_task(first.send(asked()))
        await tool.begun.wait()
        await store.hot.command("HSET", "voicemesh:{a}:claims", f"{FIELD}:expires", "1")
        for outcome_known in (False, True):
            async with running_executor(registry_of(Counted()), store.address) as second:
                outcome = (await second.send(asked())).outcome
            if outcome_known:
                assert outcome == (await running).outcome
            else:
                assert outcome.failure.reason == "OUTCOME_UNKNOWN"
            tool.go.set()
            await running


async def test_nothing_acts_that_cannot_be_claimed_on_disk(store: RunningStore, pods: Pods) -> None:
    pods.in_a.go.set()
    await store.everywhere("CONFIG", "SET", "appendonly", "no")
    assert (await refusal_of(pods.a, asked())).is_reason(Reason.STORE_NOT_DURABLE)
    assert pods.effects == []
    assert pods.a.execution.running == 0
    assert (await pods.a.send(asked("read"))).outcome.result_json
    assert pods.effects == [RUN], "what only reads needs no claim"
