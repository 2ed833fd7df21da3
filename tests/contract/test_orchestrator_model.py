"""The orchestrator's model adapter: against a scripted endpoint for each oddity, and the planner."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest

from agentkit import ModelOptions
from orchestrator.llm import Answered, ModelUnavailable, OpenAIModel, TextDelta, WantedCall
from orchestrator.settings import OrchestratorSettings
from tests.support.planner_tools import DEMO, wire
from tests.support.scripted_model import Answer, ScriptedModel, scripted_model

HELLO = [{"role": "user", "content": "Hello"}]
OPTIONS = ModelOptions()
TWO: list[tuple[str, str | dict[str, Any]]] = [("first", {"a": "x" * 40}), ("second", '{"b": 2}')]


@asynccontextmanager
async def adapter(**settings: Any) -> AsyncIterator[OpenAIModel]:
    model = OpenAIModel(OrchestratorSettings(**settings))
    try:
        yield model
    finally:
        await model.aclose()


async def ask(
    model: OpenAIModel, messages: Any = HELLO, tools: Any = (), options: ModelOptions = OPTIONS
) -> tuple[str, Answered]:
    """The text of an answer, and how it ended."""
    text, last = "", None
    async for event in model.answer(messages, tools, options):
        if isinstance(event, TextDelta):
            text += event.text
        else:
            last = event
    assert last is not None
    return text, last


@pytest.fixture
async def endpoint() -> AsyncIterator[ScriptedModel]:
    async with scripted_model() as scripted:
        yield scripted


async def test_text_calls_and_usage_are_put_together(endpoint: ScriptedModel) -> None:
    endpoint.will_answer(Answer("One moment.", calls=TWO, usage=(21, 7), azure=True))
    async with adapter(model_base_url=endpoint.base_url, model_name="m") as model:
        text, answered = await ask(model)
    assert text == "One moment."
    assert [(c.tool, c.arguments) for c in answered.calls] == [
        ("first", '{"a": "' + "x" * 40 + '"}'),
        ("second", '{"b": 2}'),
    ]
    assert len({call.call_id for call in answered.calls}) == 2
    assert (answered.model, answered.input_tokens, answered.output_tokens) == ("m", 21, 7)


async def test_what_the_agent_says_of_the_model_goes_to_it(endpoint: ScriptedModel) -> None:
    options = ModelOptions(name="special", temperature=0.5, top_p=0.9, max_tokens=77)
    async with adapter(model_base_url=endpoint.base_url, model_api_key="k") as model:
        await ask(model, options=options)
        await ask(model)
    first, second = endpoint.requests
    assert (first["model"], first["temperature"], first["top_p"]) == ("special", 0.5, 0.9)
    assert first["max_tokens"] == 77
    assert "tools" not in first
    assert "temperature" not in second, "the model's own default stands"
    assert endpoint.headers[0]["Authorization"] == "Bearer k"


async def test_azure(endpoint: ScriptedModel) -> None:
    endpoint.will_answer(Answer("Hello.", azure=True))
    async with adapter(
        azure_openai_endpoint=endpoint.base_url.removesuffix("/v1"),
        azure_openai_api_key="secret",
        model_name="gpt-test",
    ) as model:
        text, _ = await ask(model)
    assert text == "Hello."
    assert endpoint.paths == [
        "/openai/deployments/gpt-test/chat/completions?api-version=2024-10-21"
    ]
    assert endpoint.headers[0]["api-key"] == "secret"


async def test_the_seeds_variables_name_azure(
    endpoint: ScriptedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", endpoint.base_url.removesuffix("/v1"))
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "secret")
    async with adapter() as model:
        await ask(model)
    assert endpoint.headers[0]["api-key"] == "secret"


async def test_leaving_the_answer_stops_the_model(endpoint: ScriptedModel) -> None:
    endpoint.will_answer(Answer("One two three ", fault="stall"))
    async with adapter(model_base_url=endpoint.base_url) as model:
        async with aclosing(model.answer(HELLO, (), OPTIONS)) as events:  # type: ignore[type-var]
            async for event in events:
                assert isinstance(event, TextDelta)
                break
        await asyncio.wait_for(endpoint.left.wait(), 5)


async def test_being_cancelled_while_it_waits_stops_the_model(endpoint: ScriptedModel) -> None:
    endpoint.will_answer(Answer(fault="hang"))
    async with adapter(model_base_url=endpoint.base_url) as model:
        asking = asyncio.create_task(ask(model))
        await endpoint.asked.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await asyncio.wait_for(endpoint.left.wait(), 5)


async def test_the_failure_says_nothing_of_what_was_said(endpoint: ScriptedModel) -> None:
    endpoint.will_answer(Answer(status=400))
    async with adapter(model_base_url=endpoint.base_url) as model:
        with pytest.raises(ModelUnavailable) as failed:
            await ask(model, [{"role": "user", "content": "my secret"}])
    assert str(failed.value) == "BadRequestError 400"
    assert failed.value.__cause__ is None


async def test_one_client_keeps_its_connection(endpoint: ScriptedModel) -> None:
    async with adapter(model_base_url=endpoint.base_url) as model:
        for _ in range(3):
            await ask(model)
    assert len(endpoint.peers) == 1


# ---------------------------------------------------------------------- the planner


@pytest.fixture(scope="module")
def planner_url() -> Iterator[str]:
    """A planner process."""
    process = subprocess.Popen(
        [sys.executable, "-m", "planner", "--port", "0"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    found = re.search(r"http://127\.0\.0\.1:\d+/v1", process.stdout.readline())
    assert found
    yield found[0]
    process.terminate()
    assert process.wait(10) == 0
    process.stdout.close()


async def test_the_planner_is_a_model_like_any_other(planner_url: str) -> None:
    tools = wire(DEMO)
    system = {"role": "system", "content": "You are the concierge."}
    asked = [
        system,
        {"role": "assistant", "content": "Please tell me your name and last four digits."},
        {"role": "user", "content": "I am Alice Brown, the digits are one two three four."},
    ]
    async with adapter(model_base_url=planner_url) as model:
        _, answered = await ask(model, asked, tools)
        (call,) = answered.calls
        assert call.tool == "verify_client_identity"
        assert "Alice Brown" in call.arguments
        answer = {"role": "tool", "tool_call_id": call.call_id, "content": VERIFIED}
        text, last = await ask(model, [*asked, _calling(call), answer], tools)
    assert "Alice" in text
    assert last.calls == ()


VERIFIED = '{"success": true, "message": "Thank you, Alice. You are verified."}'


def _calling(call: WantedCall) -> dict[str, Any]:
    function = {"name": call.tool, "arguments": call.arguments}
    wired = {"id": call.call_id, "type": "function", "function": function}
    return {"role": "assistant", "content": None, "tool_calls": [wired]}
