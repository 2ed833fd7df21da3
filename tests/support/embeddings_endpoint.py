"""An OpenAI-compatible embeddings endpoint on loopback, for tests of what asks one.

It speaks the wire and means nothing: a vector marks the stems of the first dozen longer words of a
text in 1024 buckets, so that texts that begin alike are near. What a real model finds is tested
with the real planner.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

from aiohttp import web

DIMENSIONS = 1024


@dataclass
class EmbeddingsEndpoint:
    """What was asked, and how to misbehave."""

    base_url: str = ""
    requests: list[list[str]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    fail_next: int = 0
    """Answer this many requests with 503."""
    dimensions: int = DIMENSIONS

    @property
    def embedded(self) -> list[str]:
        """Every text asked for, in order."""
        return [text for texts in self.requests for text in texts]


def bag_of_stems(text: str, dimensions: int = DIMENSIONS) -> list[float]:
    """The vector of a text."""
    vector = [0.0] * dimensions
    for word in re.findall(r"[a-z]{4,}", text.lower())[:12]:
        digest = hashlib.sha256(word[:5].encode()).digest()
        vector[int.from_bytes(digest[:4], "big") % dimensions] = 1.0
    return vector


@asynccontextmanager
async def embeddings_endpoint() -> AsyncIterator[EmbeddingsEndpoint]:
    """The endpoint, on a free port."""
    endpoint = EmbeddingsEndpoint()

    async def embeddings(request: web.Request) -> web.Response:
        endpoint.keys.append(request.headers.get("Authorization", ""))
        if endpoint.fail_next:
            endpoint.fail_next -= 1
            return web.json_response({"error": {"message": "busy"}}, status=503)
        body = await request.json()
        texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
        endpoint.requests.append(texts)
        data = [
            {"object": "embedding", "index": i, "embedding": bag_of_stems(t, endpoint.dimensions)}
            for i, t in enumerate(texts)
        ]
        usage = {"prompt_tokens": 0, "total_tokens": 0}
        return web.json_response(
            {"object": "list", "data": data, "model": body["model"], "usage": usage}
        )

    app = web.Application()
    app.router.add_post("/v1/embeddings", embeddings)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    endpoint.base_url = f"http://{host}:{port}/v1"
    try:
        yield endpoint
    finally:
        await runner.cleanup()


@contextmanager
def embeddings_thread() -> Iterator[EmbeddingsEndpoint]:
    """The same in a thread of its own, for tests of what runs its own loop."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    running = embeddings_endpoint()
    try:
        yield asyncio.run_coroutine_threadsafe(running.__aenter__(), loop).result(10)
        asyncio.run_coroutine_threadsafe(running.__aexit__(None, None, None), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
