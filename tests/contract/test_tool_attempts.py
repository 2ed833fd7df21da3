"""A caller who guesses does not begin anew on another pod: attempts over the wire and in the store."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from meshkit.errors import MeshError, Reason
from tests.support.executor import RunningExecutor, running_executor
from tests.support.store import RunningStore, running_store
from tests.support.store_calls import create
from toolkit import Effect, Policy, Registry

MOST = 3


def registry() -> Registry:
    made = Registry()
    schema = {"parameters": {"type": "object"}}

    async def guess(args: dict[str, Any]) -> dict[str, Any]:
        return {"success": args.get("code") == "right", "message": "That was it, or it was not."}

    policy = Policy(attempts=MOST)
    made.register("guess", schema, guess, effect=Effect.IDEMPOTENT, policy=policy)
    made.register("ask", schema, guess, effect=Effect.IDEMPOTENT)
    return made


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[RunningStore]:
    async with running_store(tmp_path) as running:
        await create(running)
        await create(running, "b")
        yield running


@pytest.fixture
async def pods(store: RunningStore) -> AsyncIterator[list[RunningExecutor]]:
    """Pods that know nothing of each other but by the store."""
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(running_executor(registry(), store.address))
            for _ in range(MOST + 2)
        ]


async def guessed(
    pod: RunningExecutor, number: int, code: str = "wrong", session: str = "a"
) -> str:
    """`yes`, `no`, or the reason that there was no guess."""
    name = f"sessions/{session}"
    request = pod.request(
        "guess",
        json.dumps({"code": code, "number": number}),
        session=name,
        request_id=f"{name}/t{number}/0/0",
    )
    outcome = (await pod.send(request)).outcome
    if outcome.WhichOneof("outcome") == "failure":
        return str(outcome.failure.reason)
    return "yes" if json.loads(outcome.result_json)["success"] else "no"


async def test_attempts_are_counted_over_all_pods(pods: list[RunningExecutor]) -> None:
    came_out = [await guessed(pod, number) for number, pod in enumerate(pods)]
    assert came_out == ["no"] * MOST + ["POLICY_REFUSED"] * 2
    assert await guessed(pods[0], 99, "right") == "POLICY_REFUSED", "the right one comes too late"
    assert await guessed(pods[0], 0, session="b") == "no", "another call has its own"


async def test_attempts_at_once_are_no_more(pods: list[RunningExecutor]) -> None:
    came_out = await asyncio.gather(*(guessed(pod, n) for n, pod in enumerate(pods)))
    assert sorted(came_out) == ["POLICY_REFUSED"] * 2 + ["no"] * MOST


async def test_a_success_is_no_attempt(pods: list[RunningExecutor]) -> None:
    for number, pod in enumerate(pods):
        assert await guessed(pod, number, "right") == "yes"


async def test_an_attempt_that_is_sent_again_counts_once(pods: list[RunningExecutor]) -> None:
    for pod in pods:
        assert await guessed(pod, 1) == "no"


async def test_without_a_store_there_is_no_guess() -> None:
    async with running_executor(registry(), "127.0.0.1:1", store_seconds=0.3) as pod:
        with pytest.raises(MeshError) as refused:
            await guessed(pod, 1)
        assert refused.value.is_reason(Reason.STORE_UNAVAILABLE)
        assert pod.execution.running == 0


async def test_what_cannot_be_counted_on_disk_is_no_guess(
    store: RunningStore, pods: list[RunningExecutor]
) -> None:
    await store.everywhere("CONFIG", "SET", "appendonly", "no")
    with pytest.raises(MeshError) as refused:
        await guessed(pods[0], 1)
    assert refused.value.is_reason(Reason.STORE_NOT_DURABLE)
    assert pods[0].execution.running == 0
    assert (await pods[0].run("ask")).result_json, "without a limit nothing is counted"
