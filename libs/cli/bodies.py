"""The whole body of an HTTP answer, within a bound."""

from __future__ import annotations

import aiohttp


async def whole_body(answer: aiohttp.ClientResponse, most: int) -> bytes:
    """The body to its end; aiohttp's own bounded read stops at what has come so far.

    Raises ValueError for one over `most` bytes.
    """
    body = bytearray()
    async for chunk in answer.content.iter_any():
        body += chunk
        if len(body) > most:
            raise ValueError(f"the answer is over {most} bytes")
    return bytes(body)
