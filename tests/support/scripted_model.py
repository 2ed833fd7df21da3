"""An OpenAI-wire model endpoint whose answers are written down, for tests and benches.

    async with scripted_model() as model:
        model.answers.append(Answer("Your balance is 25 dollars."))
        settings = OrchestratorSettings(model_base_url=model.base_url)

It answers the next of `answers`; when none is left, `otherwise` makes one from the request (by
default it repeats what the caller said, see `echo`). As a process, for the mesh:

    python -m tests.support.scripted_model --port 0 [--script answers.json]

where the file holds a list of objects with the fields of `Answer`, given in turn and from the start
again.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import re
import sys
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from aiohttp import web

Fault = Literal["", "hang", "stall", "drop", "garbage", "error_event"]


@dataclass(frozen=True)
class Answer:
    """One answer.

    `calls` are pairs of tool and arguments (JSON text, or an object). `status` other than 200 refuses,
    with the text as its message. Faults: `hang` sends nothing, `stall` nothing after the text, `drop`
    cuts the connection after the text, `garbage` sends what is no JSON, `error_event` sends an error
    inside the stream.
    """

    text: str | Sequence[str] = ""
    calls: Sequence[tuple[str, str | dict[str, Any]]] = ()
    status: int = 200
    retry_after_ms: int | None = None
    fault: Fault = ""
    azure: bool = False
    """Begin with a chunk that has no choices."""
    usage: tuple[int, int] = (10, 5)
    cached: int | None = None
    """Of the tokens read, those that were kept; None: the endpoint does not tell."""

    def pieces(self) -> list[str]:
        """The text as tokens."""
        if not isinstance(self.text, str):
            return list(self.text)
        words = self.text.split(" ")
        return [w if i == 0 else f" {w}" for i, w in enumerate(words) if w or i]


def echo(request: dict[str, Any]) -> Answer:
    """Say again what the caller said last; call the tool that `tool NAME {json}` asks for."""
    last = request["messages"][-1]
    if last["role"] == "tool":
        return Answer(str(json.loads(last["content"]).get("message", "Done.")))
    said = [m["content"] for m in request["messages"] if m["role"] == "user"]
    if said and (asked := re.fullmatch(r"tool (\w+) ?(\{.*\})?", said[-1])):
        return Answer(calls=[(asked[1], asked[2] or "{}")])
    return Answer(f"You said: {said[-1]}." if said else "You said nothing.")


@dataclass
class ScriptedModel:
    """What it was asked, and what it will answer."""

    base_url: str = ""
    answers: deque[Answer] = field(default_factory=deque)
    otherwise: Callable[[dict[str, Any]], Answer] = echo
    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    peers: set[tuple[str, int]] = field(default_factory=set)
    """Connections that were used, by the client's end."""
    left: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a client went away before its answer was complete."""
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    """Set with each request; for tests to clear."""
    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    """Set to let a hanging or stalled answer end."""

    def will_answer(self, *answers: Answer | str) -> None:
        """Add answers to the script."""
        self.answers.extend(Answer(a) if isinstance(a, str) else a for a in answers)

    def next_answer(self, request: dict[str, Any]) -> Answer:
        """The answer to this request."""
        return self.answers.popleft() if self.answers else self.otherwise(request)

    def messages(self, number: int = -1) -> list[dict[str, Any]]:
        """The messages of a request, without the system prompt."""
        messages: list[dict[str, Any]] = self.requests[number]["messages"]
        return [message for message in messages if message["role"] != "system"]


def build(model: ScriptedModel) -> web.Application:
    """The aiohttp application: the plain route and Azure's."""

    async def chat(request: web.Request) -> web.StreamResponse:
        body = await request.json()
        model.requests.append(body)
        model.headers.append(dict(request.headers))
        model.paths.append(request.path_qs)
        if request.transport is not None:
            model.peers.add(request.transport.get_extra_info("peername"))
        model.asked.set()
        answer = model.next_answer(body)
        if answer.status != 200:
            return _refusal(answer)
        try:
            return await _stream(request, model, answer, body)
        except (asyncio.CancelledError, ConnectionError):
            model.left.set()
            raise

    async def health(_: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    app = web.Application()
    app.router.add_get("/healthz", health)
    app.router.add_post("/v1/chat/completions", chat)
    app.router.add_post("/openai/deployments/{deployment}/chat/completions", chat)
    return app


def _refusal(answer: Answer) -> web.Response:
    headers = {}
    if answer.retry_after_ms is not None:
        headers["retry-after-ms"] = str(answer.retry_after_ms)
    said = answer.text if isinstance(answer.text, str) and answer.text else "scripted"
    error = {"error": {"message": said, "type": "scripted", "param": None, "code": None}}
    return web.json_response(error, status=answer.status, headers=headers)


async def _stream(
    request: web.Request, model: ScriptedModel, answer: Answer, body: dict[str, Any]
) -> web.StreamResponse:
    if answer.fault == "hang":
        await _until_gone(request, model)
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    for chunk in _begin(answer, body):
        await _send(response, chunk)
    if answer.fault == "garbage":
        await response.write(b"data: {not json\n\n")
    if answer.fault == "error_event":
        await _send(response, {"error": {"message": "scripted", "type": "server_error"}})
    if answer.fault == "stall":
        await _until_gone(request, model)
    if answer.fault == "drop":
        assert request.transport is not None
        request.transport.abort()
        return response
    for chunk in _end(answer, body):
        await _send(response, chunk)
    await response.write(b"data: [DONE]\n\n")
    return response


async def _until_gone(request: web.Request, model: ScriptedModel) -> None:
    """Until the client is gone, or the test lets it go on."""
    gone = asyncio.ensure_future(_closed(request))
    go_on = asyncio.ensure_future(model.go_on.wait())
    try:
        await asyncio.wait({gone, go_on}, return_when=asyncio.FIRST_COMPLETED)
        if gone.done():
            model.left.set()
            raise ConnectionResetError("the client left")
    finally:
        gone.cancel()
        go_on.cancel()


async def _closed(request: web.Request) -> None:
    while request.transport is not None and not request.transport.is_closing():
        await asyncio.sleep(0.005)


def _begin(answer: Answer, body: dict[str, Any]) -> Iterable[dict[str, Any]]:
    if answer.azure:
        yield {**_about(body), "choices": [], "prompt_filter_results": []}
    yield _chunk(body, {"role": "assistant", "content": ""})
    for piece in answer.pieces():
        yield _chunk(body, {"content": piece})


def _end(answer: Answer, body: dict[str, Any]) -> Iterable[dict[str, Any]]:
    for index, (tool, arguments) in enumerate(answer.calls):
        yield from _call(body, index, tool, arguments)
    yield _chunk(body, {}, finish="tool_calls" if answer.calls else "stop")
    if body.get("stream_options", {}).get("include_usage"):
        prompt, completion = answer.usage
        usage: dict[str, Any] = {"prompt_tokens": prompt, "completion_tokens": completion}
        if answer.cached is not None:
            usage["prompt_tokens_details"] = {"cached_tokens": answer.cached}
        usage["total_tokens"] = prompt + completion
        yield {**_about(body), "choices": [], "usage": usage}


def _call(
    body: dict[str, Any], index: int, tool: str, arguments: str | dict[str, Any]
) -> Iterable[dict[str, Any]]:
    """A call in pieces, as real endpoints send it: name first, then its arguments bit by bit."""
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    head = {"name": tool, "arguments": ""}
    call_id = f"call_{next(_IDS)}"
    call = {"index": index, "id": call_id, "type": "function", "function": head}
    yield _chunk(body, {"tool_calls": [call]})
    for start in range(0, len(text), 7):
        piece = {"index": index, "function": {"arguments": text[start : start + 7]}}
        yield _chunk(body, {"tool_calls": [piece]})


_IDS = itertools.count(1)


def _about(body: dict[str, Any]) -> dict[str, Any]:
    about = {"id": "chatcmpl-scripted", "object": "chat.completion.chunk", "created": 0}
    return {**about, "model": body.get("model", "scripted")}


def _chunk(body: dict[str, Any], delta: dict[str, Any], finish: str | None = None) -> Any:
    return {**_about(body), "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


async def _send(response: web.StreamResponse, chunk: dict[str, Any]) -> None:
    await response.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")


@asynccontextmanager
async def scripted_model(
    *answers: Answer | str, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[ScriptedModel]:
    """The endpoint, on a free port unless one is given."""
    model = ScriptedModel()
    model.will_answer(*answers)
    runner = web.AppRunner(build(model), access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, host, port)
    await site.start()
    bound = runner.addresses[0][1]
    model.base_url = f"http://{host}:{bound}/v1"
    try:
        yield model
    finally:
        await runner.cleanup()


def read_script(path: Path) -> list[Answer]:
    """The answers of a JSON file."""
    return [Answer(**fields) for fields in json.loads(path.read_text(encoding="utf-8"))]


async def _serve(port: int, script: Sequence[Answer]) -> None:
    async with scripted_model(port=port) as model:
        if script:
            again = itertools.cycle(script)
            model.otherwise = lambda _: next(again)
        sys.stdout.write(f"scripted model ready on {model.base_url}\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


def main() -> None:
    """Serve until ended."""
    parser = argparse.ArgumentParser(description="A model endpoint whose answers are scripted.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--script", type=Path)
    options = parser.parse_args()
    script = read_script(options.script) if options.script else []
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve(options.port, script))


if __name__ == "__main__":
    main()
