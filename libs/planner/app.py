"""The HTTP face of the planner: OpenAI-compatible routes over the pure modules.

Logs say which rule decided and how long it took, never what anybody said.
"""

from __future__ import annotations

import asyncio
import logging
import time
import traceback
import uuid
from collections.abc import Awaitable, Callable
from functools import partial

from aiohttp import web

from planner import completion, wire
from planner.completion import Completion
from planner.conversation import Decision
from planner.dialogue import decide
from planner.fields import BadRequest, read_json
from planner.inference import Busy, Inference
from planner.minilm import Array

log = logging.getLogger("planner")

MAX_BODY_BYTES = 4_000_000
BODY_SECONDS = 10.0
RETRY_AFTER_MS = 200

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class PlannerApp:
    """The routes."""

    def __init__(self, inference: Inference) -> None:
        self._inference = inference

    def build(self) -> web.Application:
        """The aiohttp application."""
        app = web.Application(middlewares=[_errors], client_max_size=MAX_BODY_BYTES)
        app.router.add_get("/healthz", self._health)
        app.router.add_get("/v1/models", self._models)
        app.router.add_post("/v1/chat/completions", self._chat)
        app.router.add_post("/v1/embeddings", self._embeddings)
        return app

    async def _health(self, _: web.Request) -> web.Response:
        return web.json_response({"status": "ok", "what": wire.WHAT_IT_IS})

    async def _models(self, _: web.Request) -> web.Response:
        about = {"object": "model", "created": 0, "owned_by": "voicemesh"}
        models = [
            {"id": wire.MODEL, **about, "description": wire.WHAT_IT_IS},
            {
                "id": wire.EMBEDDING_MODEL,
                **about,
                "description": "Sentence embeddings, 384 numbers.",
            },
        ]
        return web.json_response({"object": "list", "data": models})

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        began = time.perf_counter()
        asked = wire.read_chat(read_json(await _body(request)))
        with self._inference.admitted():
            embedder = self._inference.embedder()
            decision = await self._inference.run(
                partial(decide, asked.messages, asked.tools, embedder, asked.choice)
            )
        took = (time.perf_counter() - began) * 1000
        log.info("chat of %d messages: %s, %.0f ms", len(asked.messages), decision.why, took)
        answer = _completion(asked, decision)
        if asked.stream:
            return await _streamed(request, answer)
        return web.json_response(answer.whole())

    async def _embeddings(self, request: web.Request) -> web.Response:
        asked = wire.read_embeddings(read_json(await _body(request)))
        log.info("embeddings of %d texts", len(asked.inputs))
        vectors: list[Array] = []
        tokens = 0
        with self._inference.admitted():
            for text in asked.inputs:  # one by one: a call's turn may go in between
                vector, counted = await self._inference.run(partial(self._embed, text))
                vectors.append(vector)
                tokens += counted
        body = completion.embeddings_body(vectors, tokens, asked.model, asked.base64)
        return web.json_response(body)

    def _embed(self, text: str) -> tuple[Array, int]:
        return self._inference.model.encode(text), self._inference.model.count_tokens(text)


async def _body(request: web.Request) -> bytes:
    """The whole body. Raises BadRequest if it does not come."""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await request.read()
    except TimeoutError:
        raise BadRequest(f"the body did not arrive within {BODY_SECONDS:g} s") from None


def _completion(asked: wire.ChatRequest, decision: Decision) -> Completion:
    ids = [f"call_{uuid.uuid4().hex[:24]}" for _ in decision.calls]
    return Completion(f"chatcmpl-{uuid.uuid4().hex}", int(time.time()), asked, decision, ids)


async def _streamed(request: web.Request, answer: Completion) -> web.StreamResponse:
    response = web.StreamResponse(
        headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"}
    )
    await response.prepare(request)
    for chunk in answer.chunks():
        await response.write(completion.event(chunk))
    await response.write(completion.DONE)
    await response.write_eof()
    return response


@web.middleware
async def _errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every failure in the shape that OpenAI clients understand."""
    try:
        return await handler(request)
    except BadRequest as error:
        return _refusal(400, str(error), "invalid_request_error", error.param)
    except Busy as error:
        headers = {"retry-after-ms": str(RETRY_AFTER_MS)}
        return _refusal(429, str(error), "rate_limit_error", headers=headers)
    except web.HTTPRequestEntityTooLarge:
        message = f"the body is larger than {MAX_BODY_BYTES} bytes"
        return _refusal(413, message, "invalid_request_error")
    except web.HTTPException as error:
        message = f"{request.method} {request.path} is not served here: {error.reason}"
        return _refusal(error.status, message, "invalid_request_error")
    except (asyncio.CancelledError, ConnectionError):
        raise  # the client is gone
    except Exception as error:
        # The message may hold what somebody said; where it happened is enough.
        where = traceback.extract_tb(error.__traceback__)[-1]
        log.error("%s in %s, line %s", type(error).__name__, where.name, where.lineno)
        return _refusal(500, "the planner failed; its log says where", "server_error")


def _refusal(
    status: int,
    message: str,
    kind: str,
    param: str | None = None,
    headers: dict[str, str] | None = None,
) -> web.Response:
    log.info("refused with %d", status)
    return web.json_response(wire.error_body(message, kind, param), status=status, headers=headers)
