"""A whole gateway in this process, with its doors open on free ports and its peers behind real
channels: the speech-pool is the real one on the scripted engine, the others are wire doubles."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from acs_standin.caller import PlacedCall
from gateway import console
from gateway.app import make_app
from gateway.calls import Calls
from gateway.control import ControlServer
from gateway.listener import MediaServer
from gateway.peers import Readiness, connect
from gateway.settings import GatewaySettings
from meshkit.server import MeshServer
from meshkit.settings import MeshSettings
from speech_pool.__main__ import make_server
from speech_pool.pools import Pools
from speech_pool.settings import SpeechPoolSettings
from tests.support.gateway_peers import (
    CONVERSE,
    STORE,
    OrchestratorScript,
    ScriptedOrchestrator,
    StoreDouble,
)
from tests.support.scripted_engine import Script, ScriptedProvider
from tests.support.sink_scan import SCAN
from voicemesh.orchestrator.v1.orchestrator_pb2_grpc import (
    add_OrchestratorServiceServicer_to_server,
)
from voicemesh.session.v1.journal_pb2_grpc import add_JournalServiceServicer_to_server
from voicemesh.session.v1.ownership_pb2_grpc import add_CallOwnershipServiceServicer_to_server
from voicemesh.session.v1.session_store_pb2_grpc import add_SessionStoreServiceServicer_to_server

NOWHERE = "static:127.0.0.1:9"
"""The discard port: nothing listens there."""


@dataclass
class Rig:
    """The gateway and all around it."""

    http: str
    media: str
    calls: Calls
    settings: GatewaySettings
    orchestrator: ScriptedOrchestrator
    store: StoreDouble
    pools: Pools
    servers: dict[str, MeshServer]
    client: aiohttp.ClientSession

    def call(self, session: str = "call-1", query: str = "", **more: Any) -> PlacedCall:
        """A caller who dials as ACS does."""
        return PlacedCall(f"{self.media}{query}", call_connection_id=session, **more)

    async def get(self, path: str, **headers: str) -> tuple[int, Any]:
        """Status and body of a request to the control plane."""
        async with self.client.get(self.http + path, headers=headers) as response:
            text = await response.text()
            if response.status >= 400:
                SCAN.read("problems", text)
            return response.status, json.loads(text)

    async def events(
        self, session: str = "call-1", after: int = 0
    ) -> AsyncIterator[dict[str, Any]]:
        """The call's events over server-sent events, until it ends."""
        url = f"{self.http}/api/v1/calls/{session}/events"
        headers = {"Last-Event-ID": str(after)} if after else {}
        async with self.client.get(url, headers=headers) as response:
            assert response.status == 200, await response.text()
            async for line in response.content:
                if line.startswith(b"data:"):
                    yield json.loads(line[5:])

    async def until(self, kind: str, session: str = "call-1", **fields: Any) -> dict[str, Any]:
        """The call's first event of a kind with these fields, waiting for it."""
        while (call := self.calls.get(session)) is None:
            await asyncio.sleep(0)
        async for event in call.parts.events.follow():
            told = event.as_json()
            if told["kind"] == kind and all(told[k] == v for k, v in fields.items()):
                return told
        raise AssertionError(f"the call ended without {kind} {fields}")

    def told(self, kind: str, session: str = "call-1") -> list[dict[str, Any]]:
        """Events of a kind so far."""
        call = self.calls.get(session)
        assert call is not None
        return [e.as_json() for e in call.parts.events.since(0) if e.kind == kind]


@asynccontextmanager
async def rig(
    script: OrchestratorScript | None = None,
    engine: Script | None = None,
    speech: dict[str, Any] | None = None,
    **settings: Any,
) -> AsyncIterator[Rig]:
    """Start it all; `settings` are the gateway's, `speech` the speech-pool's."""
    async with AsyncExitStack() as stack:
        orchestrator, store = ScriptedOrchestrator(script), StoreDouble()
        orchestrator.accepted = store.accept
        pools, speech_server = await _speech_pool(stack, engine or Script(), speech or {})
        servers = {
            "speech-pool": speech_server,
            "orchestrator": await _orchestrator(stack, orchestrator),
            "session-store": await _store(stack, store),
        }
        targets = {
            f"{name.replace('-', '_')}_target": f"static:{server.address}"
            for name, server in servers.items()
        }
        chosen = GatewaySettings(**{"http_port": 0, "media_port": 0, **targets, **settings})
        peers = await stack.enter_async_context(connect(chosen))
        calls = await stack.enter_async_context(Calls(peers, chosen, lambda: "127.0.0.1:1"))
        shown = await stack.enter_async_context(console.opened(chosen))
        app = make_app(calls, Readiness(peers), chosen, shown)
        control = await stack.enter_async_context(ControlServer(app, chosen))
        media = await stack.enter_async_context(MediaServer(calls, chosen))
        client = await stack.enter_async_context(aiohttp.ClientSession())
        yield Rig(
            http=f"http://127.0.0.1:{control.port}",
            media=f"ws://127.0.0.1:{media.port}/api/v1/media/stream",
            calls=calls,
            settings=chosen,
            orchestrator=orchestrator,
            store=store,
            pools=pools,
            servers=servers,
            client=client,
        )


async def _speech_pool(
    stack: AsyncExitStack, script: Script, settings: dict[str, Any]
) -> tuple[Pools, MeshServer]:
    chosen = SpeechPoolSettings(**{"grpc_port": 0, **settings})
    provider = ScriptedProvider(script)
    pools = Pools(provider, chosen)
    server = make_server(chosen, pools, list(provider.voices))
    await stack.enter_async_context(server)
    await stack.enter_async_context(pools)
    await server.ready()
    return pools, server


async def _orchestrator(stack: AsyncExitStack, servicer: ScriptedOrchestrator) -> MeshServer:
    server = MeshServer("orchestrator", MeshSettings(), port=0)
    add_OrchestratorServiceServicer_to_server(servicer, server.grpc)
    server.serves(CONVERSE)
    await stack.enter_async_context(server)
    await server.ready()
    return server


async def _store(stack: AsyncExitStack, servicer: StoreDouble) -> MeshServer:
    server = MeshServer("session-store", MeshSettings(), port=0)
    add_SessionStoreServiceServicer_to_server(servicer, server.grpc)
    add_JournalServiceServicer_to_server(servicer, server.grpc)
    add_CallOwnershipServiceServicer_to_server(servicer, server.grpc)
    server.serves(*STORE)
    await stack.enter_async_context(server)
    await server.ready()
    return server
