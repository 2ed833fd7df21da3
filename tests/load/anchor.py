"""The anchor of RPC benches: a bare grpc.aio server on uvloop with one unary from Empty to Empty.

No interceptor, no deadline of its own, google.protobuf.Empty both ways. A second unary takes and gives
the messages of AllocateClient and does nothing: what those cost any server.

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

from voicemesh.speech.v1 import speech_pool_pb2 as pb

METHOD = "/anchor.Anchor/Empty"
LEASE_METHOD = "/anchor.Anchor/Lease"


def empty_unary(channel: grpc.aio.Channel) -> Callable[..., Awaitable[Empty]]:
    """The call, to be made as `await call(Empty(), timeout=5.0)`."""
    made: Callable[..., Awaitable[Empty]] = channel.unary_unary(
        METHOD,
        request_serializer=Empty.SerializeToString,
        response_deserializer=Empty.FromString,
    )
    return made


def lease_unary(channel: grpc.aio.Channel) -> Callable[..., Awaitable[pb.AllocateClientResponse]]:
    """The same for the messages of AllocateClient."""
    made: Callable[..., Awaitable[pb.AllocateClientResponse]] = channel.unary_unary(
        LEASE_METHOD,
        request_serializer=pb.AllocateClientRequest.SerializeToString,
        response_deserializer=pb.AllocateClientResponse.FromString,
    )
    return made


def _answer() -> pb.AllocateClientResponse:
    """As long as a real one."""
    answer = pb.AllocateClientResponse()
    answer.lease.name = f"sessions/held-1/leases/{'0' * 18}"
    answer.lease.client_kind = pb.CLIENT_KIND_RECOGNIZER
    answer.lease.tier = pb.ALLOCATION_TIER_DEDICATED
    answer.lease.address = "127.0.0.1:50051"
    answer.lease.expire_time.FromNanoseconds(1_790_000_000_123_456_789)
    answer.allocation_duration.SetInParent()
    return answer


async def serve(port: int) -> None:
    answer = _answer()

    async def empty(request: Empty, context: object) -> Empty:
        return request

    handler = grpc.unary_unary_rpc_method_handler(
        empty, request_deserializer=Empty.FromString, response_serializer=Empty.SerializeToString
    )

    async def lease(
        request: pb.AllocateClientRequest, context: object
    ) -> pb.AllocateClientResponse:
        return answer

    leasing = grpc.unary_unary_rpc_method_handler(
        lease,
        request_deserializer=pb.AllocateClientRequest.FromString,
        response_serializer=pb.AllocateClientResponse.SerializeToString,
    )
    handlers = {"Empty": handler, "Lease": leasing}
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
