"""An orchestrator in this process with a scripted model beside it, talked to as a gateway does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Self

import grpc

from agentkit import Catalog
from meshkit.endpoints import endpoint_source
from meshkit.errors import MeshError
from meshkit.fleet import Fleet
from meshkit.server import MeshServer
from meshkit.streams import ClientStream
from orchestrator.__main__ import become_ready, make_server, make_tools
from orchestrator.llm import OpenAIModel
from orchestrator.servicer import Deployment, OrchestratorServicer
from orchestrator.settings import OrchestratorSettings
from tests.support.scripted_model import ScriptedModel, scripted_model
from voicemesh.orchestrator.v1 import orchestrator_pb2 as pb
from voicemesh.orchestrator.v1.orchestrator_pb2_grpc import OrchestratorServiceStub

PATIENCE_SECONDS = 10.0


class Line:
    """One conversation as the gateway has it: says things, and keeps what comes back.

    `heard` holds the responses in order; `error` how the stream ended, if it failed.
    """

    def __init__(self, channel: grpc.aio.Channel) -> None:
        call = OrchestratorServiceStub(channel).Converse()
        self.stream: ClientStream[pb.ConverseRequest, pb.ConverseResponse] = ClientStream(
            call, pb.ConverseRequest, interval=0.25, peer="orchestrator"
        )
        self.heard: list[pb.ConverseResponse] = []
        self.error: MeshError | None = None
        self.ended = False
        self._changed = asyncio.Condition()

    async def __aenter__(self) -> Self:
        await self.stream.__aenter__()
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)
        await self.stream.__aexit__(*exc)

    async def start(
        self, session: str = "sessions/a", scenario: str = "scenarios/banking", epoch: int = 0
    ) -> None:
        """Open the conversation."""
        start = pb.ConversationStart(session=session, scenario=scenario, owner_epoch=epoch)
        await self.stream.send(pb.ConverseRequest(start=start))

    async def say(self, utterance: str, transcript: str, **fields: Any) -> None:
        """The caller finished an utterance."""
        said = pb.UserUtterance(utterance=utterance, transcript=transcript, **fields)
        await self.stream.send(pb.ConverseRequest(utterance=said))

    async def ask(self, utterance: str, transcript: str) -> pb.TurnCompleted:
        """Say it and wait for the end of the turn that it causes."""
        await self.say(utterance, transcript)
        return await self.answered(utterance)

    async def answered(self, cause: str) -> pb.TurnCompleted:
        """The end of the turn with this cause."""
        response = await self.until(lambda r: self._completes(r, cause))
        return response.turn_completed

    async def play(self, segment: str, length: int, *, interrupted: bool = False) -> None:
        """The caller heard this much of a segment."""
        heard = pb.SegmentPlayed(segment=segment, heard_text_length=length, interrupted=interrupted)
        await self.stream.send(pb.ConverseRequest(heard=heard))

    async def interrupt(self, turn: str) -> None:
        """The caller spoke over a turn."""
        await self.stream.send(pb.ConverseRequest(interruption=pb.Interruption(turn=turn)))

    async def hang_up(self) -> None:
        """The call is over."""
        ended = pb.CallEnded(reason="caller_hung_up")
        await self.stream.send(pb.ConverseRequest(call_ended=ended))

    async def event(self, kind: str, count: int = 1) -> Any:
        """The `count`-th response of a kind."""
        left = count

        def found(response: pb.ConverseResponse) -> bool:
            nonlocal left
            left -= 1 if response.WhichOneof("event") == kind else 0
            return left == 0

        return getattr(await self.until(found), kind)

    async def until(self, condition: Any) -> pb.ConverseResponse:
        """Wait for a response; fails at once if the stream ends without it."""
        async with asyncio.timeout(PATIENCE_SECONDS), self._changed:
            seen = 0
            while True:
                for response in self.heard[seen:]:
                    seen += 1
                    if condition(response):
                        return response
                assert not self.ended, f"the stream ended: {self.error}"
                await self._changed.wait()

    async def end(self) -> MeshError | None:
        """Wait for the end of the stream; the error that it ended with."""
        async with asyncio.timeout(PATIENCE_SECONDS), self._changed:
            await self._changed.wait_for(lambda: self.ended)
        return self.error

    def segments(self, turn: str) -> list[str]:
        """The texts of a turn."""
        return [r.segment.text for r in self.heard if r.segment.segment.startswith(f"{turn}/")]

    def kinds(self) -> list[str]:
        """The kinds of the responses, in order."""
        return [str(response.WhichOneof("event")) for response in self.heard]

    def _completes(self, response: pb.ConverseResponse, cause: str) -> bool:
        turns = {r.turn_started.turn: r.turn_started.cause for r in self.heard}
        done = response.turn_completed.turn
        return bool(done) and turns.get(done) == cause

    async def _read(self) -> None:
        try:
            while (response := await self.stream.receive()) is not None:
                async with self._changed:
                    self.heard.append(response)
                    self._changed.notify_all()
        except MeshError as error:
            self.error = error
        async with self._changed:
            self.ended = True
            self._changed.notify_all()


@dataclass
class Rig:
    """An orchestrator and what it talks to."""

    server: MeshServer
    model: ScriptedModel
    channel: grpc.aio.Channel
    deployment: Deployment
    servicer: OrchestratorServicer

    @asynccontextmanager
    async def line(
        self, session: str = "sessions/a", *, epoch: int = 0, greeted: bool = True
    ) -> AsyncIterator[Line]:
        """A conversation that is open, its greeting over."""
        async with Line(self.channel) as line:
            await line.start(session, epoch=epoch)
            await line.event("ready")
            if greeted:
                await line.answered("greeting")
            yield line


@asynccontextmanager
async def orchestrator_rig(
    store_address: str, tools_address: str, catalog: Catalog | None = None, **settings: Any
) -> AsyncIterator[Rig]:
    """An orchestrator that is ready; `settings` as in OrchestratorSettings."""
    async with AsyncExitStack() as stack:
        scripted = await stack.enter_async_context(scripted_model())
        told = OrchestratorSettings(
            grpc_port=0,
            session_store_target=f"static:{store_address}",
            tool_executor_target=f"static:{tools_address}",
            **{"model_base_url": scripted.base_url, **settings},
        )
        store = Fleet("session-store", endpoint_source(told.session_store_target))
        executors = Fleet("tool-executor", endpoint_source(told.tool_executor_target))
        await stack.enter_async_context(store)
        await stack.enter_async_context(executors)
        model = OpenAIModel(told)
        stack.push_async_callback(model.aclose)
        tools = make_tools(told, executors)
        deployment = Deployment(told, catalog or Catalog.load(), model, tools, store)
        servicer = OrchestratorServicer(deployment)
        stack.push_async_callback(servicer.finished, 0.0)
        server = await stack.enter_async_context(make_server(told, servicer))
        await _until_ready(server, deployment, stack)
        channel = grpc.aio.insecure_channel(server.address)
        await stack.enter_async_context(channel)
        yield Rig(server, scripted, channel, deployment, servicer)


async def _until_ready(server: MeshServer, deployment: Deployment, stack: AsyncExitStack) -> None:
    """Ready as a pod becomes ready, by its own code."""
    is_ready = asyncio.Event()
    ready = server.ready

    async def told() -> None:
        await ready()
        is_ready.set()

    server.ready = told  # type: ignore[method-assign]
    task = asyncio.create_task(become_ready(server, deployment.tools, deployment.catalog))

    async def stop() -> None:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    stack.push_async_callback(stop)
    waiting = asyncio.create_task(is_ready.wait())
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if task.done():
        task.result()
