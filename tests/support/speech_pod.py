"""A speech-pool pod in this process, on the scripted engine, reached over a real channel."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration

from meshkit.endpoints import StaticEndpoints
from meshkit.errors import MeshError, Reason
from meshkit.fleet import Fleet
from meshkit.streams import ClientStream
from speech_pool.__main__ import make_server, running_quotas
from speech_pool.pools import Pools
from speech_pool.settings import SpeechPoolSettings
from tests.support.scripted_engine import Script, ScriptedProvider
from voicemesh.speech.v1 import speech_event_pb2 as event_pb
from voicemesh.speech.v1 import speech_pb2, speech_pb2_grpc
from voicemesh.speech.v1 import speech_pool_pb2 as pb
from voicemesh.speech.v1.speech_pool_pb2_grpc import SpeechPoolServiceStub

RECOGNIZER, SYNTHESIZER = pb.CLIENT_KIND_RECOGNIZER, pb.CLIENT_KIND_SYNTHESIZER
WARM, DEDICATED, COLD = (
    pb.ALLOCATION_TIER_WARM,
    pb.ALLOCATION_TIER_DEDICATED,
    pb.ALLOCATION_TIER_COLD,
)
PCM16 = event_pb.AudioFormat(encoding=event_pb.AUDIO_ENCODING_LINEAR16, sample_rate_hertz=16000)


@dataclass
class Pod:
    """A speech-pool pod in this process, reached through a channel."""

    fleet: Fleet
    address: str
    pools: Pools
    ids: Iterable[int]

    async def unary(self, method: str, request: object, timeout: float = 5.0) -> Any:
        return await self.fleet.unary(
            SpeechPoolServiceStub, method, request, timeout=timeout, address=self.address
        )

    async def allocate(self, session: str = "a", kind: int = RECOGNIZER, **more: Any) -> pb.Lease:
        more.setdefault("request_id", f"r{next(iter(self.ids))}")
        timeout = more.pop("timeout", 5.0)
        request = pb.AllocateClientRequest(session=f"sessions/{session}", client_kind=kind, **more)
        return (await self.unary("AllocateClient", request, timeout)).lease

    async def release(self, lease: str, **more: Any) -> None:
        await self.unary("ReleaseLease", pb.ReleaseLeaseRequest(name=lease, **more))

    async def stats(self, kind: int) -> pb.PoolStats:
        answer = await self.unary("GetPoolStats", pb.GetPoolStatsRequest())
        return next(pool for pool in answer.pools if pool.client_kind == kind)

    def recognize(self) -> ClientStream[Any, Any]:
        call = self.fleet.stub(speech_pb2_grpc.SpeechServiceStub, self.address).StreamingRecognize()
        return ClientStream(call, speech_pb2.StreamingRecognizeRequest, interval=0.25)

    def synthesize(self) -> ClientStream[Any, Any]:
        call = self.fleet.stub(
            speech_pb2_grpc.SpeechServiceStub, self.address
        ).StreamingSynthesize()
        return ClientStream(call, speech_pb2.StreamingSynthesizeRequest, interval=0.25)


@asynccontextmanager
async def running(script: Script | None = None, **settings: Any) -> AsyncIterator[Pod]:
    chosen = SpeechPoolSettings(grpc_port=0, **settings)
    provider = ScriptedProvider(script or Script())
    await provider.load()
    async with AsyncExitStack() as stack:
        quotas = await stack.enter_async_context(running_quotas(chosen))
        pools = Pools(provider, chosen, quotas=quotas)
        server = make_server(chosen, pools, list(provider.voices))
        await stack.enter_async_context(server)
        await stack.enter_async_context(pools)
        source = StaticEndpoints(frozenset({server.address}))
        fleet = await stack.enter_async_context(Fleet("speech-pool", source))
        yield Pod(fleet, server.address, pools, count(1))
    await provider.aclose()


def seconds(value: float) -> Duration:
    duration = Duration()
    duration.FromMilliseconds(round(value * 1000))
    return duration


@asynccontextmanager
async def raises(reason: Reason) -> AsyncIterator[None]:
    with pytest.raises(MeshError) as caught:
        yield
    assert caught.value.reason == reason.name
    assert caught.value.code is reason.code
    assert caught.value.domain == "speech-pool.voicemesh"
