"""The anchor of RPC benches: a bare grpc.aio server on uvloop with one unary from Empty to Empty.

No interceptor, no deadline of its own, google.protobuf.Empty both ways.

`python -m tests.load.anchor PORT` serves until it is stopped. It has gRPC health, so that it starts
like any other part.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable

import grpc
import uvloop
from google.protobuf.empty_pb2 import Empty
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

METHOD = "/anchor.Anchor/Empty"


def empty_unary(channel: grpc.aio.Channel) -> Callable[..., Awaitable[Empty]]:
    """The call, to be made as `await call(Empty(), timeout=5.0)`."""
    made: Callable[..., Awaitable[Empty]] = channel.unary_unary(
        METHOD,
        request_serializer=Empty.SerializeToString,
        response_deserializer=Empty.FromString,
    )
    return made


async def serve(port: int) -> None:
    async def empty(request: Empty, context: object) -> Empty:
        return request

    handler = grpc.unary_unary_rpc_method_handler(
        empty, request_deserializer=Empty.FromString, response_serializer=Empty.SerializeToString
    )
    handlers = {"Empty": handler}
    server = grpc.aio.server()
    server.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler("anchor.Anchor", handlers)]
    )
    checks = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(checks, server)
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    await checks.set("", health_pb2.HealthCheckResponse.SERVING)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
