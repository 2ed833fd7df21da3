"""A model endpoint for tests: speaks the OpenAI wire, says what its script says, at once.

    python -m tests.support.scripted_model --port 0

In a test: `async with ScriptedModel(script) as model:` and point the real `openai` client at
`model.base_url`. A script is a function from the request to a `Reply`. The default one answers every
utterance with `You said: ...`, and an utterance that begins with `tool NAME {json}` with that call.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web

PIECES = 3
"""Tool arguments come in this many pieces, as from a real endpoint."""


@dataclass(frozen=True)
class Call:
    """A tool call to be made."""

    tool: str
    arguments: str = "{}"
    """JSON, or whatever a model would write instead of it."""


@dataclass(frozen=True)
class Reply:
    """What the model answers, and what goes wrong with it."""

    text: str = ""
    calls: tuple[Call, ...] = ()
    status: int = 200
    """Other than 200: an error answer with this status."""
    retry_after: str = ""
    hang_before: bool = False
    """Never begin to answer."""
    hang_after_words: int = -1
    """Fall silent after this many words."""
    drop_after_words: int = -1
    """Cut the connection after this many words."""


Script = Callable[[dict[str, Any]], Reply]


def echo(request: dict[str, Any]) -> Reply:
    """The default script."""
    last = request["messages"][-1]
    if last["role"] == "tool":
        return Reply(str(json.loads(last["content"]).get("message", "Done.")))
    said = str(last.get("content") or "")
    if asked := re.match(r"tool (\w+) ?(\{.*\})?$", said):
        return Reply(calls=(Call(asked[1], asked[2] or "{}"),))
    return Reply(f"You said: {said}.")


@dataclass
class ScriptedModel:
    """The endpoint, as an async context manager."""

    script: Script = echo
    port: int = 0
    requests: list[dict[str, Any]] = field(default_factory=list)
    """The bodies that came, oldest first."""
    cancelled: int = 0
    """Answers that the client broke off."""

    @property
    def base_url(self) -> str:
        """For the client's `base_url`."""
        return f"http://127.0.0.1:{self.port}/v1"

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", self._chat)
        app.router.add_get("/healthz", _healthy)
        self._runner = web.AppRunner(
            app, access_log=None, shutdown_timeout=0.2, handler_cancellation=True
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.requests.append(body)
        reply = self.script(body)
        if reply.status != 200:
            return _error(reply)
        try:
            if reply.hang_before:
                await asyncio.Event().wait()
            return await self._stream(request, body, reply)
        except (ConnectionResetError, asyncio.CancelledError):
            self.cancelled += 1
            raise

    async def _stream(
        self, request: web.Request, body: dict[str, Any], reply: Reply
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        # As Azure does: a first chunk without choices.
        await _event(response, {"id": "", "object": "", "created": 0, "model": "", "choices": []})
        for place, word in enumerate(re.findall(r"\S+\s*", reply.text)):
            if place == reply.drop_after_words:
                assert request.transport is not None
                request.transport.abort()
                return response
            if place == reply.hang_after_words:
                await asyncio.Event().wait()
            await _event(response, _chunk({"content": word}))
        for index, call in enumerate(reply.calls):
            for delta in _call_deltas(index, call):
                await _event(response, _chunk({"tool_calls": [delta]}))
        finish = "tool_calls" if reply.calls else "stop"
        await _event(response, _chunk({}, finish))
        if (body.get("stream_options") or {}).get("include_usage"):
            usage = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}
            await _event(response, {**_chunk({}), "choices": [], "usage": usage})
        await response.write(b"data: [DONE]\n\n")
        await response.write_eof()
        return response


async def _healthy(_: web.Request) -> web.Response:
    return web.Response(text="ok")


async def _event(response: web.StreamResponse, content: dict[str, Any]) -> None:
    await response.write(b"data: " + json.dumps(content).encode() + b"\n\n")


def _chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    return {
        "id": "chatcmpl-scripted",
        "object": "chat.completion.chunk",
        "created": int(time.time()),
        "model": "scripted",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    }


def _call_deltas(index: int, call: Call) -> list[dict[str, Any]]:
    """The id and name first, then the arguments in pieces."""
    size = max(1, -(-len(call.arguments) // PIECES))
    pieces = [call.arguments[at : at + size] for at in range(0, len(call.arguments), size)]
    head = {"index": index, "id": f"call_{index}", "type": "function"}
    first = {**head, "function": {"name": call.tool, "arguments": ""}}
    return [first, *({"index": index, "function": {"arguments": piece}} for piece in pieces)]


def _error(reply: Reply) -> web.Response:
    headers = {"Retry-After": reply.retry_after} if reply.retry_after else {}
    error = {"error": {"code": str(reply.status), "message": "scripted"}}
    return web.json_response(error, status=reply.status, headers=headers)


async def _serve(port: int) -> None:
    async with ScriptedModel(port=port) as model:
        print(f"scripted model on {model.base_url}", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    asyncio.run(_serve(parser.parse_args().port))
