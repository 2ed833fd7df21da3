"""The planner over its wire: a process of its own, and the real `openai` client."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import numpy as np
import openai
import pytest
import pytest_asyncio

from tests.support.planner_tools import DEMO, wire

pytestmark = pytest.mark.asyncio(loop_scope="module")

SYSTEM = {"role": "system", "content": "You are Ava, the concierge of Contoso Bank."}
GREETING = {"role": "assistant", "content": "Hello, this is Ava. How can I help you?"}
NAME = "Hi, my name is Alice Brown, and the last four digits are one, two, three, four."


async def start(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "planner",
        *arguments,
        stdout=PIPE,
        stderr=PIPE,
    )


async def ready_url(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    line = (await asyncio.wait_for(process.stdout.readline(), 30)).decode()
    found = re.search(r"planner ready on (http://127\.0\.0\.1:\d+/v1)", line)
    assert found, line
    assert "not a language model" in line
    return found[1]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def url() -> AsyncIterator[str]:
    process = await start("--port", "0")
    try:
        yield await ready_url(process)
    finally:
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 10) == 0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(url: str) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(
        base_url=url, api_key="none", timeout=20.0, max_retries=0
    ) as opened:
        yield opened


async def chat(client: openai.AsyncOpenAI, messages: list[Any], **more: Any) -> Any:
    return await client.chat.completions.create(
        model="any", messages=messages, tools=wire(DEMO), **more
    )


async def test_a_tool_call_comes_whole(client: openai.AsyncOpenAI) -> None:
    answer = await chat(client, [SYSTEM, GREETING, {"role": "user", "content": NAME}])

    choice = answer.choices[0]
    assert choice.finish_reason == "tool_calls"
    assert choice.message.content is None
    function = choice.message.tool_calls[0].function
    assert function.name == "verify_client_identity"
    assert json.loads(function.arguments) == {"full_name": "Alice Brown", "last_four": "1234"}
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert answer.system_fingerprint == "planner-not-a-language-model"


async def test_a_tool_call_is_streamed_in_pieces(client: openai.AsyncOpenAI) -> None:
    messages = [SYSTEM, GREETING, {"role": "user", "content": NAME}]
    stream = await chat(client, messages, stream=True, stream_options={"include_usage": True})
    chunks = [chunk async for chunk in stream]

    deltas = [
        call
        for chunk in chunks
        if chunk.choices
        for call in chunk.choices[0].delta.tool_calls or []
    ]
    assert deltas[0].function.name == "verify_client_identity"
    assert deltas[0].id.startswith("call_")
    pieces = [call.function.arguments for call in deltas]
    assert len([piece for piece in pieces if piece]) > 2
    assert json.loads("".join(pieces)) == {"full_name": "Alice Brown", "last_four": "1234"}
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "tool_calls"
    assert chunks[-1].choices == []
    assert chunks[-1].usage.total_tokens > 0


async def test_words_are_streamed_one_by_one(client: openai.AsyncOpenAI) -> None:
    messages = [SYSTEM, GREETING, {"role": "user", "content": "Thank you, goodbye."}]
    stream = await chat(client, messages, stream=True)
    chunks = [chunk async for chunk in stream]

    words = [c.choices[0].delta.content for c in chunks if c.choices[0].delta.content]
    assert words == ["Thank ", "you ", "for ", "calling. ", "Goodbye."]
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert all(chunk.usage is None for chunk in chunks)


async def test_the_client_s_stream_reader_accumulates_a_tool_call(
    client: openai.AsyncOpenAI,
) -> None:
    messages: list[Any] = [SYSTEM, GREETING, {"role": "user", "content": NAME}]
    async with client.chat.completions.stream(
        model="any", messages=messages, tools=wire(DEMO)
    ) as stream:
        final = await stream.get_final_completion()

    assert final.choices[0].message.tool_calls[0].function.name == "verify_client_identity"


async def test_the_demo_call_from_greeting_to_goodbye(client: openai.AsyncOpenAI) -> None:
    results = {
        "verify_client_identity": {"client_id": "CLT-7", "message": "Thank you, Alice."},
        "get_account_summary": {"message": "Your checking balance is $1,250.50."},
        "search_knowledge_base": {"message": "Foreign purchases carry a three percent fee."},
    }
    lines = (
        NAME,
        "What is the balance of my checking account?",
        "Why did my foreign transaction cost a fee?",
        "That is everything. Thank you, goodbye.",
    )
    messages: list[Any] = [SYSTEM, GREETING]
    called: list[tuple[str, dict[str, Any]]] = []
    spoken: list[str] = []
    for line in lines:
        messages.append({"role": "user", "content": line})
        while (answer := (await chat(client, messages)).choices[0]).finish_reason == "tool_calls":
            messages.append(answer.message.model_dump(exclude_none=True))
            for call in answer.message.tool_calls:
                called.append((call.function.name, json.loads(call.function.arguments)))
                content = json.dumps(results[call.function.name])
                messages.append({"role": "tool", "tool_call_id": call.id, "content": content})
        spoken.append(answer.message.content)
        messages.append({"role": "assistant", "content": answer.message.content})

    assert called == [
        ("verify_client_identity", {"full_name": "Alice Brown", "last_four": "1234"}),
        ("get_account_summary", {"client_id": "CLT-7", "account_type": "checking"}),
        ("search_knowledge_base", {"query": "Why did my foreign transaction cost a fee?"}),
    ]
    assert spoken == [
        "Thank you, Alice. How can I help you?",
        "Your checking balance is $1,250.50.",
        "Foreign purchases carry a three percent fee.",
        "Thank you for calling. Goodbye.",
    ]


@pytest.mark.parametrize("encoding", ["float", "base64"])
async def test_embeddings_are_unit_vectors_whatever_the_encoding(
    client: openai.AsyncOpenAI, encoding: Any
) -> None:
    texts = ["a fee for a foreign purchase", "charge on a payment abroad", "a lost card"]
    answer = await client.embeddings.create(model="any", input=texts, encoding_format=encoding)

    vectors = [np.array(_floats(one.embedding), np.float32) for one in answer.data]
    assert [one.index for one in answer.data] == [0, 1, 2]
    assert all(vector.shape == (384,) for vector in vectors)
    assert all(np.linalg.norm(vector) == pytest.approx(1, abs=1e-5) for vector in vectors)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]
    assert answer.usage.prompt_tokens > len(texts)


def _floats(embedding: Any) -> Any:
    if isinstance(embedding, str):
        return np.frombuffer(base64.b64decode(embedding), "<f4")
    return embedding


async def test_embeddings_by_the_client_s_default(client: openai.AsyncOpenAI) -> None:
    answer = await client.embeddings.create(model="any", input="one text")

    assert len(answer.data[0].embedding) == 384


async def test_models_say_what_they_are(client: openai.AsyncOpenAI) -> None:
    models = {model.id: model async for model in client.models.list()}

    assert "not a language model" in models["voicemesh-planner"].description
    assert "all-MiniLM-L6-v2" in models


async def test_a_bad_request_is_refused_with_the_field(client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as refusal:
        await chat(client, [{"role": "narrator", "content": "hm"}])

    assert refusal.value.param == "messages[0].role"
    assert "user" in str(refusal.value.body)


async def test_a_huge_body_is_refused_before_it_is_read(client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.APIStatusError) as refusal:
        await chat(client, [{"role": "user", "content": "x" * 5_000_000}])

    assert refusal.value.status_code == 413


async def test_what_is_not_served_says_so(url: str) -> None:
    async with aiohttp.ClientSession() as http, http.post(url + "/completions") as answer:
        assert answer.status == 404
        body = await answer.json()
    assert body["error"]["type"] == "invalid_request_error"
    assert "/v1/completions" in body["error"]["message"]


async def test_health(url: str) -> None:
    health = url.removesuffix("/v1") + "/healthz"
    async with aiohttp.ClientSession() as http, http.get(health) as answer:
        assert answer.status == 200
        assert "not a language model" in (await answer.json())["what"]


async def test_a_client_that_leaves_mid_stream_does_no_harm(client: openai.AsyncOpenAI) -> None:
    messages = [SYSTEM, GREETING, {"role": "user", "content": "what can you do"}]
    stream = await chat(client, messages, stream=True)
    await anext(aiter(stream))
    await stream.close()

    answer = await chat(client, messages)
    assert answer.choices[0].message.content


async def test_a_port_in_use_is_one_sentence_and_exit_code_2(url: str) -> None:
    port = url.rsplit(":", 1)[1].removesuffix("/v1")
    process = await start("--port", port)
    _, said = await asyncio.wait_for(process.communicate(), 30)

    assert process.returncode == 2
    assert said.decode().strip().count("\n") == 0
    assert f"127.0.0.1:{port} is in use" in said.decode()


WITHOUT_MODEL = """
import sys, planner.minilm
planner.minilm.PACKAGE = "no_such_package"
from planner.__main__ import main
sys.exit(main(["--port", "0"]))
"""


async def test_a_missing_model_is_one_sentence_and_exit_code_2() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WITHOUT_MODEL, stdout=PIPE, stderr=PIPE
    )
    out, said = await asyncio.wait_for(process.communicate(), 30)

    assert process.returncode == 2
    assert out == b""
    assert said.decode() == (
        "planner: the embedding model is not installed (package no-such-package); run"
        " `make install`, which installs the local engines\n"
    )


@pytest.mark.parametrize(
    "arguments", [("--port", "99999"), ("--port", "x"), ("--max-waiting", "0"), ("--frob",)]
)
async def test_a_bad_argument_is_exit_code_2(arguments: tuple[str, ...]) -> None:
    process = await start(*arguments)
    _, said = await asyncio.wait_for(process.communicate(), 30)

    assert process.returncode == 2
    assert arguments[0] in said.decode()


async def test_the_help_says_what_it_is() -> None:
    process = await start("--help")
    out, _ = await asyncio.wait_for(process.communicate(), 30)

    assert "not a language model" in " ".join(out.decode().split())


async def test_sigterm_and_sigint_end_it_with_0() -> None:
    for sign in (signal.SIGTERM, signal.SIGINT):
        process = await start("--port", "0")
        await ready_url(process)
        process.send_signal(sign)
        assert await asyncio.wait_for(process.wait(), 10) == 0


async def test_a_request_that_runs_is_answered_before_the_end() -> None:
    process = await start("--port", "0", "--verbose")
    url = await ready_url(process)
    assert process.stderr is not None
    texts = [f"passage number {n}" for n in range(200)]
    async with openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0) as client:
        asking = asyncio.create_task(client.embeddings.create(model="any", input=texts))
        line = await asyncio.wait_for(process.stderr.readline(), 10)
        assert b"embeddings of 200 texts" in line

        process.send_signal(signal.SIGTERM)
        assert len((await asyncio.wait_for(asking, 10)).data) == 200
    assert await asyncio.wait_for(process.wait(), 10) == 0
