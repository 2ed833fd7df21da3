"""SpeechService: a stream a lease, between a leased client and its holder."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from meshkit.errors import MeshError, Reason
from meshkit.names import parse_lease
from meshkit.streams import ServerStream
from speech_pool.hearing import hear
from speech_pool.pools import RECOGNIZER, SYNTHESIZER, Pools, raising
from speech_pool.running import RunningStreams
from speech_pool.speaking import speak
from voicemesh.speech.v1 import speech_pb2 as pb
from voicemesh.speech.v1 import speech_pb2_grpc
from voicemesh.speech.v1 import speech_pool_pb2 as pool_pb

if TYPE_CHECKING:
    import grpc

    Context = grpc.aio.ServicerContext[Any, Any]


class SpeechServicer(speech_pb2_grpc.SpeechServiceServicer):
    """The streams of this pod's leases; `heartbeat_seconds` is the interval promised to peers."""

    def __init__(
        self, pools: Pools, running: RunningStreams, voices: list[str], heartbeat_seconds: float
    ) -> None:
        self._pools = pools
        self._running = running
        self._voices = voices
        self._heartbeat = heartbeat_seconds

    async def StreamingRecognize(self, _: object, context: Context) -> None:
        """Audio in, speech activity and words out."""
        make = pb.StreamingRecognizeResponse
        async with ServerStream[pb.StreamingRecognizeResponse, pb.StreamingRecognizeRequest](
            context, make, interval=self._heartbeat
        ) as stream:
            config = _config(await stream.receive())
            async with self._client(config.lease, RECOGNIZER) as recognizer:
                await hear(stream, recognizer, config)

    async def StreamingSynthesize(self, _: object, context: Context) -> None:
        """Text in, audio out."""
        make = pb.StreamingSynthesizeResponse
        async with ServerStream[pb.StreamingSynthesizeResponse, pb.StreamingSynthesizeRequest](
            context, make, interval=self._heartbeat
        ) as stream:
            config = _config(await stream.receive())
            async with self._client(config.lease, SYNTHESIZER) as synthesizer:
                await speak(stream, synthesizer, config, self._voices)

    @asynccontextmanager
    async def _client(self, lease: str, kind: pool_pb.ClientKind) -> AsyncIterator[Any]:
        """The leased client, pinned for the block. The engine's failure discards it."""
        name = parse_lease(lease, "config.lease")
        held_kind, pool = self._pools.holding(name.lease)
        if held_kind != kind:
            held = pool_pb.ClientKind.Name(held_kind)
            raise MeshError(
                Reason.CLIENT_KIND_MISMATCH, f"config.lease: is a lease on a client of {held}"
            )
        with raising(), self._running.on(name.lease):
            async with pool.stream(name.lease, session=name.session) as client:
                yield client


def _config(first: Any) -> Any:
    if first is None or not first.HasField("config"):
        raise MeshError(Reason.STREAM_CONFIG_MISSING, "the first message must be `config`")
    return first.config
