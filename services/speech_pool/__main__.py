"""Start a speech-pool pod: `python -m speech_pool`."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from meshkit.endpoints import endpoint_source
from meshkit.fleet import Fleet
from meshkit.health import NotReady
from meshkit.server import MeshServer
from meshkit.service import run_service
from meshkit.startup import StartupError
from speech_pool.leases import LeaseServicer
from speech_pool.pools import Pools
from speech_pool.ports import ProviderUnavailable
from speech_pool.providers import make_provider
from speech_pool.quotas import Quotas
from speech_pool.running import RunningStreams
from speech_pool.settings import SpeechPoolSettings
from speech_pool.streams import SpeechServicer
from voicemesh.speech.v1.speech_pb2_grpc import add_SpeechServiceServicer_to_server
from voicemesh.speech.v1.speech_pool_pb2_grpc import add_SpeechPoolServiceServicer_to_server

SERVICES = ("voicemesh.speech.v1.SpeechPoolService", "voicemesh.speech.v1.SpeechService")


async def serve(settings: SpeechPoolSettings) -> None:
    """Load the engine, warm the pools, serve until drained."""
    provider = make_provider(settings)
    try:
        await provider.load()
        async with running_quotas(settings) as quotas:
            pools = Pools(provider, settings, quotas=quotas)
            server = make_server(settings, pools, list(provider.voices))
            server.not_ready(NotReady.LOADING_ENGINE)
            async with server, pools:
                await server.ready()
                await server.until_drained()
    except ProviderUnavailable as error:
        raise StartupError(str(error)) from None
    finally:
        await provider.aclose()


@asynccontextmanager
async def running_quotas(settings: SpeechPoolSettings) -> AsyncIterator[Quotas | None]:
    """The pod's share of the provider's limits, kept for the block; None where none are set."""
    if not settings.quota_names:
        yield None
        return
    source = endpoint_source(settings.session_store_target)
    async with Fleet("session-store", source) as store:
        quotas = Quotas(store, f"speech-pool-{secrets.token_hex(8)}", settings.quota_names)
        keeping = asyncio.create_task(quotas.run())
        try:
            yield quotas
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)
            await quotas.settle()


def make_server(settings: SpeechPoolSettings, pools: Pools, voices: list[str]) -> MeshServer:
    """The pod's server with both services on it, not yet bound."""
    server = MeshServer("speech-pool", settings, port=settings.grpc_port)
    running = RunningStreams()
    leases = LeaseServicer(pools, running, lambda: server.address, settings.heartbeat_seconds)
    streams = SpeechServicer(pools, running, voices, settings.heartbeat_seconds)
    add_SpeechPoolServiceServicer_to_server(leases, server.grpc)
    add_SpeechServiceServicer_to_server(streams, server.grpc)
    server.serves(*SERVICES)
    server.on_drain(pools.drain)
    return server


if __name__ == "__main__":
    run_service("speech-pool", SpeechPoolSettings, serve)
