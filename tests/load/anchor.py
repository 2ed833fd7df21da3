"""The anchor of RPC benches: a bare grpc.aio server on uvloop with one empty unary and no interceptor.

`python -m tests.load.anchor PORT` serves until it is stopped. It has gRPC health, so that it starts
like any other part.
"""

from __future__ import annotations

import asyncio
import sys

import grpc
import uvloop
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

METHOD = "/anchor.Anchor/Empty"


async def serve(port: int) -> None:
    async def empty(request: bytes, context: object) -> bytes:
        return request

    handlers = {"Empty": grpc.unary_unary_rpc_method_handler(empty)}
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
