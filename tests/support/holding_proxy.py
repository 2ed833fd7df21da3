"""A gRPC proxy that holds a chosen message, so that a process can be killed exactly there.

Whole unary messages pass as bytes. What is held is dropped for good: it belongs to a process that
the test kills meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc


@dataclass
class HoldingProxy(grpc.GenericRpcHandler):
    """`request_of` and `answer_of` name the method that is held before, or after, it took place; only
    requests that hold `marker` are."""

    channel: grpc.aio.Channel
    request_of: str = ""
    answer_of: str = ""
    marker: bytes = b""
    held: asyncio.Event = field(default_factory=asyncio.Event)
    address: str = ""

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        """Every method, forwarded."""
        path = details.method
        forward = self.channel.unary_unary(path)
        method = path.rpartition("/")[2]

        async def passed(request: bytes, context: Any) -> bytes:
            if method == self.request_of and self.marker in request:
                await self._hold()
            try:
                answer: bytes = await forward(request, timeout=context.time_remaining())
            except grpc.aio.AioRpcError as error:
                trailing = tuple(error.trailing_metadata() or ())
                await context.abort(error.code(), error.details() or "", trailing)
            if method == self.answer_of and self.marker in request:
                await self._hold()
            return answer

        return grpc.unary_unary_rpc_method_handler(passed)

    async def _hold(self) -> None:
        self.held.set()
        await asyncio.Event().wait()


@asynccontextmanager
async def holding_proxy(target: str, **held: Any) -> AsyncIterator[HoldingProxy]:
    """A proxy to `target` on a free port; `held` as in HoldingProxy."""
    async with grpc.aio.insecure_channel(target) as channel:
        server = grpc.aio.server()
        proxy = HoldingProxy(channel, **held)
        server.add_generic_rpc_handlers((proxy,))
        proxy.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        await server.start()
        try:
            yield proxy
        finally:
            await server.stop(0)
