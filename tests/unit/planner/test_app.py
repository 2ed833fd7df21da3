"""The routes in one process: bounds, failures, and what the log holds."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from aiohttp.test_utils import TestClient, TestServer

import planner.app
from planner.app import PlannerApp
from planner.inference import Inference
from planner.intents import phrases
from planner.minilm import MiniLM
from tests.support.planner_tools import DEMO, wire

CHAT = "/v1/chat/completions"
SECRET = "my name is Alice Brown and the last four digits are 1234"
ASKED = {"messages": [{"role": "user", "content": SECRET}], "tools": wire(DEMO)}


@pytest_asyncio.fixture
async def inference(model: MiniLM) -> AsyncIterator[Inference]:
    made = Inference(model, max_waiting=2)
    yield made
    made.close()


@pytest_asyncio.fixture
async def client(inference: Inference) -> AsyncIterator[TestClient[Any, Any]]:
    async with TestClient(TestServer(PlannerApp(inference).build())) as opened:
        yield opened


async def test_more_than_may_wait_are_told_when_to_come_back(
    client: TestClient[Any, Any], inference: Inference
) -> None:
    blocked, release = threading.Event(), threading.Event()

    def block() -> None:
        blocked.set()
        release.wait(10)

    holding = asyncio.create_task(inference.run(block))
    await asyncio.to_thread(blocked.wait, 10)
    waiting = [asyncio.create_task(client.post(CHAT, json=ASKED)) for _ in range(2)]
    while inference.admitted_now < 2:
        await asyncio.sleep(0)

    refused = await client.post(CHAT, json=ASKED)
    assert refused.status == 429
    assert int(refused.headers["retry-after-ms"]) > 0
    assert (await refused.json())["error"]["type"] == "rate_limit_error"

    release.set()
    await holding
    assert [answer.status for answer in await asyncio.gather(*waiting)] == [200, 200]
    assert (await client.post(CHAT, json=ASKED)).status == 200


async def test_a_failure_inside_is_a_server_error_and_leaks_nothing(
    client: TestClient[Any, Any],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(*_: Any) -> None:
        raise ValueError(SECRET)

    monkeypatch.setattr(planner.app, "decide", fail)
    answer = await client.post(CHAT, json=ASKED)

    assert answer.status == 500
    assert SECRET not in await answer.text()
    assert "ValueError in fail" in caplog.text
    assert "Alice" not in caplog.text


async def test_the_log_says_which_rule_decided_and_not_what_was_said(
    client: TestClient[Any, Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "planner")
    await client.post(CHAT, json=ASKED)
    await client.post("/v1/embeddings", json={"input": SECRET})
    await client.post(CHAT, json={"messages": [{"role": SECRET, "content": SECRET}]})

    logged = "\n".join(r.getMessage() for r in caplog.records if r.name == "planner")
    assert "call:verify_client_identity" in logged
    assert "embeddings of 1 texts" in logged
    assert "refused with 400" in logged
    assert "Alice" not in logged
    assert "1234" not in logged


async def test_the_wrong_method_is_refused_in_the_same_shape(client: TestClient[Any, Any]) -> None:
    answer = await client.get(CHAT)

    assert answer.status == 405
    assert (await answer.json())["error"]["type"] == "invalid_request_error"


async def test_a_body_that_does_not_come_is_given_up(
    client: TestClient[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planner.app, "BODY_SECONDS", 0.01)
    release = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b'{"messages"'
        await release.wait()

    answer = await client.post(CHAT, data=slow())
    release.set()

    assert answer.status == 400
    assert "did not arrive" in (await answer.json())["error"]["message"]


async def test_what_callers_say_is_not_remembered(inference: Inference) -> None:
    first, second = inference.embedder(), inference.embedder()

    assert first.words(SECRET) is first.words(SECRET)
    assert first.words(SECRET) is not second.words(SECRET)
    assert first.phrase("check my balance") is second.phrase("check my balance")


async def test_tools_are_learned_before_anybody_speaks(
    client: TestClient[Any, Any], inference: Inference
) -> None:
    inference.warm()
    before = inference.phrases_known
    await client.post(CHAT, json={**ASKED, "messages": [{"role": "system", "content": "Hi."}]})
    learned = inference.phrases_known
    await client.post(CHAT, json=ASKED)

    assert learned == before + sum(len(phrases(tool)) for tool in DEMO)
    assert inference.phrases_known == learned


async def test_tool_choice_is_obeyed(client: TestClient[Any, Any]) -> None:
    async def finish(choice: Any) -> tuple[str, str]:
        answer = await client.post(CHAT, json={**ASKED, "tool_choice": choice})
        first = (await answer.json())["choices"][0]
        calls = first["message"].get("tool_calls") or [{"function": {"name": ""}}]
        return first["finish_reason"], calls[0]["function"]["name"]

    forced = {"type": "function", "function": {"name": "search_knowledge_base"}}
    assert await finish("none") == ("stop", "")
    assert await finish("required") == ("tool_calls", "verify_client_identity")
    assert await finish(forced) == ("tool_calls", "search_knowledge_base")
